"""The front door: command line, reports and the crash-point explorer."""
