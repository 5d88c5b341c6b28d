"""File systems and what they share: the kernel's fs/."""
