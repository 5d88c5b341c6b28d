"""What the engines are measured with; `python -m benchmarks` runs all of it."""
