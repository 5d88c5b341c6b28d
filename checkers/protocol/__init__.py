"""Checks a protocol of the user's own: the engine with nothing of ext4 around it."""
