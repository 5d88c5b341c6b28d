"""Tests of the engine on toy programs whose state spaces are known."""
