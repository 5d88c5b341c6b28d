"""Lock order and waits: one graph form for the model, C source and real kernels.

Why so: three independent sources are only worth something if they can be laid over each other, so
each of them is turned into the same :class:`~powercut.checkers.locks.graph.LockGraph` and
everything after that (cycles, documented orders, comparison, pictures) does not know where a graph
came from.
"""
