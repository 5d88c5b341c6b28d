"""Proof: a protocol over any number of blocks, its invariant, its tie to the executable model."""
