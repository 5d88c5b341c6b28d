"""The page cache, as the kernel's mm/ has it."""
