"""What must hold: statements about states and crash images, the catalogue, litmus tests."""
