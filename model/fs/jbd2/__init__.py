"""The journal: the kernel's fs/jbd2/."""
