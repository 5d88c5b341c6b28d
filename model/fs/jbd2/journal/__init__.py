"""The kernel's fs/jbd2/journal.c: requests to commit, and the thread that serves them."""
