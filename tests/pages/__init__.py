"""Tests of the page of a trace."""
