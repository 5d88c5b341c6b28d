"""Changes of the model as patch files: applied to the text for one run, woven for all of them.

:mod:`.patch` reads and applies a patch, :mod:`.weave` puts many into one tree under a switch,
:mod:`.program` makes a program of patched sources.
"""
