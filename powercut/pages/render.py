"""Put a page together: template, style, script, the records, the trace itself and the ladder.

Why so: one file without network access survives a mail, and a page that carries its trace can be
replayed by whoever received it.  Rejected: a template library (four places are filled in).
"""

import html
from importlib.resources import files
from typing import Final

import msgspec

from powercut.checkers.traces.codec import PAGE_MARK, encode_trace
from powercut.checkers.traces.format import Trace
from powercut.pages.data import TracePage

_FOLDER: Final = files("powercut.pages")


def render_page(page: TracePage, trace: Trace, ladder: str) -> str:
    """Return the page as HTML that opens without a network and without any other file."""
    parts = {
        "title": html.escape(page.title),
        "style": _text("page.css"),
        "script": _text("page.js"),
        "page": _in_script(msgspec.json.encode(page)),
        "trace-mark": PAGE_MARK,
        "trace": _in_script(encode_trace(trace)),
        "ladder": html.escape(ladder),
    }
    text = _text("page.html")
    for name, value in parts.items():
        head, mark, tail = text.partition(f"<!--{name}-->")
        assert mark, f"the template has no place for {name}"
        text = head + value + tail
    return text


def _in_script(data: bytes) -> str:
    """Return JSON that no browser takes for the end of its script element."""
    return data.decode().replace("<", "\\u003c")


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
