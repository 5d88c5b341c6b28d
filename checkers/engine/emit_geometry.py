"""The part of the C text that depends on the array sizes: sizes, tables, who runs where.

The steps read ``pc_geometry`` and the tables of struct addresses.  In one translation unit the
compiler makes plain constants of them again; a large program is compiled apart, once, and linked
with one of these for every geometry.
"""

from collections.abc import Sequence

from powercut.checkers.engine.layout import CONSTANT
from powercut.checkers.engine.system import Build
from powercut.checkers.engine.translation import Steps, Translation, run_head

_CHUNK = 32
"""The vector is stored in pieces of about this many bytes; see ``cengine/states.h``."""


def emit_geometry(build: Build, steps: Steps) -> str:
    """Return what ``steps`` and the searches need to know about one build."""
    layout = build.layout
    chunks = chunks_of(build)
    projected = layout.projected
    piece = chunks.index(projected.start) if projected.stop > projected.start else -1
    own = [t.frame for t in build.threads if not t.daemon]
    sizes = [build.size, layout.constant_size, layout.shared_size]
    sums = [build.value(text) for text in steps.sums]
    out = [
        f"#define PC_SIZE {build.size}",
        f"#define PC_CONSTANTS {layout.constant_size}",
        f"#define PC_THREADS {len(build.threads)}",
        f"#define PC_PIECES {len(chunks) - 1}",
        f"#define PC_PROJECTED_PIECE ({piece})",
        f"#define PC_PROJECTED_START {projected.start}",
        f"#define PC_PROJECTED_SIZE {projected.stop - projected.start}",
        f"#define PC_OWN {len(own)}",
        _array("static const", "uint32_t", "pc_piece", chunks),
        _array("PC_UNUSED static const", "uint32_t", "pc_own", own or [0]),
        _array("PC_UNUSED PC_SHARED const", "int32_t", "pc_geometry", [*sizes, *sums]),
    ]
    for name, kind in sorted(build.tables.items()):
        index = [-1] * (1 + (sizes[1] if kind.region == CONSTANT else sizes[2]))
        for number, offset in enumerate(kind.offsets):
            index[offset] = number
        out.append(_array("PC_UNUSED PC_SHARED const", "int32_t", f"A_{name}", kind.offsets or [0]))
        out.append(_array("PC_UNUSED PC_SHARED const", "int16_t", f"N_{name}", index))
    return "\n".join(out) + "\n"


def emit_dispatch(build: Build) -> str:
    """Return the functions that call the steps and predicates of a build by number."""
    steps = [
        f"    case {index}: return run_{t.kind}(S, C, {t.frame}, {t.number});"
        for index, t in enumerate(build.threads)
    ]
    predicates = [
        f"    case {index}: return {name}(S, C);"
        for index, name in enumerate(build.predicate_names)
    ]
    out: list[str] = []
    for head, argument, cases in (
        ("int pc_step(unsigned t", "t", steps),
        ("int64_t pc_predicate(unsigned p", "p", predicates),
    ):
        out.append(f"static {head}, uint8_t *S, const uint8_t *C)\n{{\n    (void)S; (void)C;")
        out += [f"    switch ({argument}) {{", *cases, "    default: return 0;\n    }\n}"]
    return "\n".join(out) + "\n"


def emit_declarations(translation: Translation, *, of_steps: bool) -> str:
    """Return the declarations by which steps and geometry find each other when compiled apart."""
    if of_steps:
        heads = [
            *(run_head(kind) for kind in translation.frames),
            *(
                f"int64_t {name}(uint8_t *S, const uint8_t *C)"
                for name in dict.fromkeys(translation.predicate_names)
            ),
        ]
        return "".join(f"PC_SHARED {head};\n" for head in heads)
    tables = ["int32_t pc_geometry[]"]
    for name in sorted(translation.tables):
        tables += [f"int32_t A_{name}[]", f"int16_t N_{name}[]"]
    return "".join(f"extern PC_SHARED const {table};\n" for table in tables)


def emit_c(build: Build) -> str:
    """Return all of it as one piece.  Raises :class:`LanguageError` where only Python can run."""
    steps = build.translation.steps()
    return emit_geometry(build, steps) + steps.text + emit_dispatch(build)


def chunks_of(build: Build) -> list[int]:
    """Return where the pieces of a state start (its size last); the projection is one piece."""
    start, stop = build.layout.projected.start, build.layout.projected.stop
    cuts = {0, start, stop, build.layout.shared_size, build.size}
    for low, high in ((0, start), (stop, build.layout.shared_size)):
        pieces = max(1, round((high - low) / _CHUNK))
        cuts |= {low + (high - low) * n // pieces for n in range(pieces)}
    last = build.layout.shared_size
    for thread in build.threads:
        size = build.frames[thread.kind].size
        if thread.frame + size - last > _CHUNK // 3 and thread.frame > last:
            cuts.add(thread.frame)
            last = thread.frame
    return sorted(cuts)


def _array(storage: str, kind: str, name: str, values: Sequence[int]) -> str:
    return f"{storage} {kind} {name}[{len(values)}] = {{{', '.join(map(str, values))}}};"
