"""One mounted file system, closed: where every run starts, steps, cuts the power and goes on.

What: the compiled system of one mount of a scope with the disk it was mounted from.  States are
``bytes`` and a :class:`Mount` never changes, so a search, a replay and a person who goes back and
forth use the same one; only the native twin runs on its own.
Why so: everything that runs the model has to mount, step, decode what a power cut leaves and make
the next disk in the same way.  The independent :mod:`~powercut.checkers.audit` does all that again.
Rejected: a mount that holds its present state (an object a state, and searches have millions).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

from powercut.checkers.crash.image import decode, file_images
from powercut.checkers.engine.errors import STEP_ERRORS, DeclarationError, LanguageError
from powercut.checkers.engine.frames import Place
from powercut.checkers.engine.native import NativeRun
from powercut.checkers.engine.system import Build, Predicate, System, ThreadInfo
from powercut.checkers.run.faults import failure_of, patch_fault, place_in_model
from powercut.checkers.run.question import Question
from powercut.checkers.weave.errors import PatchError
from powercut.checkers.weave.patch import ModelPatch
from powercut.checkers.weave.program import model_with, mutant_patch
from powercut.model.designs import Design
from powercut.model.fs.iomap.buffered_io.read import device_colour, is_absent
from powercut.model.kernel.tasks import PROGRAM
from powercut.model.language import Variants
from powercut.model.mutants import Mutant
from powercut.model.recovery import Disk, canonical, mkfs
from powercut.model.scope import Scope
from powercut.model.setup import configure, dimensions, mount_disk
from powercut.properties.catalog import PREDICATES, SITUATIONS, STATE_PROPERTIES
from powercut.properties.crash_state import CrashState


@dataclass(frozen=True, slots=True)
class Epoch:
    """One mount of a run: the disk it started from, thread indexes in order, what a crash left.

    ``crash`` is ``None`` where the power did not fail.
    """

    start: Disk
    schedule: tuple[int, ...]
    crash: Disk | None


@lru_cache(maxsize=32)
def build_for(
    dims: tuple[tuple[str, int], ...],
    *,
    checked: bool = False,
    patches: tuple[ModelPatch, ...] = (),
    variants: Variants | None = None,
) -> Build:
    """Compile the model for the given array sizes; repeated calls share the build.

    Raises :class:`PatchError` for patches that leave the model's language.
    """
    if variants is not None:
        program = replace(PROGRAM, variants=variants)
        return Build(program, dict(dims), PREDICATES, checked=checked, hurried=True)
    try:
        return Build(model_with(patches), dict(dims), PREDICATES, checked=checked)
    except (LanguageError, DeclarationError) as error:
        if not patches:
            raise
        names = ", ".join(patch.name for patch in patches)
        raise PatchError(names, "", error.message, "see docs/engine.md") from None


def build_of(
    scope: Scope,
    number: int,
    *,
    checked: bool = False,
    patches: tuple[ModelPatch, ...] = (),
    variants: Variants | None = None,
) -> Build:
    """Return the compiled model for mount ``number`` (from 0) of ``scope``.

    With ``patches`` it is the model with exactly these changes, without the mutants; with
    ``variants`` the model with these.
    """
    dims = dimensions(scope, scope.mounts[number])
    key = tuple(sorted(dims.items()))
    return build_for(key, checked=checked, patches=patches, variants=variants)


def build_asked(question: Question, number: int, *, checked: bool = False) -> Build:
    """Return the compiled model that ``question`` is about, for mount ``number`` (from 0)."""
    return build_of(
        question.scope,
        number,
        checked=checked,
        patches=changes_of(question),
        variants=question.variants,
    )


class Changed(Protocol):
    """What is asked about a model: a question, or the set-up of a run that is drawn."""

    @property
    def mutant(self) -> Mutant | None:
        """The mistake that is planted."""

    @property
    def patches(self) -> tuple[ModelPatch, ...]:
        """The user's changes."""


def changes_of(question: Changed) -> tuple[ModelPatch, ...]:
    """Return the texts that the model of ``question`` has been changed by, if it is not ours.

    Our own mutants are woven into our own model; over a user's patch a mutant is one patch more.
    """
    mutant = question.mutant
    if not question.patches or mutant is None:
        return question.patches
    return (*question.patches, mutant_patch(mutant))


@lru_cache(maxsize=64)
def _system_of(
    build: Build,
    design: Design,
    scope: Scope,
    mutant: Mutant | None,
    number: int,
    observes_calls: bool,
) -> System:
    """Return a system that nobody may reconfigure: the mounts of equal questions share it."""
    constants = _constants(build, design, scope, mutant, number, observes_calls=observes_calls)
    return System(build, constants, _variables(build, constants, mkfs(scope), scope))


def _constants(
    build: Build,
    design: Design,
    scope: Scope,
    mutant: Mutant | None,
    number: int,
    *,
    observes_calls: bool,
) -> bytes:
    constants = bytearray(build.layout.constant_size)
    conf = build.layout.view(bytearray(build.layout.shared_size), constants).conf
    planted = mutant.number if mutant else 0
    mount = scope.mounts[number]
    configure(conf, scope, mount, design, planted, observes_calls=observes_calls)
    return bytes(constants)


def _explain_start(
    patches: Sequence[ModelPatch],
    build: Build,
    design: Design,
    scope: Scope,
    mutant: Mutant | None,
    number: int,
    observes_calls: bool,
    disk: Disk | None,
) -> None:
    """Start the threads natively.  Raises :class:`PatchError` with the line where one fails."""
    constants = _constants(build, design, scope, mutant, number, observes_calls=observes_calls)
    variables = _variables(build, constants, disk or mkfs(scope), scope)
    try:
        NativeRun(build, constants, variables)
    except (AssertionError, *STEP_ERRORS) as error:
        raise patch_fault(patches, place_in_model(error), failure_of(error)) from None


_LENT: dict[Build, System] = {}


def _lent_system(build: Build, question: Question, number: int) -> System:
    """Return the one system of ``build``, with the constants of this mount until the next call.

    A system takes thirty milliseconds, and a question about one of many variants not much more.
    """
    scope, mutant = question.scope, question.mutant
    constants = _constants(build, question.design, scope, mutant, number, observes_calls=False)
    if build not in _LENT:
        if len(_LENT) > _MOST_LENT:
            _LENT.clear()
        _LENT[build] = System(build, constants, _variables(build, constants, mkfs(scope), scope))
    _LENT[build].reconfigure(constants)
    return _LENT[build]


_MOST_LENT = 64


def _variables(build: Build, constants: bytes, disk: Disk, scope: Scope) -> bytes:
    variables = bytearray(build.layout.shared_size)
    mount_disk(build.layout.view(variables, constants), disk, scope)
    return bytes(variables)


def predicates_of(system: System) -> tuple[dict[str, Predicate], dict[str, Predicate]]:
    """Return the compiled state properties and situations of ``system`` by name."""
    names = (*STATE_PROPERTIES, *SITUATIONS)
    by_name = dict(zip(names, system.predicates, strict=True))
    return (
        {name: by_name[name] for name in STATE_PROPERTIES},
        {name: by_name[name] for name in SITUATIONS},
    )


class Mount:
    """``system`` mounted from ``disk``; ``start`` is its first state, of the variables it got.

    A state is given to every method; none is kept.
    """

    def __init__(self, system: System, scope: Scope, disk: Disk) -> None:
        self.system = system
        self.scope = scope
        self.disk = disk
        self.threads: Sequence[ThreadInfo] = system.threads
        self.variables = self.variables_of(disk)
        self.start = system.start(self.variables)

    @classmethod
    def of(
        cls, question: Question, number: int = 0, disk: Disk | None = None, *, checked: bool = False
    ) -> "Mount":
        """Return mount ``number`` (from 0) of what ``question`` is about, by default from mkfs.

        Where the question has an observation, a crash keeps which calls had returned and what the
        syncs said.  ``checked`` checks the range of every store and index.  Raises
        :class:`PatchError` where a thread of a patched model fails before its first point.
        """
        scope = question.scope
        if question.variants is not None:
            build = build_asked(question, number, checked=checked)
            system = _lent_system(build, question, number)
            return cls(system, scope, mkfs(scope) if disk is None else disk)
        build = build_asked(question, number, checked=checked)
        observes_calls = question.observation is not None
        what = (build, question.design, scope, question.mutant, number, observes_calls)
        try:
            return cls(_system_of(*what), scope, mkfs(scope) if disk is None else disk)
        except STEP_ERRORS:
            if question.patches:
                _explain_start(question.patches, *what, disk)
            raise

    def variables_of(self, disk: Disk) -> bytes:
        """Return the variables of a fresh mount of ``disk``."""
        return _variables(self.system.build, self.system.constants, disk, self.scope)

    def start_from(self, disk: Disk) -> bytes:
        """Return the first state of a mount of another disk."""
        return self.system.start(self.variables_of(disk))

    # Stepping

    def is_enabled(self, state: bytes, thread: int) -> bool:
        """Tell whether ``thread`` can take a step."""
        return self.system.is_enabled(state, thread)

    def enabled(self, state: bytes) -> list[int]:
        """Return the threads that can take a step, in order."""
        return self.system.enabled(state)

    def unfinished(self, state: bytes) -> list[int]:
        """Return the threads, but for daemons, that have not returned."""
        return self.system.unfinished(state)

    def step(self, state: bytes, thread: int) -> bytes:
        """Return the state after a step of ``thread``, which must be enabled.

        Raises what a wrong model raises (``STEP_ERRORS``).
        """
        return self.system.step(state, thread)

    def place(self, state: bytes, thread: int) -> Place:
        """Return where in the source ``thread`` is parked."""
        return self.system.place(state, thread)

    def view(self, state: bytes) -> Any:
        """Return the variables of ``state`` as the declared root object (a copy)."""
        return self.system.view(state)

    def native(self, memory: Callable[[bytes], bytearray] = bytearray) -> NativeRun:
        """Return a run of the same mount by the model itself, at its start."""
        return NativeRun(self.system.build, self.system.constants, self.variables, memory)

    def read_files(self, state: bytes) -> list[tuple[int, tuple[int, ...]]]:
        """Return what read(2) shows of every file now: size and colours, in cells."""
        k = self.view(state)
        return [self._read(k, k.inode[i]) for i in range(self.scope.geometry.nr_inodes)]

    def _read(self, k: Any, inode: Any) -> tuple[int, tuple[int, ...]]:
        """Read a file: absent blocks come off the disk."""
        colours = []
        for cell in range(inode.i_size):
            block, c = divmod(cell, self.scope.geometry.cells_per_block)
            absent = is_absent(k, inode, block)
            colours.append(device_colour(k, inode, block, c) if absent else inode.page[cell])
        return inode.i_size, tuple(colours)

    # Crashing

    def crash(self, state: bytes) -> CrashState:
        """Return what a power cut in ``state`` (or with these variables) can leave."""
        return self.crash_of(state[self.system.projected])

    def crash_of(self, projection: bytes) -> CrashState:
        """Return what a power cut can leave of a state with this projection."""
        return decode(self.system.build.layout, projection, self.scope.geometry)

    def cached(self, state: bytes) -> list[int]:
        """Return what a flush of the device would persist, a colour set for each physical cell."""
        cached = self.view(state).device.cached
        return [cached[cell] for cell in range(len(cached))]

    def images(self, state: bytes) -> Iterator[Disk]:
        """Yield the images a power cut in ``state`` can leave, as far as a reader can tell."""
        return file_images(self.crash(state))

    def next_disk(self, image: Disk) -> Disk:
        """Return the disk that the next mount starts from if this one leaves ``image``."""
        return canonical(image, self.scope.geometry)

    def next_disks(self, crash: CrashState) -> Iterator[tuple[Disk, Disk]]:
        """Yield, for every image of ``crash``, the image and the disk of the next mount."""
        for image in file_images(crash):
            yield image, self.next_disk(image)
