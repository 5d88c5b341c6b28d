"""What a terminal sees: streams, width, colour."""
