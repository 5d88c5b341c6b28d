"""Lock order from C source: a patch, a file or a tree, without building a kernel.

Why so: the order of a patch is visible in the patch, and a reviewer has nothing else.  tree-sitter
reads C that is incomplete and full of macros; what it does not understand is reported, not guessed.
Rejected: a compiler front end (it needs the whole kernel, configured, and refuses a hunk).
"""
