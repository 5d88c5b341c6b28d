"""The kernel's fs/iomap/buffered-io.c, by subject: read, write, writeback."""
