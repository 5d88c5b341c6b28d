"""Proof: a protocol over any number of blocks, its invariant, and its tie to the executable model."""
