"""The kinds of options that the verbs share."""

from typing import Annotated

from cyclopts import Parameter


def many(name: str, text: str) -> Parameter:
    """Return an option that takes one or more values."""
    return Parameter(name=name, consume_multiple=True, negative=(), help=text)


def one(name: str, text: str) -> Parameter:
    """Return an option that takes one value."""
    return Parameter(name=name, negative=(), help=text)


def flag(name: str, text: str) -> Parameter:
    """Return an option without a value."""
    return Parameter(name=name, negative=(), show_default=False, help=text)


JsonFlag = Annotated[bool, flag("--json", "Print one JSON document instead of text.")]
