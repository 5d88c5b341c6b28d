"""What must hold: properties of states and of crash images, and the runs that check them."""
