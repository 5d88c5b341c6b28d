"""How it is checked: engine, crash images, runs, explanations, machines, locks, proofs."""
