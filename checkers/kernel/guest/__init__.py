"""A real kernel in a virtual machine: what it boots from, what runs in it, what it says."""
