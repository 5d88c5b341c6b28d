"""Print docs/api.md, the page of the public names, made from their signatures and docstrings.

Usage: ``.venv/bin/python scripts/api_page.py > docs/api.md``
"""

import inspect
import sys

import powercut

HEAD = """# The library

This page is made by `scripts/api_page.py` from the docstrings; a test compares the two.

```python
from powercut import check, draw

found = check("seed", "eof-truncate-up")
print(found.verdict, found.run.states)  # violated, and how far the verdict reaches
print(draw(found.traces["stale-data"]))  # the race, one column a context
```

Every error that powercut raises on purpose is a `PowercutError`.
"""
TABLES = {
    "DESIGNS": "The designs by name, as `powercut list` shows them.",
    "SCOPES": "The shipped scopes by name.",
    "MUTANTS": "The planted mistakes by name.",
    "PROPERTIES": "The properties by name: what each states, and which situations it needs.",
}
WIDTH = 100


def heading(name: str, value: object) -> str:
    """Return the name, of a function with its parameters, one a line if they are many."""
    if not inspect.isfunction(value):
        return f"class {name}" if inspect.isclass(value) else name
    signature = inspect.signature(value)
    parts: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        parts.append(f"{parameter.name}: {parameter.annotation}{default}")
    line = f"{name}({', '.join(parts)}) -> {signature.return_annotation}"
    if len(line) > WIDTH:
        inner = "".join(f"    {part},\n" for part in parts)
        line = f"{name}(\n{inner}) -> {signature.return_annotation}"
    return line


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for name in powercut.__all__:
        value = getattr(powercut, name)
        text = TABLES.get(name) or inspect.getdoc(value) or ""
        text = text.replace(":func:", "").replace(":class:", "").replace("``", "`")
        parts.append(f"## `{name}`\n\n```text\n{heading(name, value)}\n```\n\n{text}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
