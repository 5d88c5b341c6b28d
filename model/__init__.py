"""What the kernel does: ext4's iomap writeback path, jbd2 and a disk, as executable paths.

Every kernel path is a generator that carries the name of the C function it mirrors.  The code
between two ``yield``s is one atomic step.  Nothing here knows how it is explored; only the standard
library is imported.
"""
