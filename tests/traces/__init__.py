"""Tests of trace files: reading, writing, replaying, drawing."""
