"""The kernel's fs/ext4/page-io.c: what submits a buffer, and what ends its I/O."""
