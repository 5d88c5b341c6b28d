"""Findings as data: one TOML file a finding, and what reads them.

What each design is known to violate, where exhaustive runs reach it, which counterexample is kept,
what it rests on, and whether a kernel showed it.  The stories are in docs/findings.md.
"""
