"""Tests of powercut."""
