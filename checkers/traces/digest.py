"""Which model a trace was made with: a digest over the sources of the ``model`` package.

Why so: a trace that no longer replays is either a fixed model or a broken one, and the first
question is whether the model changed at all.
Rejected: the project's version (it stays the same while the model is edited) and the commit (a
trace may come from an uncommitted tree).
"""

import hashlib
from functools import cache
from pathlib import Path

from powercut import model

_DIGEST_BYTES = 16


@cache
def model_digest() -> str:
    """Return the digest of this model's sources, see :func:`digest_of`."""
    return digest_of(Path(model.__file__).parent)


def digest_of(folder: Path) -> str:
    """Return the blake2b digest, in hex, of every Python file below ``folder``, sorted by name."""
    sources = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")}
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for name in sorted(sources):
        content = sources[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
