"""The engine: one restricted-coroutine source, run natively or compiled, and explored.

``layout`` lays the declared state out as bytes, ``language`` and ``graph`` turn the paths into a
control-flow graph, ``liveness`` and ``plan`` decide what survives a yield, ``emit_python`` and
``emit_c`` turn the graph into functions over flat ``bytes`` states; ``translation`` puts these
together and keeps them in the ``cache``.  ``native`` runs the same source as generators, the
reference.  The explorers (``bfs``, ``dfs``, ``walk``, ``replay``) need only
:class:`~powercut.checkers.engine.system.System`.
"""
