"""Scopes as data: the ``*.workload`` files of the situations that the default check explores.

Chosen so that every known violation shows in at least one of them, with files of 2 or 3 blocks and
2 cells a block, 1 or 2 blocks a folio, one or two mounts.  Threads are what costs (ten to twenty
times the states each), so a scope has few.
"""
