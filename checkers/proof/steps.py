"""Every step of the protocol by name, with the kinds and sorts of its parameters.

What: one table over ``protocol`` (calls and writeback), ``journal`` and ``fsync``.
Why so: obligations, finite searches and the bridge go through the steps, each in its own way.
Rejected: a decorator that registers steps (the order of the table is the order of the reports).
"""

from powercut.checkers.proof import fsync, journal, protocol
from powercut.checkers.proof.protocol import Step
from powercut.checkers.proof.state import BOOL, CELL, INT, PHYS, SCALAR

_INT = (SCALAR, INT)
_BOOL = (SCALAR, BOOL)
_SET = (CELL, BOOL)
_ALLOWED = {"allowed": _INT}
_COMPLETE = {"cells": _SET, "error": _BOOL, "hit": _SET, "inline": _BOOL}
_ONE = {"one": _INT, "cells": _SET}
STEPS: dict[str, Step] = {
    name: Step(name, (take.__doc__ or "").split("\n")[0], params, take)
    for name, take, params in (
        ("begin_extension", protocol.begin_extension, {}),
        ("end_extension", protocol.end_extension, {}),
        ("zero_eof", protocol.zero_eof, {"mark": _SET, "dirt": _SET}),
        ("write", protocol.write, {"start": _INT, "stop": _INT, "colour": _BOOL, "dirt": _SET}),
        ("store", protocol.store, {"at": _INT, "colour": _BOOL, "dirt": _SET}),
        ("zero_behind_eof", protocol.zero_behind_eof, {"cells": _SET, "drop": _SET, "dirt": _SET}),
        ("truncate_up", protocol.truncate_up, {"size": _INT, **_ALLOWED}),
        ("truncate_begin", protocol.truncate_begin, {"size": _INT}),
        ("truncate_sizes", protocol.truncate_sizes, _ALLOWED),
        ("truncate_remove", protocol.truncate_remove, {}),
        (
            "allocate",
            protocol.allocate,
            {"cells": _SET, "place": (CELL, INT), "owner": (PHYS, INT), "last": _INT},
        ),
        ("build", protocol.build, {"cells": _SET, "end": _INT}),
        ("submit", protocol.submit, {"cells": _SET, "end": _INT, "orders": _BOOL}),
        ("complete", protocol.complete, _COMPLETE),
        ("take_list", protocol.take_list, {"cells": _SET}),
        ("merge", protocol.merge, {"cells": _SET, "other": _INT, "orders": _BOOL}),
        ("convert", protocol.convert, _ONE),
        ("finish", protocol.finish, {**_ONE, **_ALLOWED, "skip": _BOOL}),
        ("give_up", protocol.give_up, {"cells": _SET}),
        ("discard", protocol.discard, {"cells": _SET}),
        ("freeze", journal.freeze, {}),
        ("preflush", journal.preflush, {}),
        ("record", journal.record, {}),
        ("committed", journal.committed, {}),
        ("give_back", journal.give_back, {}),
        ("flush", journal.flush, {}),
        ("touch", journal.touch, {}),
        ("sync_begin", fsync.sync_begin, {}),
        ("sync_written", fsync.sync_written, {}),
        ("sync_flush", fsync.sync_flush, {}),
        ("sync_return", fsync.sync_return, {}),
    )
}
