"""Read findings: one TOML file each, every name in it checked.

Why so: a finding has one home, and a misspelt design or condition would excuse nothing, or explain
nothing, without a word.  Rejected: findings as Python (conditions were lambdas that no page and no
report could show).
"""

import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from powercut.errors import InputError
from powercut.model.designs import DESIGNS
from powercut.properties.catalog import PROPERTIES
from powercut.properties.findings.words import Word
from powercut.properties.kinds import KINDS, REFERENCES

_ADVISORY = tuple(name for name, prop in PROPERTIES.items() if prop.advisory)
FOLDER = Path(str(files("powercut.properties.findings")))
SUFFIX = ".toml"


class Basis(StrEnum):
    """What the model of this code rests on."""

    CODE_READ = "code read"
    COMMENT_ONLY = "comment only"
    GUESSED = "guessed"
    OWN_DESIGN = "own design"


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Excuses ``kind`` of ``prop`` in ``designs`` where every condition of ``needs`` holds."""

    designs: tuple[str, ...]
    prop: str = msgspec.field(name="property")
    kind: str = ""
    needs: tuple[Word, ...] = ()


class Reached(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An exhaustive run of each of ``designs`` in each of ``scopes`` violates all properties."""

    designs: tuple[str, ...]
    scopes: tuple[str, ...]
    properties: tuple[str, ...]


class Observed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An exhaustive run of each of ``designs`` in the scope of a litmus file violates a property.

    The property is advisory: ext4 documents the outcome as legal at times.
    """

    designs: tuple[str, ...]
    litmus: str
    prop: str = msgspec.field(name="property")


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A counterexample that is kept, found in ``steps`` steps, mounts before the last included.

    Under the designs ``prevented_by`` the same schedule is fine.
    """

    design: str
    scope: str
    prop: str = msgspec.field(name="property")
    steps: int
    prevented_by: tuple[str, ...] = ()

    @property
    def trace(self) -> str:
        """The name of the saved trace, without its ending."""
        return f"{self.design}-{self.scope}-{self.prop}"


class Differs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A difference between two designs, by kind, that this finding explains."""

    designs: tuple[str, ...]
    difference: str
    needs: tuple[Word, ...] = ()


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An experiment on a kernel: ``hits`` of ``attempts`` violated what the finding says.

    ``how`` names the mount options, the workload, and what an attempt is.
    """

    kernel: str
    attempts: int
    hits: int
    how: str


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One finding.  Its story is the section ``name`` of docs/findings.md.

    ``kernel_program`` is a workload whose files show it to somebody who does not see the model's
    record of what happened, where no scope does.
    """

    title: str
    statement: str
    basis: Basis
    kernel: tuple[str, ...]
    known: tuple[Known, ...]
    reached: tuple[Reached, ...] = ()
    observed: tuple[Observed, ...] = ()
    example: tuple[Example, ...] = ()
    differs: tuple[Differs, ...] = ()
    seen: tuple[Seen, ...] = ()
    litmus: tuple[str, ...] = ()
    kernel_program: str = ""
    name: str = ""

    @property
    def designs(self) -> tuple[str, ...]:
        """The designs that have it, in the order of the designs."""
        lists = [k.designs for k in self.known] + [r.designs for r in self.reached]
        having = {design for designs in lists for design in designs}
        return tuple(name for name in DESIGNS if name in having)

    @property
    def properties(self) -> tuple[str, ...]:
        """The properties that it violates in a run of ``powercut check``, each once."""
        return tuple(dict.fromkeys(prop for entry in self.reached for prop in entry.properties))

    @property
    def status(self) -> str:
        """Say in a few words whether a kernel showed it."""
        hits = [seen.kernel for seen in self.seen if seen.hits]
        if hits:
            return f"seen on {', '.join(dict.fromkeys(hits))}"
        return "tried, not seen" if self.seen else "model"

    def violations(self) -> Iterable[tuple[str, str, str]]:
        """Yield design, scope and property of everything that exhaustive runs reach."""
        for entry in self.reached:
            for design in entry.designs:
                for scope in entry.scopes:
                    yield from ((design, scope, prop) for prop in entry.properties)


def _names_in(folder: str, suffix: str) -> frozenset[str]:
    paths = files(f"powercut.properties.{folder}").iterdir()
    return frozenset(p.name.removesuffix(suffix) for p in paths if p.name.endswith(suffix))


def _check(path: Path, key: str, names: Iterable[str], among: Iterable[str]) -> None:
    for name in names:
        if name not in among:
            raise InputError(f"{key}: there is no {name!r}", place=path)


def _check_names(path: Path, finding: Finding) -> None:
    scopes, litmus = _names_in("scopes", ".workload"), _names_in("litmus", ".litmus")
    for known in finding.known:
        _check(path, "known.designs", known.designs, DESIGNS)
        _check(path, "known.property", [known.prop], (*PROPERTIES, *REFERENCES))
        _check(path, "known.kind", [known.kind], KINDS)
    for reached in finding.reached:
        _check(path, "reached.designs", reached.designs, DESIGNS)
        _check(path, "reached.scopes", reached.scopes, scopes)
        _check(path, "reached.properties", reached.properties, PROPERTIES)
    for example in finding.example:
        _check(path, "example.design", [example.design], DESIGNS)
        _check(path, "example.prevented_by", example.prevented_by, DESIGNS)
        triple = (example.design, example.scope, example.prop)
        if triple not in set(finding.violations()):
            raise InputError(f"example: {example.trace} is not among what is reached", place=path)
    for observed in finding.observed:
        _check(path, "observed.designs", observed.designs, DESIGNS)
        _check(path, "observed.litmus", [observed.litmus], litmus)
        _check(path, "observed.property", [observed.prop], _ADVISORY)
    for differs in finding.differs:
        _check(path, "differs.designs", differs.designs, DESIGNS)
    _check(path, "litmus", finding.litmus, litmus)


def load_finding(path: Path) -> Finding:
    """Read one file.

    Raises :class:`~powercut.errors.InputError`, with the file and the key, for a key that is
    missing or unknown and for a name that does not exist.
    """
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Finding)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InputError(str(error).replace("`$.", "`"), place=path) from None
    if found.name:
        raise InputError("name: the name of the file is the name of the finding", place=path)
    _check_names(path, found)
    return msgspec.structs.replace(found, name=path.stem)


def load_findings(folder: Path) -> Mapping[str, Finding]:
    """Read the findings in ``folder``, by name, sorted.

    Raises :class:`~powercut.errors.InputError`, also where two findings explain one violation.
    """
    found: dict[str, Finding] = {}
    explained: dict[tuple[str, str, str], str] = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        found[path.stem] = load_finding(path)
        for violation in found[path.stem].violations():
            other = explained.setdefault(violation, path.stem)
            if other != path.stem:
                text = f"reached: {', '.join(violation)} is explained by {other} already"
                raise InputError(text, place=path)
    return found


@cache
def shipped() -> Mapping[str, Finding]:
    """Return the findings that come with the package, by name; they are read once."""
    return load_findings(FOLDER)


@cache
def _explained() -> Mapping[tuple[str, str, str], str]:
    return {triple: f.name for f in shipped().values() for triple in f.violations()}


def finding_of(design: str, scope: str, prop: str) -> str | None:
    """Return the name of the finding that explains ``prop`` violated in a shipped scope."""
    return _explained().get((design, scope, prop))
