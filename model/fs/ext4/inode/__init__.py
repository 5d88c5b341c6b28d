"""The kernel's fs/ext4/inode.c, by subject: it has seven thousand lines there."""
