"""What the engines are measured with; `python -m benchmarks` runs all of it.

Only ratios within one run are promised: machines differ, and this one is noisy.  Every rate is the
best of several tries, for both sides of a ratio.
"""
