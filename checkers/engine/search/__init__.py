"""Searches: every way to go through the states of a system, behind one protocol."""
