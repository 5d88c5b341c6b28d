"""Mistakes made by rule: the operators, the patches, who judges them, and the score."""
