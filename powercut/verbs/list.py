"""``powercut list``: what there is to choose from, and where the kernel paths are."""

import importlib
import inspect
import pkgutil
import sys
from dataclasses import dataclass
from pathlib import Path

from powercut import model
from powercut.checkers.workload import format_op
from powercut.checkers.workload.shipped import SCOPES
from powercut.documents.document import print_document
from powercut.documents.list import (
    ListDocument,
    ListedDesign,
    ListedMount,
    ListedMutant,
    ListedPath,
    ListedProperty,
    ListedScope,
    ListedSituation,
    listed,
)
from powercut.errors import HOLDS
from powercut.model.designs import DEFAULT_DESIGNS, DESIGNS
from powercut.model.mutants import MUTANTS, Mutant
from powercut.model.scope import Op, Scope
from powercut.properties.catalog import PROPERTIES, SITUATIONS, Property
from powercut.properties.findings.loader import shipped
from powercut.terminal.style import Style
from powercut.verbs.options import ListOptions


@dataclass(frozen=True, slots=True)
class KernelPath:
    """A generator function of the model: it mirrors a function of the kernel, or a thread."""

    function: str
    file: str
    line: int
    summary: str


def kernel_paths() -> list[KernelPath]:
    """Return every path of the model, by file and line."""
    root = Path(model.__file__).parent
    found = []
    for info in pkgutil.walk_packages([str(root)], "powercut.model."):
        module = importlib.import_module(info.name)
        for name, function in inspect.getmembers(module, inspect.isgeneratorfunction):
            if function.__module__ == module.__name__:
                _, line = inspect.getsourcelines(function)
                file = Path(inspect.getfile(function)).relative_to(root.parent).as_posix()
                found.append(KernelPath(name, file, line, _first_line(function)))
    return sorted(found, key=lambda path: (path.file, path.line))


def run(options: ListOptions) -> int:
    """Print everything and return the exit code."""
    if options.json:
        print_document(list_document())
    else:
        _print_text()
    return HOLDS


def list_document() -> ListDocument:
    """Return the document of ``powercut list --json``."""
    return ListDocument(
        verdict="holds",
        exit_code=HOLDS,
        designs=[
            ListedDesign(name=d.name, summary=d.summary, default=d.name in DEFAULT_DESIGNS)
            for d in DESIGNS.values()
        ],
        scopes=[_scope(scope) for scope in SCOPES.values()],
        mutants=[_mutant(mutant) for mutant in MUTANTS.values()],
        properties=[_property(prop) for prop in PROPERTIES.values()],
        situations=[
            ListedSituation(name=name, summary=_first_line(check))
            for name, check in SITUATIONS.items()
        ],
        findings=[listed(finding) for finding in shipped().values()],
        paths=[
            ListedPath(function=p.function, file=p.file, line=p.line, summary=p.summary)
            for p in kernel_paths()
        ],
    )


def _mutant(mutant: Mutant) -> ListedMutant:
    return ListedMutant(
        slug=mutant.slug,
        summary=mutant.summary,
        source=mutant.source,
        caught_by=mutant.caught_by,
        scope=mutant.scope,
        design=mutant.design,
    )


def _property(prop: Property) -> ListedProperty:
    return ListedProperty(
        name=prop.name,
        statement=prop.statement,
        kind=prop.kind,
        advisory=prop.advisory,
        needs=list(prop.needs),
    )


def bounds_of(scope: Scope) -> str:
    """Say in one line how large a scope is."""
    geometry = scope.geometry
    words = [
        f"{geometry.nr_blocks} blocks of {geometry.cells_per_block} cells",
        f"{geometry.blocks_per_folio} a folio",
        f"{geometry.nr_phys} physical",
        f"size {scope.initial_size_cells}",
        f"timer {scope.timer.name.lower()}",
    ]
    if scope.max_errors:
        words.append(f"up to {scope.max_errors} failing bio{'s' * (scope.max_errors > 1)}")
    if scope.data_err_abort:
        words.append("data_err=abort")
    if scope.log_transactions:
        words.append(f"log of {scope.log_transactions} transactions")
    return ", ".join(words)


def programs_of(scope: Scope) -> list[str]:
    """Return what runs in each mount, one line a mount."""
    return [
        " | ".join("; ".join(_op(op) for op in task) for task in mount.tasks)
        + (f" | flusher × {mount.flusher_passes}" if mount.flusher_passes else "")
        for mount in scope.mounts
    ]


def _scope(scope: Scope) -> ListedScope:
    geometry = scope.geometry
    return ListedScope(
        name=scope.name,
        summary=scope.summary,
        bounds=bounds_of(scope),
        blocks=geometry.nr_blocks,
        cells_per_block=geometry.cells_per_block,
        blocks_per_folio=geometry.blocks_per_folio,
        physical_blocks=geometry.nr_phys,
        initial_size_cells=scope.initial_size_cells,
        timer=scope.timer.name.lower(),
        max_errors=scope.max_errors,
        data_err_abort=scope.data_err_abort,
        log_transactions=scope.log_transactions,
        mounts=[
            ListedMount(
                tasks=[[_op(op) for op in task] for task in mount.tasks],
                flusher_passes=mount.flusher_passes,
            )
            for mount in scope.mounts
        ],
    )


def _op(op: Op) -> str:
    return format_op(op)


def _first_line(function: object) -> str:
    text = inspect.getdoc(function) or ""
    return " ".join(text.split("\n\n")[0].split())


def _print_text() -> None:
    style = Style.of(sys.stdout)

    def title(text: str) -> None:
        print(("" if text == "designs" else "\n") + style.paint("title", text))

    title("designs")
    for design in DESIGNS.values():
        mark = " (default)" if design.name in DEFAULT_DESIGNS else ""
        _item(design.name, design.summary + mark)
    title("scopes")
    for scope in SCOPES.values():
        _item(scope.name, scope.summary, bounds_of(scope), *programs_of(scope))
    title("mutants")
    for mutant in MUTANTS.values():
        caught = f"caught by {mutant.caught_by} in {mutant.design}, {mutant.scope}"
        _item(mutant.slug, mutant.summary, mutant.source, caught)
    title("properties")
    for prop in PROPERTIES.values():
        needs = (f"needs one of: {', '.join(prop.needs)}",) if prop.needs else ()
        advisory = " (advisory)" if prop.advisory else ""
        _item(prop.name, prop.statement + advisory, *needs)
    title("situations")
    for name, check in SITUATIONS.items():
        _item(name, _first_line(check))
    title("findings")
    for finding in shipped().values():
        _item(finding.name, finding.title, f"in {', '.join(finding.designs)}", finding.status)
    title("paths")
    for path in kernel_paths():
        print(f"  {f'{path.file}:{path.line}':26} {path.function}")


def _item(name: str, *lines: str) -> None:
    print(f"  {name:24}  {lines[0]}")
    for line in lines[1:]:
        print(f"  {'':24}  {line}")
