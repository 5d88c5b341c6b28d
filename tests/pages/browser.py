"""Open a page in a real browser and return what it drew; skip where there is none.

``chromium --dump-dom`` waits for the script and prints the document, so no driver is needed: a
page goes to the point that its address names.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--virtual-time-budget=3000",
    "--dump-dom",
)


def drawn(page: Path, profile: Path, fragment: str = "") -> str:
    """Return the document after the script of ``page`` ran; ``profile`` is the browser's own."""
    browser = next(filter(None, map(shutil.which, _NAMES)), None)
    if browser is None:
        pytest.skip("no browser is installed (Debian: apt install chromium)")
    command = [browser, *_OPTIONS, f"--user-data-dir={profile}", f"{page.as_uri()}{fragment}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
