"""A report as PDF and tables as Parquet: made where it can be, else said how to do it by hand."""

import sys

import pandas as pd
import pytest

from xct.errors import XctError
from xct.study import exports
from xct.study.exports import find_browser, print_pdf, write_parquet


def test_a_report_is_printed_by_a_browser_that_is_there(tmp_path):
    if find_browser() is None:
        pytest.skip("no browser that prints by itself is installed (chromium)")
    (tmp_path / "report.html").write_text("<!doctype html><h1>Answer</h1>", "utf-8")
    pdf = print_pdf(tmp_path / "report.html")
    assert pdf.name == "report.pdf"
    assert pdf.read_bytes()[:5] == b"%PDF-"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "report.pdf"]


def test_without_a_browser_it_says_how_to_print_by_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(exports.shutil, "which", lambda name: None)
    monkeypatch.setattr(exports, "_PLACES", {})
    with pytest.raises(XctError, match=r"open .*report.html in any browser and print it"):
        print_pdf(tmp_path / "report.html")


def test_a_browser_that_fails_is_named_with_what_it_said(tmp_path, monkeypatch):
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\necho no display >&2\nexit 3\n", "utf-8")
    browser.chmod(0o755)
    monkeypatch.setattr(exports, "find_browser", lambda: str(browser))
    with pytest.raises(XctError, match=r"browser printed none \(no display\); open"):
        print_pdf(tmp_path / "report.html")
    assert not (tmp_path / "report.pdf").exists()


def test_tables_are_written_as_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"cell": ["A", "B"], "cycles": [0, None], "value_um": [1.5, float("nan")]})
    write_parquet(tmp_path, {"layers": table})
    back = pd.read_parquet(tmp_path / "layers.parquet")
    pd.testing.assert_frame_equal(back, table, check_dtype=False)


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(XctError, match=r"pip install 'xct\[parquet\]', or read the CSV"):
        write_parquet(tmp_path, {})
