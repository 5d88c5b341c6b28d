"""The block layer and the device below it."""
