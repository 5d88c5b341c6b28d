"""The kinds of options that the verbs share."""

from typing import Annotated

from cyclopts import Parameter

from powercut.errors import InputError


def many(name: str, text: str) -> Parameter:
    """Return an option that takes one or more values, and is ``None`` where it is not given."""

    def check(_type: object, values: tuple[object, ...] | None) -> None:
        if values is not None and not values:
            raise InputError("give at least one value", place=name)

    return Parameter(
        name=name,
        consume_multiple=True,
        negative=(),
        validator=check,
        help=text,
    )


def again(name: str, text: str) -> Parameter:
    """Return an option that takes one value each time it is given; positional values may follow."""
    return Parameter(name=name, consume_multiple=False, negative=(), help=text)


def one(name: str, text: str) -> Parameter:
    """Return an option that takes one value."""
    return Parameter(name=name, negative=(), help=text)


def flag(name: str, text: str) -> Parameter:
    """Return an option without a value."""
    return Parameter(name=name, negative=(), show_default=False, help=text)


JsonFlag = Annotated[bool, flag("--json", "Print one JSON document instead of text.")]
SchemaFlag = Annotated[
    bool, flag("--schema", "Print the JSON Schema of what --json prints, and do nothing else.")
]
"""Answered before the other words are parsed: no file has to be there for it."""
