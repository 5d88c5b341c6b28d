"""A device's content as a base image, which nobody changes, and the pages that differ from it.

Why so: crash states of one log differ in a few blocks of 64 MiB.  A page is written by replacing
it, so a copy of a medium copies a dictionary, and the fingerprint of a whole content is kept up to
date page by page.
Rejected: one array changed in place (a subset of writes would have to be taken back), a hash over
everything (a state would cost what reading the image costs).
"""

import mmap
from hashlib import blake2b
from pathlib import Path

from powercut.checkers.kernel.errors import LabError

PAGE_BYTES = 4096
_ZEROS = bytes(PAGE_BYTES)


class BaseImage:
    """The image that everything starts from; pages are read when they are needed, and kept."""

    def __init__(self, content: bytes | mmap.mmap) -> None:
        self._content = content
        self.size_bytes = len(content)
        self._pages: dict[int, bytes] = {}
        self._prints: dict[int, int] = {}

    @classmethod
    def of_file(cls, path: Path) -> "BaseImage":
        """Map the file at ``path``.  Raises :class:`LabError`."""
        try:
            with path.open("rb") as file:
                return cls(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            text = f"cannot be read: {reason}; give the image the log starts from"
            raise LabError(str(path), text) from None

    def page(self, number: int) -> bytes:
        """Return a page; behind the end there are zeros."""
        found = self._pages.get(number)
        if found is None:
            found = bytes(self._content[number * PAGE_BYTES : (number + 1) * PAGE_BYTES])
            found = self._pages[number] = found.ljust(PAGE_BYTES, b"\0")
        return found

    def print_of(self, number: int) -> int:
        """Return the fingerprint of a page."""
        found = self._prints.get(number)
        if found is None:
            found = self._prints[number] = _print(number, self.page(number))
        return found


class Medium:
    """The content of a device: the base image under the pages that were written."""

    def __init__(self, base: BaseImage) -> None:
        self.base = base
        self.pages: dict[int, bytes] = {}
        self.fingerprint = 0
        """Equal for equal contents, different (but for a chance of 2^-128) for different ones."""

    def copy(self) -> "Medium":
        """Return a medium of the same content that can be changed by itself."""
        other = Medium(self.base)
        other.pages = dict(self.pages)
        other.fingerprint = self.fingerprint
        return other

    def page(self, number: int) -> bytes:
        """Return the page with this number."""
        found = self.pages.get(number)
        return self.base.page(number) if found is None else found

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from byte ``offset`` on."""
        number, inside = divmod(offset, PAGE_BYTES)
        if inside + length <= PAGE_BYTES:
            page = self.page(number)
            return page if length == PAGE_BYTES else page[inside : inside + length]
        last = (offset + length - 1) // PAGE_BYTES
        joined = b"".join(self.page(n) for n in range(number, last + 1))
        return joined[inside : inside + length]

    def write(self, offset: int, data: bytes) -> None:
        """Replace what is there from byte ``offset`` on."""
        position = 0
        while position < len(data):
            number, inside = divmod(offset + position, PAGE_BYTES)
            piece = data[position : position + PAGE_BYTES - inside]
            if len(piece) < PAGE_BYTES:
                page = self.page(number)
                piece_end = inside + len(piece)
                piece, length = page[:inside] + piece + page[piece_end:], len(piece)
            else:
                length = PAGE_BYTES
            self._put(number, piece)
            position += length

    def erase(self, offset: int, length: int) -> None:
        """Put zeros there, as a discard does where the log is taken."""
        end = offset + length
        while offset < end:
            step = min(end - offset, PAGE_BYTES - offset % PAGE_BYTES)
            self.write(offset, _ZEROS[:step])
            offset += step

    def whole(self) -> bytes:
        """Return everything, as a file would hold it."""
        content = bytearray(self.base.size_bytes)
        for number in range(-(-self.base.size_bytes // PAGE_BYTES)):
            page = self.page(number)
            if page != _ZEROS:
                start = number * PAGE_BYTES
                content[start : start + PAGE_BYTES] = page
        return bytes(content[: self.base.size_bytes])

    def _put(self, number: int, page: bytes) -> None:
        old = self.pages.get(number)
        if old == page:
            return
        base = self.base.page(number)
        if old is not None:
            self.fingerprint ^= _print(number, old) ^ self.base.print_of(number)
        if page == base:
            self.pages.pop(number, None)
            return
        self.fingerprint ^= _print(number, page) ^ self.base.print_of(number)
        self.pages[number] = page


def _print(number: int, page: bytes) -> int:
    digest = blake2b(page, digest_size=16, salt=number.to_bytes(16, "little"))
    return int.from_bytes(digest.digest())
