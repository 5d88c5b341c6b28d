"""The library: the public names, and what they do."""
