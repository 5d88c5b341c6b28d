"""Tests of the workload readers."""
