"""The C engine against the Python engine, native generators and SPIN."""
