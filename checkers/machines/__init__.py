"""Random search with Hypothesis: state machines over the model, for what is too big to exhaust."""
