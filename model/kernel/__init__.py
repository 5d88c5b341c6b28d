"""What every path stands on: locks and waits, and the threads that run the paths."""
