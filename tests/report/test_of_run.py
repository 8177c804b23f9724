"""The report of a run, of a result drawn by hand: what it says, and that a browser shows it."""

import json
import shutil

import pandas as pd
import pytest

from tests.study.browser import open_page
from tests.study.drawn import change, draw_cell_result
from xct.figures import canvas
from xct.io.figures import save_figure
from xct.report import of_run
from xct.report.of_run import notebook_html, number_text, numbers_table, report, write_report
from xct.result import open_result

NASTY = "<img src=x onerror=alert(1)> & \"'"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = draw_cell_result(tmp_path_factory.mktemp("cell") / "result", name=NASTY, absent=0.2)
    figure, [axis] = canvas(1, 1, (3, 2))
    axis.plot([0, 1])
    save_figure(figure, folder / "figures", "thickness")
    warning = {
        "step": "inclusions", "message": NASTY, "cause": "there are fringes", "remedy": "retrieve",
        "withheld": ["inclusions"],
    }  # fmt: skip
    change(folder, warnings=[warning])
    return folder


@pytest.fixture
def result(drawn, tmp_path):
    shutil.copytree(drawn, tmp_path / "result")
    return open_result(tmp_path / "result")


def test_a_browser_shows_it_offline_with_names_as_text_and_the_answer_first(drawn):
    file = write_report(open_result(drawn))
    assert file == drawn / "report.html"
    assert file.stat().st_size < 15_000_000
    with open_page(file) as page:
        assert page.run("return document.title") == NASTY
        order = page.run("return [...document.querySelectorAll('main > section')].map(s => s.id)")
        assert order == [
            "answer", "figures", "numbers", "tables", "steps", "warnings", "methods", "provenance",
        ]  # fmt: skip
        said = page.run("return [...document.querySelectorAll('.answer li')].map(l => l.innerText)")
        assert said[
            0
        ] == "Lithium is at most 32.00 ± 0.20 µm thick; it is gone from 20.00 ± 0.50 " + (
            "% of the area."
        )
        assert "Withheld: inclusions: there are fringes." in said
        assert said[-1] == "1 warning: see below."
        warning = page.run("return document.querySelector('.warnings li').innerText")
        assert warning == f"inclusions: {NASTY} – retrieve"
        rows = "return [...document.querySelectorAll('[data-name=particles] tbody tr')].length"
        assert page.run(rows) == len(open_result(drawn).tables["particles"])
        assert page.run("return [...document.images].filter(i => i.src && !i.naturalWidth)") == []
        assert page.run("return document.querySelector('figcaption').innerText").startswith(
            "Thickness: "
        )
        assert [e for e in page.log("browser") if e["level"] in ("SEVERE", "WARNING")] == []
        assert [u for u in page.requests() if not u.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"value": 19.84, "sd": 0.2188, "unit": "µm", "bound": "upper"}, "at most 19.84 ± 0.22 µm"),
        ({"value": 1234567, "unit": "particles"}, "1,234,567 particles"),
        ({"value": -0.5, "sd": 12.0, "unit": "1"}, "−0 ± 12"),
        ({"value": 2.5, "z": 2.0, "y": 2.5, "x": 2.5, "unit": "µm"}, "2 × 2.5 × 2.5 µm"),
        ({"value": "too_few", "n": 0, "unit": "1"}, "too_few"),
        ({"value": 3.0, "sd": 0.0, "unit": "px", "bound": "lower"}, "at least 3 px"),
    ],
)  # fmt: skip
def test_numbers_are_written_to_two_digits_of_their_uncertainty(entry, text):
    assert number_text(entry) == text


def test_every_number_of_the_summary_is_in_the_table(result):
    summary = json.loads((result.path / "summary.json").read_text("utf-8"))
    table = numbers_table(result).set_index("number")
    assert set(table.index) == {name for name in summary if name != "warnings"}
    assert table.loc["thickness_um.lithium", "sd"] == 0.2
    assert table.loc["thickness_um.lithium", "bound"] == "upper"


def test_of_a_long_table_the_first_rows_are_shown_and_that_is_said(result):
    rows = pd.DataFrame({"particle": range(5000, 6000)})
    rows.to_csv(result.path / "tables" / "particles.csv", index=False)
    text = report(result)
    assert "tables/particles.csv, the first 200 of 1,000 rows" in text
    assert 'data-key="5199' in text
    assert 'data-key="5200' not in text


def test_figures_that_do_not_fit_are_named(result, monkeypatch):
    monkeypatch.setattr(of_run, "MOST_BYTES", 10)
    assert "Too large to be shown here: figures/thickness.png." in report(result)


def test_a_result_of_reconstruction_alone_has_a_report_too(result):
    """No cell, no tables, no labels."""
    for name in ("tables", "surfaces.zarr"):
        shutil.rmtree(result.path / name)
    summary = {
        "center_px": {"value": 10.5, "sd": 0.02, "n": 9, "unit": "px"},
        "voxel_size_um": {"value": 1.3, "n": 1, "unit": "µm"},
        "warnings": [],
    }
    (result.path / "summary.json").write_text(json.dumps(summary), "utf-8")
    text = report(open_result(result.path))
    assert "A voxel is 1.3 µm wide; the axis of rotation lies at column 10.500 ± 0.020 px." in text
    assert "No warning." in text


def test_a_notebook_shows_picture_numbers_and_warnings_as_text(drawn):
    shown = notebook_html(open_result(drawn))
    assert open_result(drawn)._repr_html_() == shown
    assert "at most 32.00 ± 0.20 µm" in shown
    assert "<img alt='thickness'" in shown
    assert "onerror=alert(1)>" not in shown


def test_a_fault_in_the_report_ends_no_run(monkeypatch, caplog, tmp_path):
    from xct.pipeline import runner

    monkeypatch.setattr(runner, "open_result", lambda path: 1 / 0)
    assert runner._report(tmp_path) == []
    assert "report.html was not written" in caplog.text
