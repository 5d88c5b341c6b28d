#!/bin/sh
# Usage: kernel_lab.sh [KERNEL]
# A short lab on a real kernel: two findings with their controls, ten litmus tests.
# Without KERNEL (a bzImage, an unpacked package, .deb files) the distribution's cloud kernel is
# fetched into kernels/; SUITE=name takes the newest one of another suite of the machine's own
# mirror.  Nothing is installed but, as root, what the lab needs.
set -u
cd "$(dirname "$0")/.." || exit 1
place=${1:-} folder=kernels powercut=.venv/bin/powercut

fail() {
    echo "make kernel: $*" >&2
    exit 2
}

needs=
command -v qemu-system-x86_64 >/dev/null || needs="$needs qemu-system-x86"
command -v mke2fs >/dev/null && command -v debugfs >/dev/null || needs="$needs e2fsprogs"
command -v cc >/dev/null || command -v gcc >/dev/null || needs="$needs gcc libc6-dev"
if [ -n "$needs" ]; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
        fail "install$needs (as root with apt-get this is done here), and run it again"
    echo "make kernel: installing$needs"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $needs >/dev/null 2>&1 ||
        fail "apt-get could not install$needs; install them and run it again"
fi

# apt with lists of its own, for another suite of the mirror that this machine uses.
other_suite() {
    lists=$PWD/$folder/$SUITE
    mkdir -p "$lists/lists/partial" "$lists/archives/partial"
    uri=$(awk '$1 == "URIs:" {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null)
    [ -n "$uri" ] || uri=$(awk '$1 == "deb" {print $2; exit}' /etc/apt/sources.list 2>/dev/null)
    [ -n "$uri" ] || fail "apt's configuration names no mirror; give a kernel: make kernel KERNEL=..."
    echo "deb $uri $SUITE main" >"$lists/sources.list"
    options="-o Dir::Etc::SourceList=$lists/sources.list -o Dir::Etc::SourceParts=-"
    options="$options -o Dir::State::Lists=$lists/lists -o Dir::Cache=$lists"
    apt-get $options -qq update >/dev/null 2>&1 || fail "no suite $SUITE on this machine's mirror"
}

fetch() {
    command -v apt-get >/dev/null || fail "no apt here; give a kernel: make kernel KERNEL=..."
    options=
    [ -z "${SUITE:-}" ] || other_suite
    name=$(apt-cache $options depends linux-image-cloud-amd64 2>/dev/null |
        awk '$1 == "Depends:" && $2 ~ /^linux-(image|binary)-/ {print $2; exit}')
    [ -n "$name" ] || fail "apt knows no cloud kernel (apt-get update?); give one: KERNEL=..."
    place=$folder/$name
    mkdir -p "$place" || fail "cannot make $place"
    set -- "$place"/*.deb
    [ -e "$1" ] && return
    more=$(apt-cache $options depends "$name" 2>/dev/null |
        awk '$1 == "Depends:" && $2 ~ /^linux-(binary|modules)-/ {print $2}')
    echo "make kernel: fetching $name $more"
    (cd "$place" && apt-get $options -qq download "$name" $more >/dev/null 2>&1) ||
        fail "apt-get could not fetch $name; give a kernel: make kernel KERNEL=..."
}

[ -n "$place" ] || fetch
worst=0
# run ALLOWED-CODES COMMAND...: exit code 3 says that nothing was seen, which a short lab may.
run() {
    allowed=$1
    shift
    echo "+ powercut $*"
    "$powercut" "$@"
    status=$?
    case " $allowed " in *" $status "*) ;; *) worst=1 ;; esac
}
for finding in zero-range-tail punch-nodelalloc; do
    run "1 3" kernel run --kernel "$place" --finding "$finding" --rounds 120
done
tests=
for name in crashmonkey-append-fsync crashmonkey-punch-fsync eof-truncate-down-up \
    ferrite-append-chrome ferrite-two-appends-fsync generic-042-punch generic-455 generic-468 \
    generic-474 generic-482; do
    tests="$tests properties/litmus/$name.litmus"
done
run "0 3" kernel conform --kernel "$place" $tests
[ $worst = 0 ] && echo "make kernel: the lab ran" || echo "make kernel: something is wrong, see above" >&2
exit $worst
