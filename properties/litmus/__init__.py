"""Litmus tests as data: the ``*.litmus`` files that come with powercut."""
