"""Explaining a run: what it rests on, what would have prevented it, the smallest one like it."""
