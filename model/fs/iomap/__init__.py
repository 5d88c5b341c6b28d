"""The file system independent part of the iomap path: the kernel's fs/iomap/."""
