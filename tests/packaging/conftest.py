"""Build a wheel and an sdist from a clean copy, install the wheel away from the checkout.

Why so: an editable install hides what an installed package lacks, so nothing here may see the
checkout.  The dependencies come from the environment of the tests, one link each, without powercut.
Rejected: pip with a package index (tests run offline), a virtual environment that sees all
site-packages (it sees the editable install as well).
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""


def clean_environment() -> dict[str, str]:
    """Return an environment without a way to the checkout."""
    dropped = ("PYTHONPATH", "VIRTUAL_ENV", "CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}


def build(hook: str, source: Path, target: Path) -> Path:
    """Call a hook of the build backend in ``source``; return what it made in ``target``."""
    target.mkdir()
    command = [sys.executable, "-c", BUILD, hook, str(target)]
    run = subprocess.run(
        command, cwd=source, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return target / run.stdout.splitlines()[-1]


def clean_copy(target: Path) -> Path:
    """Copy the files that belong to the tree, as a clone would have them."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, found.split("\0")):
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


@dataclass(frozen=True, slots=True)
class Built:
    """A clean copy of the tree, and what was built from it."""

    tree: Path
    wheel: Path
    sdist: Path
    wheel_of_sdist: Path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The wheel, the sdist, and the wheel of the sdist."""
    folder = tmp_path_factory.mktemp("built")
    tree = clean_copy(folder / "tree")
    sdist = build("build_sdist", tree, folder / "sdist")
    wheel = build("build_wheel", tree, folder / "wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    again = build("build_wheel", unpacked, folder / "wheel-of-sdist")
    return Built(tree, wheel, sdist, again)


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment with powercut in it, and a folder to work in."""

    bin: Path
    project: Path

    def __call__(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in the project's folder."""
        command = [str(self.bin / argv[0]), *map(str, argv[1:])]
        return subprocess.run(
            command,
            cwd=self.project,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )


def _link_dependencies(folder: Path) -> None:
    """Make ``folder`` hold a link to everything that is installed here, except powercut."""
    folder.mkdir()
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(place).iterdir():
            if "powercut" not in entry.name and entry.suffix != ".pth":
                (folder / entry.name).symlink_to(entry)


def _script(path: Path, python: Path, module: str, function: str) -> None:
    """Write a console script as an installer does."""
    path.write_text(
        f"#!{python}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
    )
    path.chmod(0o755)


@pytest.fixture(scope="session")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in a fresh environment, beside a project with names like ours."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    offline = ["--no-deps", "--no-index", "--disable-pip-version-check", "--no-cache-dir"]
    command = [*map(str, install), *offline, str(built.wheel)]
    subprocess.run(command, check=True, env=clean_environment())
    _link_dependencies(folder / "dependencies")
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(f"{folder / 'dependencies'}\n")
    _script(python.parent / "pytest", python, "pytest", "console_main")
    return Installed(python.parent, _project(folder / "project"))


OWN_TEST = """
import checkers
import model
import properties


def test_the_own_modules_are_imported():
    assert model.User("ann").name == "ann"
    assert checkers.check() == "mine"
    assert properties.COLOUR == "blue"


def test_powercut_is_the_installed_one(powercut):
    import powercut as package
    from powercut.model import scope

    assert {prefix!r} in package.__file__
    assert {prefix!r} in scope.__file__
    run = powercut.run("file size=1 dirty-tail\\nmount\\n  task write 1 1; fsync\\n")
    run.assert_holds("structure")
"""


def _project(folder: Path) -> Path:
    """Make a project that has names of ours: packages, a module, and files to collect."""
    own = {
        "model/__init__.py": "from model.user import User\n",
        "model/user.py": "class User:\n    def __init__(self, name):\n        self.name = name\n",
        "checkers.py": "def check():\n    return 'mine'\n",
        "properties/__init__.py": "COLOUR = 'blue'\n",
        "test_own.py": OWN_TEST.format(prefix="site-packages"),
        "pytest.ini": "[pytest]\naddopts = -p no:cacheprovider\nfilterwarnings = error\n",
        "order.c": (
            "static int f(struct inode *inode)\n{\n\tinode_lock(inode);\n"
            "\tdown_write(&EXT4_I(inode)->i_data_sem);\n\tup_write(&EXT4_I(inode)->i_data_sem);\n"
            "\tinode_unlock(inode);\n\treturn 0;\n}\n"
        ),
    }
    for name, text in own.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name in ("properties/litmus/crashmonkey-append-fsync.litmus", f"traces/{TRACE}"):
        shutil.copy(ROOT / name, folder)
    return folder


TRACE = "seed-eio-overwrite-data-err-abort.trace.json"
