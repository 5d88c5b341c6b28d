"""ext4: the kernel's fs/ext4/, a module or a folder for each file of it."""
