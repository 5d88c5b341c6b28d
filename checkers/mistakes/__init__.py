"""Mistakes made by rule: what a developer could get wrong in any line, and whether anybody notices.

:mod:`.operators` say what can go wrong with a statement, :mod:`.generate` makes a patch of each,
:mod:`.batch` puts many into one program, :mod:`.coverage` says which runs execute them,
:mod:`.judge` runs these until one of them notices, :mod:`.score` counts.
"""
