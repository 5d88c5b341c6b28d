"""How the model is checked: the engine, crash images, lock graphs, proofs and traces."""
