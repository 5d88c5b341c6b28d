"""The engine: one restricted-coroutine source, run natively or compiled, and explored.

``layout`` lays the declared state out as bytes, ``language`` and ``graph`` turn the paths into a
control-flow graph, ``liveness`` and ``frames`` decide what survives a yield, ``emit_python`` turns
the graph into Python functions over flat ``bytes`` states; ``native`` runs the same source as
generators, the reference.  The explorers (``bfs``, ``dfs``, ``walk``, ``replay``) need only
:class:`~powercut.checkers.engine.system.System`.
"""
