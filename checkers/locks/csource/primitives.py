"""Known functions of the kernel and what they do to locks, read from ``primitives/*.toml``.

Why so: nobody gives the whole kernel, and a list that a kernel developer can read and extend is
worth more than one in code.  A subsystem or a file system is added by a file of its own.  Calls are
matched by name and, where that decides, by their arguments.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from powercut.checkers.locks.csource.cfg import Call
from powercut.checkers.locks.graph import READ, RECURSIVE_READ, WRITE, Mode

_MODES: dict[str, Mode] = {"read": READ, "write": WRITE, "recursive_read": RECURSIVE_READ}
_PLAIN_FIELD = re.compile(r"(?:->|\.)?([A-Za-z_]\w*)(?:\[[^\]]*\])?$")


@dataclass(frozen=True, slots=True)
class Effect:
    """One step of a known function."""

    verb: str
    lock: str = ""
    ident: str = ""
    mode: Mode = WRITE
    kind: str = "lock"
    irqsafe: bool = False
    unless: tuple[str, ...] = ()
    given: str = ""
    more: tuple[tuple[str, Mode], ...] = ()


@dataclass(frozen=True, slots=True)
class Primitive:
    """A known function: its steps, what its result means, whether it only tries."""

    effects: tuple[Effect, ...]
    returns: str = ""
    trylock: bool = False
    args: re.Pattern[str] | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Callback:
    """A function pointer field: the context it is called in and what is held then."""

    context: str
    held: tuple[tuple[str, Mode], ...]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything the data file says."""

    primitives: Mapping[str, tuple[Primitive, ...]]
    callbacks: Mapping[str, Callback]
    registrations: Mapping[str, tuple[int, str]]
    contexts: Mapping[str, str]
    fields: Mapping[str, str]
    inode_classes: tuple[tuple[re.Pattern[str], str, frozenset[str]], ...]
    generic: frozenset[str]
    reentrant: frozenset[str]
    harmless_names: re.Pattern[str]
    _cache: dict[str, tuple[str, frozenset[str]]] = field(default_factory=dict)

    def primitive(self, call: Call) -> Primitive | None:
        """Return what a call does, if it is known."""
        for primitive in self.primitives.get(call.name, ()):
            if primitive.args is None or primitive.args.search(",".join(call.args)):
                return primitive
        return None

    def outranks(self, name: str) -> bool:
        """Whether what the data say of a function counts more than its definition."""
        return any(primitive.fixed for primitive in self.primitives.get(name, ()))

    def harmless(self, name: str) -> bool:
        """Whether a function that is not given is known to take no lock, by its name."""
        return bool(self.harmless_names.fullmatch(name))

    def callback(self, struct: str, name: str) -> Callback | None:
        """Return where the pointer ``struct.name`` is called from, if it is known."""
        return self.callbacks.get(f"{struct}.{name}") or self.callbacks.get(f"*.{name}")

    def inode_class(self, function: str) -> tuple[str, frozenset[str]]:
        """Return the class of the inode that a function handles, and for which locks it counts."""
        if function not in self._cache:
            found = (
                (name, locks)
                for pattern, name, locks in self.inode_classes
                if pattern.search(function)
            )
            self._cache[function] = next(found, ("", frozenset()))
        return self._cache[function]

    def split_name(self, lock: str, function: str) -> str:
        """Return the class name with the inode class that ``function`` implies."""
        inode_class, locks = self.inode_class(function)
        return f"{lock}[{inode_class}]" if lock in locks else lock

    def lock_name(self, expression: str, types: Mapping[str, str]) -> str:
        """Return the class of the lock that a C expression names."""
        text = expression.lstrip("&*(").rstrip(")")
        match = _PLAIN_FIELD.search(text)
        if not match:
            return self._by_function(text)
        name = match[1]
        if name in self.fields:
            return self.fields[name]
        if name not in self.generic:
            return name
        owner = re.sub(r"\[[^\]]*\]", "", text[: match.start()]).rstrip("->.")
        base = re.search(r"([A-Za-z_]\w*)\)*$", owner)
        if base is None:
            return types.get(name, name) if name in types else name
        return f"{types.get(base[1]) or base[1]}.{name}"

    def _by_function(self, text: str) -> str:
        found = re.match(r"([A-Za-z_]\w*)\(", text)
        return found[1] if found else text or "?"


@cache
def knowledge() -> Knowledge:
    """Return what the data files say."""
    data = _merged(
        tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted(
            files(__package__).joinpath("primitives").iterdir(), key=lambda file: file.name
        )
        if file.name.endswith(".toml")
    )
    primitives: dict[str, tuple[Primitive, ...]] = {}
    for entry in data["primitive"]:
        for name in entry["names"]:
            primitives[name] = (*primitives.get(name, ()), _primitive(entry))
    settings = data["settings"]
    return Knowledge(
        primitives,
        {
            entry["field"]: Callback(entry["context"], _held(entry["held"]))
            for entry in data["callback"]
        },
        {
            name: (entry["argument"], entry["context"])
            for entry in data["registration"]
            for name in entry["names"]
        },
        {name: context for context, names in data["contexts"].items() for name in names},
        data["fields"],
        tuple(
            (
                re.compile(entry["functions"]),
                entry["class"],
                frozenset(entry.get("locks", settings["split"])),
            )
            for entry in data["inode_class"]
        ),
        frozenset(settings["generic"]),
        frozenset(settings["reentrant"]),
        re.compile("|".join(settings["harmless"])),
    )


def _primitive(entry: Mapping[str, Any]) -> Primitive:
    return Primitive(
        tuple(_effect(step) for step in entry["do"]),
        entry.get("returns", ""),
        entry.get("try", False),
        re.compile(entry["args"]) if "args" in entry else None,
        entry.get("fixed", False),
    )


def _merged(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return one table: lists are joined, tables are merged."""
    whole: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, list):
                whole[key] = [*whole.get(key, []), *value]
            elif isinstance(value, dict):
                whole[key] = _merged([whole.get(key, {}), value])
            else:
                whole[key] = value
    return whole


def _held(words: list[str]) -> tuple[tuple[str, Mode], ...]:
    pairs = (word.rpartition(":") for word in words)
    return tuple((name, _MODES[mode]) for name, _, mode in pairs)


def _effect(step: str) -> Effect:
    verb, *words = step.split()
    values: dict[str, Any] = {"lock": words.pop(0) if words else ""}
    if verb == "invoke":
        return Effect(verb, values["lock"], more=_held(words))
    if words and words[0].startswith("@"):
        values["ident"] = words.pop(0)
    if "if" in words:
        values["given"] = words[-1]
        words = words[:-2]
    if "unless" in words:
        values["unless"] = tuple(words[-1].split(","))
        words = words[:-2]
    if words and words[-1] == "irqsafe":
        values["irqsafe"] = True
        words.pop()
    if words:
        values["mode"] = _MODES[words.pop(0)]
    if words:
        values["kind"] = words.pop(0).replace("_", " ")
    return Effect(verb, **values)


def argument(call: Call, word: str) -> str:
    """Return the argument that ``@N`` names, or the word itself."""
    match = re.fullmatch(r"@(\d+)", word)
    if not match:
        return word
    number = int(match[1])
    return call.args[number] if number < len(call.args) else ""
