"""Kinds: what a violation shows beside its property, and what only the plain specification checks.

Why so: a known violation excuses one kind of one property, so that the files of findings, the
judges of random runs and the tests have to mean the same by a kind.
"""

OWN = "own"
MISPLACED = "misplaced"
PREVIOUS_OWNER = "previous-owner"
BEHIND_SIZE = "behind-size"
OWNED_TWICE = "owned-twice"
BITMAP = "bitmap"
SIZE = "size"
CONTENT = "content"
ANY_KIND = ""
KINDS = (OWN, MISPLACED, PREVIOUS_OWNER, BEHIND_SIZE, OWNED_TWICE, BITMAP, SIZE, CONTENT, ANY_KIND)

# What the reference machine calls its properties.
READ = "reference-read"
CRASH = "reference-crash"
GROWN = "reference-size"
REFERENCES = (READ, CRASH, GROWN)
