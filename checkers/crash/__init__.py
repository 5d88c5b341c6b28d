"""Crash images: what a power cut can leave, enumerated naively or cell by cell."""
