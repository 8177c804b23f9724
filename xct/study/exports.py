"""A report as PDF and tables as Parquet. In: what `xct compare` wrote; out: files beside it.

The report is printed by a browser that is there, as its user would: its style for paper is in it,
and what it looks like is what the browser shows. A library that turns HTML into PDF would draw it
otherwise, and needs libraries of the system that are missing more often than a browser.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from xct.errors import XctError
from xct.io.atomic import written_whole

if TYPE_CHECKING:
    from pandas import DataFrame

BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
    "microsoft-edge", "msedge", "brave-browser",
)  # fmt: skip
_PLACES = {
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ),
    "win32": (
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ),
}
_LONGEST_S = 180.0
_BY_HAND = "open {report} in any browser and print it into a PDF"


def find_browser() -> str | None:
    """Find a browser that prints without a window: Chromium, Chrome, Edge or Brave."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is not None:
        return found
    return next((place for place in _PLACES.get(sys.platform, ()) if Path(place).is_file()), None)


def print_pdf(report: Path) -> Path:
    """Print a report into a PDF beside it.

    Parameters
    ----------
    report : Path
        An HTML file.

    Returns
    -------
    Path
        The PDF.

    Raises
    ------
    XctError
        If there is no browser, or it fails; with how to do it by hand.
    """
    by_hand = _BY_HAND.format(report=report)
    browser = find_browser()
    if browser is None:
        raise XctError(
            "no PDF: no browser that prints by itself is installed (Chromium, Chrome, Edge, "
            f"Brave); {by_hand}"
        )
    pdf = report.with_suffix(".pdf")
    with tempfile.TemporaryDirectory() as profile, written_whole(pdf) as temporary:
        command = [
            browser, "--headless=new", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update",
            "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--no-pdf-header-footer",
            f"--print-to-pdf={temporary.resolve()}", report.resolve().as_uri(),
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium refuses to start as root with one
        try:
            done = subprocess.run(command, capture_output=True, timeout=_LONGEST_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise XctError(f"no PDF: {browser} failed ({error}); {by_hand}") from None
        if not temporary.is_file() or temporary.read_bytes()[:5] != b"%PDF-":
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            last = said[-1] if said else f"exit code {done.returncode}"
            raise XctError(f"no PDF: {browser} printed none ({last}); {by_hand}")
    return pdf


def write_parquet(folder: Path, tables: Mapping[str, DataFrame]) -> None:
    """Write tables as Parquet, by pyarrow.

    Parameters
    ----------
    folder : Path
        Of the tables.
    tables : mapping of str to DataFrame
        By the names of the files.

    Raises
    ------
    XctError
        If pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise XctError(
            "no Parquet: pyarrow is not installed; pip install 'xct[parquet]', or read the CSV "
            f"files in {folder}"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with written_whole(folder / f"{name}.parquet") as temporary:
            table.to_parquet(temporary, engine="pyarrow", index=False)
