"""The kernel's fs/iomap/ioend.c: ioends before their bio, and after it."""
