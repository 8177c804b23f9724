"""The report, in a real browser: it renders, asks nobody for anything, and works."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.study.browser import open_page
from xct.figures import canvas
from xct.report import page as report
from xct.report.chart import Chart
from xct.report.page import Part, pictures, render, table_cells

NASTY = "<script>document.title='hacked'</script><b>&amp;\"'$x^$"


def drawn():
    figure, [axis] = canvas(1, 1, (4, 3))
    axis.imshow(np.random.default_rng(0).random((200, 200)), cmap="gray")
    return figure


SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
CURVES = {
    "A": [np.array([0.0, 1.0, 4.0, 1.0, 0.0, 0.0, 0.0]), np.full(7, 2.0)],
    "B": [None, np.ones(7)],
}


def chart():
    return Chart(
        "curves", NASTY, "Region", "grey value", "voxels (%)", 20_000.0, 100.0,
        [NASTY, "b"], [True, False], CURVES,
    )  # fmt: skip


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    table = pd.DataFrame(
        {"cell": ["b", NASTY, "a"], "value": [2.0, np.nan, 10.0], "change": [-1.5, 3.0, 0.25],
         "change_low": [-2.0, 2.0, 0.0], "change_high": [-1.0, 4.0, 0.5]}
    )  # fmt: skip
    part = Part(
        "layers", "Layers", NASTY, {"f": (drawn(), NASTY)}, {"t": (table, "A table.")},
        charts=[chart()], sources={"f": "t"},
    )  # fmt: skip
    text = render(
        title=NASTY,
        answers=[(NASTY, [NASTY])],
        note=NASTY,
        parts=[part],
        pngs=pictures([part]),
        methods=[("How", NASTY)],
        settings=NASTY,
        warnings=[NASTY],
        provenance=table,
        made="now",
        svgs={"f": SVG},
        tables={"t": table},
    )
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(text, "utf-8")
    return path


@pytest.fixture(scope="module")
def page(page_file):
    with open_page(page_file) as opened:
        yield opened


def test_it_renders_without_an_error_and_no_request_leaves(page):
    assert page.run("return document.readyState") == "complete"
    assert [e for e in page.log("browser") if e["level"] in ("SEVERE", "WARNING")] == []
    asked = page.requests()
    assert any(url.startswith("file:") for url in asked)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    sizes = page.run("return [...document.images].filter(i => i.src).map(i => i.naturalWidth)")
    assert sizes
    assert min(sizes) > 100


def test_names_with_html_show_as_text(page):
    assert page.run("return document.title") == NASTY
    assert page.run("return document.querySelectorAll('script').length") == 1
    for selector in ("h1", ".answer h3", ".answer li", ".warnings li", "pre", "#layers > p"):
        assert (
            page.run("return document.querySelector(arguments[0]).textContent", selector) == NASTY
        )
    assert page.run("return document.querySelector('figure img').alt") == NASTY


def test_the_answer_comes_first(page):
    order = page.run("return [...document.querySelectorAll('main > section')].map(s => s.id)")
    assert order == ["answer", "layers", "warnings", "methods", "provenance"]
    links = "[...document.querySelectorAll('nav a')]"
    assert page.run(f"return {links}.filter(a => !document.querySelector(a.hash))") == []


def column(page, number):
    script = "return [...document.querySelectorAll('#layers tbody tr')].filter(r => !r.hidden)"
    return page.run(f"{script}.map(r => r.cells[{number}].textContent)")


def test_tables_sort_by_number_with_gaps_at_the_end_and_filter(page):
    click = "document.querySelectorAll('#layers th button')[1].click()"
    page.run(click)
    assert column(page, 1) == ["2", "10", "–"]
    page.run(click)
    assert column(page, 1) == ["10", "2", "–"]
    assert column(page, 2) == ["0.25 (0 … 0.5)", "−1.5 (−2 … −1)", "3 (2 … 4)"]
    enter = (
        "const i = document.querySelector('#layers input[type=search]'); i.value = arguments[0];"
    )
    enter += "i.dispatchEvent(new Event('input'))"
    page.run(enter, "hacked")
    assert column(page, 0) == [NASTY]
    page.run(enter, "")
    assert len(column(page, 0)) == 3


def test_a_table_is_saved_with_a_column_for_each_end_of_an_interval(page):
    script = "HTMLAnchorElement.prototype.click = function () { window.saved = this.href; };"
    page.run(script + "document.querySelector('#layers button.csv').click()")
    text = page.run("return decodeURIComponent(saved.split(',').slice(1).join(','))")
    rows = pd.read_csv(io.StringIO(text)).set_index("value").sort_index()
    assert list(rows.columns) == ["cell", "change", "change_low", "change_high"]
    assert rows.loc[10.0].tolist() == ["a", 0.25, 0.0, 0.5]


def test_figures_enlarge_and_can_be_saved(page):
    page.run("document.querySelector('figure img').click()")
    assert page.run("return document.getElementById('zoom').open") is True
    page.run("document.getElementById('zoom').click()")
    assert page.run("return document.getElementById('zoom').open") is False
    link = page.run(
        "const a = document.querySelector('a.save'); return [a.download, a.href.slice(0, 15)]"
    )
    assert link == ["f.png", "data:image/png;"]


def saved(page, press):
    """Press something, and give the name and the text of the file that is saved."""
    script = """
        const done = arguments[arguments.length - 1], make = URL.createObjectURL;
        HTMLAnchorElement.prototype.click = function () {};
        URL.createObjectURL = blob => { blob.text().then(text => done(text)); return make(blob); };
        eval(arguments[0]);
    """
    return page("POST", "/execute/async", script=script, args=[press])


def test_a_figure_is_saved_as_drawing_and_as_the_numbers_that_it_is_drawn_from(page):
    buttons = page.run(
        "return [...document.querySelectorAll('button.save')].map(b => b.dataset.name)"
    )
    assert buttons == ["f.svg", "t.csv"]
    assert saved(page, "document.querySelectorAll('button.save')[0].click()") == SVG.decode()
    rows = pd.read_csv(
        io.StringIO(saved(page, "document.querySelectorAll('button.save')[1].click()"))
    )
    assert list(rows.columns) == ["cell", "value", "change", "change_low", "change_high"]
    assert rows["change_low"].tolist() == [-2.0, 2.0, 0.0]


def lines(page):
    """Give the heights of the chart's curves, as they are drawn."""
    script = "return [...document.querySelectorAll('polyline')].map(p => p.getAttribute('points'))"
    return [[tuple(map(float, p.split(","))) for p in line.split()] for line in page.run(script)]


def test_a_chart_shows_the_place_the_cells_and_the_scale_that_are_chosen(page):
    first, second = lines(page)
    assert len(first) == 7
    low, high = max(y for _, y in first), min(y for _, y in first)
    assert [(low - y) / (low - high) for _, y in first] == pytest.approx(
        [0, 0.25, 1, 0.25, 0, 0, 0], abs=0.01
    )
    assert (low - second[0][1]) / (low - high) == pytest.approx(0.5, abs=0.01)
    names = "return [...document.querySelectorAll('.chart label')].map(l => l.textContent)"
    assert NASTY in page.run(names)
    page.run("document.querySelector('.chart .log').click()")
    logged = lines(page)[0]
    assert (low - logged[1][1]) / (low - high) == pytest.approx(1 - np.log10(4) / 4, abs=0.01)
    page.run("document.querySelector('.chart .log').click()")
    page.run("document.querySelectorAll('.chart label input')[0].click()")
    assert len(lines(page)) == 1
    page.run("document.querySelectorAll('.chart label input')[0].click()")
    choose = "const s = document.querySelector('.chart select'); s.selectedIndex = arguments[0];"
    choose += "s.onchange()"
    page.run(choose, 1)
    assert len(lines(page)) == 1  # the other cell has no such region
    page.run(choose, 0)
    assert len(lines(page)) == 2


POINT = """
    const svg = document.querySelector('.chart svg'), box = svg.getBoundingClientRect();
    const whole = svg.viewBox.baseVal.width, left = 66, wide = whole - left - 14;
    const at = x => ({
      clientX: box.left + box.width / whole * (left + wide * (x - 20000) / 600),
      clientY: box.top + 100, pointerId: 1,
    });
    svg.setPointerCapture = () => {};
"""


def test_a_range_of_a_chart_is_enlarged_read_and_saved(page):
    page.run(POINT + "svg.onpointermove(at(20201));")
    assert (
        page.run("return document.querySelector('.readout').textContent")
        == f"20,200: {NASTY} 4; b 2"
    )
    page.run(
        POINT
        + "svg.onpointerdown(at(20095)); svg.onpointermove(at(20405)); svg.onpointerup(at(20405));"
    )
    assert len(lines(page)[0]) == 4
    tool = (
        "[...document.querySelectorAll('.chart button')].find(b => b.textContent === '{}').click()"
    )
    rows = pd.read_csv(io.StringIO(saved(page, tool.format("CSV"))))
    assert list(rows.columns) == ["grey value", NASTY, "b"]
    assert rows["grey value"].tolist() == [20_100, 20_200, 20_300, 20_400]
    assert rows[NASTY].tolist() == [1, 4, 1, 0]
    svg = saved(page, tool.format("SVG"))
    assert "polyline" in svg
    assert "pointer" not in svg
    page.run(tool.format("whole range"))
    assert len(lines(page)[0]) == 7


def test_what_a_chart_holds_is_written_to_three_digits():
    plain = json.loads(chart().json)
    assert plain["curves"] == [[[0, 1, 4, 1, 0, 0, 0], [2] * 7], [None, [1] * 7]]
    assert plain["places"] == ["A", "B"]


def test_drawings_that_would_make_the_report_large_lie_beside_it(monkeypatch):
    monkeypatch.setattr(report, "_MOST_PACKED", 100)
    noise = np.random.default_rng(0).bytes(1000)
    assert list(report._packed_svgs({"large": noise, "small": SVG})) == ["small"]


def test_light_and_dark_can_be_changed(page):
    ground = "return getComputedStyle(document.body).backgroundColor"
    before = page.run(ground)
    page.run("document.getElementById('theme').click()")
    assert page.run(ground) != before
    page.run("document.getElementById('theme').click()")
    assert page.run(ground) == before


def test_on_paper_tables_have_their_captions_and_headings_that_can_stand_on_each_page(page):
    media = {"cmd": "Emulation.setEmulatedMedia"}
    page("POST", "/goog/cdp/execute", **media, params={"media": "print"})
    style = "return getComputedStyle(document.querySelector(arguments[0])).display"
    shown = {s: page.run(style, s) for s in ("th button", ".table .tools span", "nav", "a.save")}
    page("POST", "/goog/cdp/execute", **media, params={"media": ""})
    assert shown == {
        "th button": "contents", ".table .tools span": "block", "nav": "none", "a.save": "none",
    }  # fmt: skip


def test_nothing_is_wider_than_a_narrow_screen(page):
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page("POST", "/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=size)
    wide = page.run("return [document.documentElement.scrollWidth, innerWidth]")
    page("POST", "/goog/cdp/execute", cmd="Emulation.clearDeviceMetricsOverride", params={})
    assert wide[0] <= wide[1]


def test_many_large_pictures_are_drawn_coarser_so_that_the_report_stays_small(monkeypatch):
    part = Part("a", "A", "", {"f": (drawn(), "")})
    fine = pictures([part])["f"]
    monkeypatch.setattr(report, "MOST_BYTES", len(fine) - 1)
    assert len(pictures([part])["f"]) < len(fine)


def test_cells_of_a_table_are_sorted_by_their_full_value():
    cells = table_cells(pd.DataFrame({"a": [12345.678, np.nan], "b": [True, None]}))
    assert cells["rows"][0] == [("12,346", "12345.678", True, []), ("yes", "yes", False, [])]
    assert cells["rows"][1][0] == ("–", "", True, [])


def test_an_interval_stands_in_the_cell_of_its_value():
    table = pd.DataFrame(
        {"cell": ["a", "b"], "x": [2.0, np.nan], "x_sd": [0.1, np.nan], "x_low": [-1.5, np.nan],
         "x_high": [3.0, np.nan], "y_low": [7.0, 8.0]}
    )  # fmt: skip
    cells = table_cells(table)
    assert cells["columns"] == ["cell", "x", "x_sd", "y_low"]
    assert cells["ends"] == [[], ["x_low", "x_high"], [], []]
    assert cells["rows"][0][1] == ("2 (−1.5 … 3)", "2.0", True, ["-1.5", "3.0"])
    assert cells["rows"][1][1][:2] == ("–", "")


def test_a_rare_colour_is_not_lost_among_many():
    """A small red mark on a picture of many greys and browns."""
    rng = np.random.default_rng(0)
    figure, [axis] = canvas(1, 1, (6, 5))
    many = rng.random((300, 300, 1)) * np.array([1.0, 0.9, 0.7]) + 0.02 * rng.random((300, 300, 3))
    axis.imshow(np.clip(many, 0, 1))
    axis.plot([150], [150], "s", color="red", ms=9)
    [data] = pictures([Part("a", "A", "", {"f": (figure, "")})]).values()
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert ((pixels[..., 0] > 230) & (pixels[..., 1:].max(axis=-1) < 40)).sum() > 50
