"""A kernel as users have it: a bzImage, an unpacked package, or a folder with packages.

What: the file that boots, and the modules that a virtual disk with ext4 needs, in an order in which
they can be loaded (the guest tries again what came too early).  What is built in has no module,
which is fine.
Why so: nothing is installed and nothing is unpacked on disk; a package is read as a stream.
Rejected: the running kernel by default (its image is rarely readable), dependencies from
``modules.dep`` (packages make that file when they are installed).
"""

import gzip
import lzma
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from powercut.checkers.kernel.errors import LabError

MODULES = (
    "virtio",
    "virtio_ring",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_blk",
    "crc16",
    "mbcache",
    "crc32c_generic",
    "crc32c-cryptoapi",
    "jbd2",
    "ext4",
)
"""Modules for a virtio disk with ext4, in an order in which most kernels can load them."""
_IMAGE_NAMES = ("vmlinuz", "bzImage")
_MAGIC, _MAGIC_AT = b"HdrS", 0x202
_DEB = ".deb"
_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Kernel:
    """What boots: where it is from, the image, and modules as (file name, content)."""

    place: str
    image: bytes
    modules: tuple[tuple[str, bytes], ...] = ()


_Read = Callable[[], bytes]


def find_kernel(place: Path) -> Kernel:
    """Return the kernel at ``place``.

    That is a bzImage, a ``.deb`` file, or a folder that holds an unpacked kernel package or
    ``.deb`` files.  Raises :class:`LabError` where there is none, or more than one.
    """
    if not place.exists():
        raise LabError(str(place), "no such file or folder; give a bzImage, a folder or a .deb")
    if place.is_file() and place.suffix != _DEB:
        return Kernel(str(place), _checked(place, _read(place)))
    images: dict[str, bytes] = {}
    modules: dict[str, bytes] = {}
    for name, read in _files(place):
        base = name.name.partition(".ko")[0]
        if name.name.startswith(_IMAGE_NAMES) and "." not in name.suffix[:0]:
            images[str(name)] = read()
        elif ".ko" in name.name and base in MODULES:
            modules[base] = _unpacked(place, name, read())
    if len(images) != 1:
        found = ", ".join(sorted(images)) or "none"
        raise LabError(
            str(place), f"one kernel image is needed, found {found}; give its own folder"
        )
    (image,) = images.values()
    ordered = (
        (f"{n:02}-{name}.ko", modules[name]) for n, name in enumerate(MODULES) if name in modules
    )
    return Kernel(str(place), _checked(place, image), tuple(ordered))


def _files(place: Path) -> Iterator[tuple[PurePosixPath, _Read]]:
    """Yield the regular files of a folder or of packages, each with what reads it."""
    packages = [place] if place.is_file() else sorted(place.glob(f"*{_DEB}"))
    for package in packages:
        yield from _members(package)
    if packages:
        return
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield PurePosixPath(path), lambda path=path: _read(path)  # type: ignore[misc]


def _members(package: Path) -> Iterator[tuple[PurePosixPath, _Read]]:
    tool = shutil.which("dpkg-deb")
    if tool is None:
        raise LabError(
            str(package), "dpkg-deb is not installed; unpack the package, give the folder"
        )
    command = [tool, "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reader:
        assert reader.stdout is not None
        try:
            with tarfile.open(fileobj=reader.stdout, mode="r|") as archive:
                for member in archive:
                    if member.isfile():
                        content = archive.extractfile(member)
                        assert content is not None
                        yield PurePosixPath(member.name), content.read
        except tarfile.TarError as error:
            raise LabError(str(package), f"not a readable package: {error}") from None
        finally:
            reader.kill()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LabError(str(path), f"cannot be read: {error.strerror or error}") from None


def _checked(place: Path, image: bytes) -> bytes:
    if image[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] != _MAGIC:
        raise LabError(str(place), "no x86 kernel that boots (bzImage); give vmlinuz, not vmlinux")
    return image


def _unpacked(place: Path, name: PurePosixPath, content: bytes) -> bytes:
    """Return a module as the kernel loads it."""
    try:
        if name.suffix == ".xz":
            return lzma.decompress(content)
        if name.suffix == ".gz":
            return gzip.decompress(content)
    except (OSError, lzma.LZMAError) as error:
        raise LabError(f"{place}: {name}", f"damaged: {error}") from None
    return _unzstd(place, name, content) if name.suffix == ".zst" else content


def _unzstd(place: Path, name: PurePosixPath, content: bytes) -> bytes:
    tool = shutil.which("zstd")
    if tool is None:
        raise LabError(f"{place}: {name}", "zstd is not installed; install it to read this module")
    done = subprocess.run(
        [tool, "-dqc"], input=content, capture_output=True, check=False, timeout=_TIMEOUT_SECONDS
    )
    if done.returncode:
        raise LabError(f"{place}: {name}", "damaged; zstd cannot read it")
    return done.stdout
