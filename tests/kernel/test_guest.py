"""Kernels, the first file system and the machine: with a QEMU that is a script, and without one."""

import gzip
import lzma
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from powercut.checkers.kernel.errors import LabError
from powercut.checkers.kernel.guest import initramfs, machine
from powercut.checkers.kernel.guest.kernels import MODULES, Kernel, find_kernel
from powercut.checkers.kernel.guest.machine import Boot, Console, End, Machine, missing_machine
from tests.kernel.machines import BZIMAGE

KERNEL = Kernel("here", BZIMAGE)


# ---- kernels ---------------------------------------------------------------------------------


def package(folder: Path) -> Path:
    """An unpacked kernel package."""
    modules = folder / "lib" / "modules" / "9.9" / "kernel"
    for place in (folder / "boot", modules):
        place.mkdir(parents=True)
    (folder / "boot" / "vmlinuz-9.9").write_bytes(BZIMAGE)
    (folder / "boot" / "config-9.9").write_text("CONFIG_EXT4_FS=m\n")
    (modules / "ext4.ko.xz").write_bytes(lzma.compress(b"ext4"))
    (modules / "jbd2.ko.gz").write_bytes(gzip.compress(b"jbd2"))
    (modules / "virtio_blk.ko").write_bytes(b"virtio_blk")
    (modules / "xfs.ko").write_bytes(b"xfs")
    return folder


EXPECTED = [
    (f"{MODULES.index(name):02}-{name}.ko", name.encode())
    for name in ("virtio_blk", "jbd2", "ext4")
]


def test_an_image_is_a_kernel_without_modules(tmp_path: Path) -> None:
    path = tmp_path / "anything"
    path.write_bytes(BZIMAGE)
    assert find_kernel(path) == Kernel(str(path), BZIMAGE)


def test_a_folder_holds_an_image_and_what_a_disk_with_ext4_needs(tmp_path: Path) -> None:
    kernel = find_kernel(package(tmp_path))
    assert kernel.image == BZIMAGE
    assert list(kernel.modules) == EXPECTED


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
def test_packages_are_read_without_being_unpacked(tmp_path: Path) -> None:
    root = package(tmp_path / "root")
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        "Package: k\nVersion: 1\nArchitecture: amd64\nMaintainer: n <n@n>\nDescription: d\n"
    )
    path = tmp_path / "debs" / "k.deb"
    path.parent.mkdir()
    subprocess.run(["dpkg-deb", "--build", str(root), str(path)], check=True, capture_output=True)
    for place in (path, path.parent):
        kernel = find_kernel(place)
        assert (kernel.image, list(kernel.modules)) == (BZIMAGE, EXPECTED)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(LabError, match="not a readable package"):
        find_kernel(path)


def test_what_is_no_kernel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no such file or folder"):
        find_kernel(tmp_path / "nowhere")
    with pytest.raises(LabError, match="found none"):
        find_kernel(tmp_path)
    elf = tmp_path / "vmlinux"
    elf.write_bytes(b"\x7fELF" + bytes(2000))
    with pytest.raises(LabError, match="give vmlinuz, not vmlinux"):
        find_kernel(elf)
    root = package(tmp_path / "two")
    (root / "boot" / "vmlinuz-8").write_bytes(BZIMAGE)
    with pytest.raises(LabError, match=r"vmlinuz-8.*vmlinuz-9\.9"):
        find_kernel(root)
    damaged = package(tmp_path / "damaged")
    (damaged / "lib" / "modules" / "9.9" / "kernel" / "ext4.ko.xz").write_bytes(b"no xz")
    with pytest.raises(LabError, match=r"ext4\.ko\.xz: damaged"):
        find_kernel(damaged)


# ---- the first file system -------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_the_archive_is_one_that_cpio_reads(tmp_path: Path) -> None:
    content = initramfs.archive({"init": b"12345", "d/x": b""}, folders=("d",))
    command = ["cpio", "-idm", "--no-absolute-filenames", "--quiet"]
    subprocess.run(command, input=content, cwd=tmp_path, check=True)
    assert (tmp_path / "init").read_bytes() == b"12345"
    assert os.access(tmp_path / "init", os.X_OK)
    assert (tmp_path / "d" / "x").read_bytes() == b""


def test_the_first_process_has_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    if missing_machine().startswith("no C compiler"):
        pytest.skip("no C compiler")
    monkeypatch.setattr(initramfs, "_FLAGS", (*initramfs._FLAGS, "-Werror", "-O0"))
    try:
        program = initramfs.guest_program.__wrapped__()
    except LabError as error:
        assert "libc" in str(error)  # noqa: PT017
        pytest.skip("no static C library")
    assert program[:4] == b"\x7fELF"


# ---- the machine -----------------------------------------------------------------------------


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in QEMU's place; its text is what a test writes there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / machine.QEMU
    path.touch(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(initramfs, "guest_program", lambda: b"init")
    return path


def boot(qemu: Path, text: str, *, limit: float = 20.0, kvm: bool = False) -> Console:
    """Boot a script; ``$N`` in it counts the boots."""
    count = qemu.with_name("count")
    count.write_text("0")
    head = f"#!/bin/sh\nN=$(($(cat {count}) + 1)); echo $N >{count}\n"
    qemu.write_text(head + text)
    folder = qemu.parent
    (folder / "image").write_bytes(bytes(512))
    ready = Machine(["kvm", "tcg"] if kvm else ["tcg"])
    return ready.boot(Boot(KERNEL, "look 0 0\n", folder / "image", folder / "log", limit))


HEAD = 'echo "powercut: kernel 9.9"; echo "powercut: mounted"; '


@pytest.mark.parametrize(
    ("text", "end", "reason"),
    [
        (HEAD + 'echo "powercut: done"; sleep 60', End.DONE, "powercut: done"),
        (HEAD + 'echo "powercut: failed: mount: EIO"; sleep 60', End.FAILED, "mount: EIO"),
        (HEAD + 'echo "[1] Kernel panic - not syncing: x"; sleep 60', End.PANIC, "Kernel panic"),
        (HEAD + 'printf "the last words"', End.DIED, "the last line: the last words"),
    ],
)
def test_how_a_boot_ends(qemu: Path, text: str, end: End, reason: str) -> None:
    console = boot(qemu, text)
    assert console.end is end
    assert reason in console.reason
    assert (console.kernel, console.is_mounted) == ("9.9", True)


def test_a_guest_that_hangs_is_ended_with_all_that_it_started(qemu: Path, tmp_path: Path) -> None:
    begun = time.monotonic()
    alive = tmp_path / "alive"
    console = boot(qemu, HEAD + f"(sleep 3; touch {alive}) & sleep 60", limit=0.5)
    assert console.end is End.LIMIT
    assert time.monotonic() - begun < 30
    time.sleep(3.2)
    assert not alive.exists()


def test_a_kernel_that_dies_before_it_mounts_is_booted_again(qemu: Path) -> None:
    text = f'[ $N -lt 3 ] && {{ echo "Oops: int3"; exit 1; }}\n{HEAD}echo "powercut: done"'
    assert boot(qemu, text).end is End.DONE
    assert qemu.with_name("count").read_text() == "3\n"
    assert boot(qemu, "echo x").end is End.DIED
    assert qemu.with_name("count").read_text() == f"{machine.MOST_BOOTS}\n"


def test_kvm_that_does_not_work_is_left(qemu: Path) -> None:
    broken = 'case "$*" in *"-accel kvm"*) echo "KVM internal error"; exit 1;; esac\n'
    text = f'{broken}{HEAD}echo "powercut: done"'
    console = boot(qemu, text, kvm=True)
    assert (console.end, console.accelerator) == (End.DONE, "tcg")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install the package qemu-system-x86" in missing_machine()
    with pytest.raises(LabError, match="no C compiler"):
        initramfs.guest_program.__wrapped__()
    monkeypatch.setattr(initramfs, "guest_program", lambda: b"init")
    boot = Boot(KERNEL, "", tmp_path / "image", tmp_path / "log")
    with pytest.raises(LabError, match="not installed"):
        Machine(["tcg"]).boot(boot)
