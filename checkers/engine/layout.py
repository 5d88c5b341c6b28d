"""Lay a declared state out as one flat byte vector, and view such a vector as objects.

The vector of a state is ``[shared variables | projected part | thread frames]``; the part a crash
keeps is one slice.  The constant part (configuration, switches, programs) is a second vector that
exists once per search: two states of one search never differ in it, so storing and hashing it in
every state would only cost.  One byte a number: model quantities are small by construction, and
:class:`RangeError` says when one is not.

What depends on the array sizes also has a name (``sums.Written``), so that code can be generated
once for all sizes and the numbers be put in afterwards.

Rejected: ``struct``-packed wider fields (a wider vector costs every copy; nothing in the model
needs it); named tuples as states (ten times slower, measured on a prototype).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from powercut.checkers.engine.errors import DeclarationError, LanguageError, RangeError
from powercut.checkers.engine.sums import Written
from powercut.model.language import Array, Hidden, Len, Lock, Mark, Max, Oracle, Struct, Waits

Dims = Mapping[str, int]

SHARED = "S"
CONSTANT = "C"
MOST_ARRAY_BYTES = 0xFFFF
"""More is a slip: every byte is laid out by itself, and every state has all of them."""


@dataclass(frozen=True, slots=True)
class NumberType:
    """A number from 0 to ``bound``; one byte."""

    bound: int
    written_bound: Written
    size: int = 1

    @property
    def written_size(self) -> Written:
        return 1


@dataclass(frozen=True, slots=True)
class ArrayType:
    """``length`` elements of one type, ``stride`` bytes apart."""

    element: "NumberType | StructType"
    length: int
    written_length: Written

    @property
    def stride(self) -> int:
        return self.element.size

    @property
    def has_fixed_size(self) -> bool:
        return isinstance(self.written_length, int) and isinstance(self.element.written_size, int)

    @property
    def size(self) -> int:
        return self.length * self.element.size


@dataclass(eq=False, slots=True)
class StructType:
    """A laid-out struct; ``offsets`` lists where every instance starts in its vector.

    ``number`` counts the structs of a layout in the order of their declaration.
    """

    cls: type[Struct]
    number: int
    fields: "dict[str, tuple[int, AnyType]]" = field(default_factory=dict)
    written: dict[str, Written] = field(default_factory=dict)
    size: int = 0
    has_fixed_size: bool = True
    region: str = SHARED
    offsets: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.cls.__name__

    @property
    def written_size(self) -> Written:
        return self.size if self.has_fixed_size else f"z{self.number}"

    def append(self, name: str, kind: "AnyType") -> None:
        """Add a field behind those there are."""
        self.fields[name] = (self.size, kind)
        self.written[name] = self.size if self.has_fixed_size else f"o{self.number}.{name}"
        self.size += kind.size
        self.has_fixed_size &= isinstance(kind, NumberType) or kind.has_fixed_size


AnyType = NumberType | ArrayType | StructType


class Layout:
    """Where every declared variable of ``root`` lives, for given dimensions.

    ``shared_size`` bytes hold all variables; ``projected`` is the slice a crash keeps (empty slice
    when nothing is projected).  Raises :class:`DeclarationError` for a malformed declaration.
    """

    def __init__(
        self, root: type[Struct], dims: Dims, *, constant: str = "", projected: str = ""
    ) -> None:
        self.dims = dict(dims)
        self.structs: dict[type[Struct], StructType] = {}
        self.root = StructType(root, 0)
        self.structs[root] = self.root
        self._open: set[type[Struct]] = set()
        self.constant_size = 0
        self.projected = slice(0, 0)
        self._lay_out_root(constant, projected)
        self.shared_size = self.root.size

    def _lay_out_root(self, constant: str, projected: str) -> None:
        hints = _hints(self.root.cls)
        self._open.add(self.root.cls)
        for special in (constant, projected):
            if special and special not in hints:
                raise DeclarationError(f"{self.root.name} has no field {special!r}")
        plain = [name for name in hints if name not in (constant, projected)]
        for name in plain + ([projected] if projected else []):
            kind = self._type_of(hints[name], self.root, name)
            self._place(kind, self.root.size, SHARED)
            if name == projected:
                self.projected = slice(self.root.size, self.root.size + kind.size)
            self.root.append(name, kind)
        if constant:
            kind = self._type_of(hints[constant], self.root, constant)
            if not isinstance(kind, StructType):
                raise DeclarationError(
                    f"{self.root.name}.{constant}: the constant part is a struct"
                )
            self.root.fields[constant] = (0, kind)
            self.root.written[constant] = 0
            self._place(kind, 0, CONSTANT)
            self.constant_size = kind.size

    def number(self, bound: int | str, where: str) -> int:
        """Return a bound, length or count: itself, or the value of the dimension it names."""
        value = bound if isinstance(bound, int) else self.dims.get(bound)
        if value is None:
            known = ", ".join(sorted(self.dims))
            raise DeclarationError(f"{where}: unknown dimension {bound!r}; known: {known}")
        return value

    def measure(self, written: Written) -> int:
        """Return the number that generated code has as ``written``."""
        return written if isinstance(written, int) else self._measures[written]

    @cached_property
    def _measures(self) -> dict[str, int]:
        out = {}
        for kind in self.structs.values():
            out[f"z{kind.number}"] = kind.size
            for name, (offset, inner) in kind.fields.items():
                out[f"o{kind.number}.{name}"] = offset
                if isinstance(inner, ArrayType):
                    out[f"n{kind.number}.{name}"] = inner.length
                    inner = inner.element
                if isinstance(inner, NumberType):
                    out[f"m{kind.number}.{name}"] = inner.bound
        return out

    def _type_of(self, hint: Any, owner: StructType, name: str) -> AnyType:
        where = f"{owner.name}.{name}"
        bound: int | None = None
        length: int | None = None
        written_bound: Written = 255
        written_length: Written = 0
        if get_origin(hint) is Annotated:
            hint, *marks = get_args(hint)
            for mark in marks:
                if isinstance(mark, Max):
                    bound = self.number(mark.bound, where)
                    is_fixed = isinstance(mark.bound, int)
                    written_bound = bound if is_fixed else f"m{owner.number}.{name}"
                elif isinstance(mark, Len):
                    length = self.number(mark.length, where)
                    is_fixed = isinstance(mark.length, int)
                    written_length = length if is_fixed else f"n{owner.number}.{name}"
        if get_origin(hint) is Array:
            if length is None:
                raise DeclarationError(f"{where}: an array needs Annotated[Array[...], Len(...)]")
            if length < 0:
                raise DeclarationError(f"{where}: an array of length {length}")
            (inner,) = get_args(hint)
            if inner is int:
                element: AnyType = _number(255 if bound is None else bound, written_bound, where)
            else:
                element = self._type_of(inner, owner, name)
            if isinstance(element, ArrayType):
                raise DeclarationError(
                    f"{where}: an array of arrays; wrap the inner one in a struct"
                )
            array = ArrayType(element, length, written_length)
            if max(length, array.size) > MOST_ARRAY_BYTES:
                raise DeclarationError(
                    f"{where}: an array of length {length}; at most {MOST_ARRAY_BYTES} bytes"
                )
            return array
        if hint is int:
            return _number(bound, written_bound, where)
        if isinstance(hint, type) and issubclass(hint, Struct):
            return self._struct(hint)
        raise DeclarationError(f"{where}: {hint!r} is neither a number, a struct nor an array")

    def _struct(self, cls: type[Struct]) -> StructType:
        if cls in self._open:
            raise DeclarationError(f"{cls.__name__} contains itself")
        if cls in self.structs:
            return self.structs[cls]
        laid = StructType(cls, len(self.structs))
        self.structs[cls] = laid
        self._open.add(cls)
        for name, hint in _hints(cls).items():
            laid.append(name, self._type_of(hint, laid, name))
        self._open.remove(cls)
        return laid

    def _place(self, kind: AnyType, offset: int, region: str) -> None:
        if isinstance(kind, ArrayType):
            if not kind.length:
                self._mark(kind.element, region)
            for i in range(kind.length):
                self._place(kind.element, offset + i * kind.stride, region)
        elif isinstance(kind, StructType):
            if kind.offsets and kind.region != region:
                raise DeclarationError(f"{kind.name} is used both as constant and as state")
            kind.region = region
            kind.offsets.append(offset)
            for inner_offset, inner in kind.fields.values():
                self._place(inner, offset + inner_offset, region)

    def _mark(self, kind: AnyType, region: str) -> None:
        """Tell the structs of an array without elements where they would be."""
        if isinstance(kind, ArrayType):
            self._mark(kind.element, region)
        elif isinstance(kind, StructType) and not kind.offsets:
            kind.region = region
            for _, inner in kind.fields.values():
                self._mark(inner, region)

    def names(self) -> list[str]:
        """Return the path of every shared byte, in order, such as ``inode[0].folio[1].dirty``."""
        out: list[str] = []
        for name, (_, kind) in self.root.fields.items():
            if not (isinstance(kind, StructType) and kind.region == CONSTANT):
                _name_bytes(kind, name, out)
        return out

    def view(self, shared: bytearray, constant: bytes | bytearray) -> Any:
        """View the two vectors as the declared root object; every write is range-checked."""
        return _view(self.root, "", shared, 0, constant)


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """A constant index, to be compared with the length of its array in every layout."""

    file: str
    line: int
    text: str
    index: int
    length: Written

    def against(self, layout: Layout) -> None:
        """Raise :class:`LanguageError` if the index is outside."""
        length = layout.measure(self.length)
        if not 0 <= self.index < length:
            reason = f"{self.text}: index outside 0..{length - 1}"
            raise LanguageError(self.file, self.line, reason)


def _number(bound: int | None, written: Written, where: str) -> NumberType:
    if bound is None or not 0 <= bound <= 255:
        raise DeclarationError(f"{where}: a number needs Annotated[int, Max(n)], n <= 255")
    return NumberType(bound, written)


def _hints(cls: type[Struct]) -> dict[str, Any]:
    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise DeclarationError(f"{cls.__name__}: {error}") from None
    for name in hints:
        if name.startswith("_"):
            raise DeclarationError(f"{cls.__name__}.{name}: a field must not start with '_'")
    return hints


def family_of(name: str) -> str:
    """Return a variable's name without its indices, such as ``inode[].folio[].dirty``."""
    return re.sub(r"\[\d+\]", "[]", name)


@cache
def declared_marks(root: type[Struct]) -> Mapping[str, tuple[Mark, ...]]:
    """Return what the declaration says of each field and struct, by its name without indices.

    A field inherits what is said of the structs around it.
    """
    found: dict[str, tuple[Mark, ...]] = {}
    _collect_marks(root, "", (), found)
    return found


def _collect_marks(
    cls: type[Struct], path: str, inherited: tuple[Mark, ...], out: dict[str, tuple[Mark, ...]]
) -> None:
    for name, hint in _hints(cls).items():
        kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        below = f"{path}.{name}" if path else name
        if get_origin(kind) is Array:
            below += "[]"
            (kind,) = get_args(kind)
        own = tuple(mark for mark in marks if isinstance(mark, Lock | Hidden | Oracle | Waits))
        out[below] = inherited + own
        if isinstance(kind, type) and issubclass(kind, Struct):
            _collect_marks(kind, below, out[below], out)


def _name_bytes(kind: AnyType, path: str, out: list[str]) -> None:
    if isinstance(kind, NumberType):
        out.append(path)
    elif isinstance(kind, ArrayType):
        for i in range(kind.length):
            _name_bytes(kind.element, f"{path}[{i}]", out)
    else:
        for name, (_, inner) in kind.fields.items():
            _name_bytes(inner, f"{path}.{name}", out)


class _StructView:
    """A struct inside a byte vector; attribute access reads and writes the bytes."""

    __slots__ = ("_buffer", "_constant", "_kind", "_offset", "_path")

    def __init__(
        self, kind: StructType, path: str, buffer: Any, offset: int, constant: Any
    ) -> None:
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_buffer", buffer)
        object.__setattr__(self, "_offset", offset)
        object.__setattr__(self, "_constant", constant)

    def __getattr__(self, name: str) -> Any:
        found = self._kind.fields.get(name)
        if found is None:
            raise AttributeError(f"{self._kind.name} has no field {name!r}")
        offset, kind = found
        path = f"{self._path}.{name}" if self._path else name
        if self._kind.region == SHARED and getattr(kind, "region", SHARED) == CONSTANT:
            return _view(kind, path, self._constant, offset, None)
        return _view(kind, path, self._buffer, self._offset + offset, self._constant)

    def __setattr__(self, name: str, value: int) -> None:
        found = self._kind.fields.get(name)
        if found is None:
            raise AttributeError(f"{self._kind.name} has no field {name!r}")
        offset, kind = found
        path = f"{self._path}.{name}" if self._path else name
        _store(self._buffer, self._offset + offset, kind, path, value)


class _ArrayView:
    """An array inside a byte vector; an index outside it raises instead of wrapping."""

    __slots__ = ("_buffer", "_constant", "_kind", "_offset", "_path")

    def __init__(self, kind: ArrayType, path: str, buffer: Any, offset: int, constant: Any) -> None:
        self._kind = kind
        self._path = path
        self._buffer = buffer
        self._offset = offset
        self._constant = constant

    def __len__(self) -> int:
        return self._kind.length

    def _at(self, index: int) -> int:
        if not 0 <= index < self._kind.length:
            raise RangeError(f"{self._path}[{index}]: index outside 0..{self._kind.length - 1}")
        return self._offset + index * self._kind.stride

    def __getitem__(self, index: int) -> Any:
        where = self._at(index)
        return _view(
            self._kind.element, f"{self._path}[{index}]", self._buffer, where, self._constant
        )

    def __setitem__(self, index: int, value: int) -> None:
        where = self._at(index)
        _store(self._buffer, where, self._kind.element, f"{self._path}[{index}]", value)


def _view(kind: AnyType, path: str, buffer: Any, offset: int, constant: Any) -> Any:
    if isinstance(kind, NumberType):
        return buffer[offset]
    maker: Callable[..., Any] = _ArrayView if isinstance(kind, ArrayType) else _StructView
    return maker(kind, path, buffer, offset, constant)


def _store(buffer: Any, offset: int, kind: AnyType, path: str, value: int) -> None:
    if not isinstance(kind, NumberType):
        raise RangeError(f"{path} is not a number")
    if not 0 <= value <= kind.bound:
        raise RangeError(f"{path} = {value}: outside 0..{kind.bound}")
    buffer[offset] = value


def path_of(value: object) -> str:
    """Return where a viewed struct stands, such as ``inode[0].i_data_sem``; empty for all else."""
    return str(value._path) if isinstance(value, _StructView) else ""
