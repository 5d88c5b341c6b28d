"""Where a model fails, in words: a step, a wait or a start that raises what it should not.

Why so: whoever changed the model by a patch has to correct the patch, so the failure has to name
the patch and the line.  A model without a patch that fails where nothing is judged is a bug of
powercut.
Rejected: the compiled model's own traceback (all of its text is one line).
"""

import traceback
from collections.abc import Sequence

from powercut.checkers.weave.errors import PatchError
from powercut.checkers.weave.patch import ModelPatch

_MODEL = "powercut.model."
_REMEDY = "correct the patch: a step of the changed model fails there"


def place_in_model(error: BaseException) -> str:
    """Return file and line of the model where ``error`` was raised; empty if not in the model."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith(_MODEL):
            file = name.removeprefix("powercut.").replace(".", "/")
            place = f"{file}.py:{line}"
    return place


def failure_of(error: BaseException) -> str:
    """Say in one line what failed, and where in the model if the error does not say."""
    text = " ".join(str(error).split())
    kind = "assertion failed" if isinstance(error, AssertionError) else type(error).__name__
    if text:
        return f"{kind}: {text}"
    places = traceback.extract_tb(error.__traceback__)
    return f"{kind}: {places[-1].line} in {places[-1].name}()" if places else kind


def patch_fault(patches: Sequence[ModelPatch], at: str, failure: str) -> PatchError:
    """Return the error that names ``patches``, the place ``at`` in the model, and the failure."""
    names = ", ".join(patch.name for patch in patches)
    return PatchError(names, at, failure, _REMEDY)
