#!/bin/sh
# Usage: setup.sh PYTHON run|dev
# Create or refresh .venv with powercut in it (editable), with or without the developers' tools.
# Whatever is missing is reported in one line; pip's own output goes to the log.
set -u
cd "$(dirname "$0")/.." || exit 1
python=$1 kind=$2 venv=.venv log=.venv-install.log

fail() {
    echo "setup: $*" >&2
    exit 1
}

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" >>"$log" 2>&1 ||
        fail "pip could not install the packages: check the network connection and run make again" \
            "(details: $log)"
}

version_of() {
    "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null
}

choose="choose one with: make PYTHON=/path/to/python3.11"
version=$(version_of "$python") ||
    fail "no working Python at '$python': install Python 3.11 or newer, or $choose"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "'$python' is Python $version, powercut needs 3.11 or newer: install it, or $choose"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "'$python' has no venv module: install it (Debian, Ubuntu: apt install python3-venv), or $choose"

(: >"$log") 2>/dev/null || fail "cannot write $PWD/$log: make the directory writable"
if [ "$(version_of "$venv/bin/python")" != "$version" ] || ! [ -x "$venv/bin/pip" ]; then
    echo "setup: creating $venv with Python $version"
    "$python" -m venv --clear "$venv" >>"$log" 2>&1 ||
        fail "cannot create $venv: check free disk space and that python3-venv is installed (details: $log)"
fi

echo "setup: installing powercut into $venv (log: $log)"
if [ "$kind" = dev ]; then
    pip install 'pip>=25.1' # the first pip that knows dependency groups
    pip install --editable '.[all]' --group dev
else
    pip install --editable '.[all]'
fi
