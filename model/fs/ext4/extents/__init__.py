"""The kernel's fs/ext4/extents.c: the tree below completion, fallocate above writeback."""
