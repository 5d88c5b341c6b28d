"""Tests of the sweep: what a level contains, what a row says, what is kept."""
