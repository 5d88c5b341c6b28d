"""The crash-point explorer: walk a run, cut the power, choose what survives, see the file.

:mod:`.session` is the walk, :mod:`.views` what there is to see at a point, as data, :mod:`.panes`
the same as text, :mod:`.commands` the command language, :mod:`.shell` its input and output.
"""
