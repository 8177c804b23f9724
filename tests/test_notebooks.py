"""Notebooks: stored without outputs, larger by one number, and running as they stand."""

import ast
import sys
from base64 import b64encode
from pathlib import Path

import nbformat
import pytest

from tests.test_docs import tool

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EVERY = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
PAGES = tool("notebook_pages")


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def test_there_are_seven():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["1_", "2_", "3_", "4_", "5_", "6_", "7_"]


@EVERY
def test_neither_outputs_nor_chance_numbers_are_stored(path):
    for cell in code_cells(path):
        assert cell.outputs == []
        assert cell.execution_count is None
    cells = nbformat.read(path, 4).cells
    assert [cell["id"] for cell in cells] == [str(k) for k in range(len(cells))]


@EVERY
def test_one_number_in_the_first_code_cell_makes_it_larger(path):
    [assignment] = ast.parse(code_cells(path)[0].source).body
    assert ast.unparse(assignment) == "SIZE = 1"
    later = "\n".join(cell.source for cell in code_cells(path)[1:])
    assert "SIZE" in later
    assert "SIZE =" not in later


@EVERY
def test_only_public_names_are_used(path):
    for cell in code_cells(path):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom):
                assert not any(name.name.startswith("_") for name in node.names)
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_")


def test_nothing_that_a_notebook_defines_is_imported_elsewhere():
    sources = [*(ROOT / "xct").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    for source in sources:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert not any(name.split(".")[0] == "notebooks" for name in modules), source


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of the client; the notebook's own are looked for
@EVERY
def test_it_runs_as_it_stands_without_a_warning(path):
    notebook = PAGES.run(path)  # not again where the site has run it with these very sources
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"] == []
    shown = [output.get("data", {}) for output in outputs]
    assert sum("image/png" in data for data in shown) >= 2
    alone = [data["text/plain"] for data in shown if set(data) == {"text/plain"}]
    assert not any("<Figure" in words for words in alone)
    assert sys.executable in PAGES.OwnKernel().kernel_spec.argv


def test_its_page_shows_what_it_says_prints_and_draws():
    [table, picture, text] = [
        nbformat.v4.new_output("execute_result", data)
        for data in (
            {"text/html": "<table><tr><td>7 µm</td></tr></table>", "text/plain": "plain table"},
            {"image/png": b64encode(b"pixels").decode(), "text/plain": "<Figure>"},
            {"text/plain": "found 2.5"},
        )
    ]
    printed = nbformat.v4.new_output("stream", name="stdout", text="two cells\n")
    cells = [
        nbformat.v4.new_markdown_cell("# Heading"),
        nbformat.v4.new_code_cell("measure()", outputs=[printed, table]),
        nbformat.v4.new_code_cell("draw()", outputs=[picture, text]),
    ]
    page, pictures = PAGES.page_of("cells", nbformat.v4.new_notebook(cells=cells))
    assert pictures == {"cells_1.png": b"pixels"}
    order = [
        "# Heading",
        "measure()",
        "two cells",
        "<td>7 µm",
        "draw()",
        "cells_1.png",
        "found 2.5",
    ]
    assert sorted(order, key=page.index) == order
    assert "plain table" not in page
    assert "<Figure>" not in page


def test_what_was_run_with_other_sources_is_run_again(tmp_path):
    path = tmp_path / "1_small.ipynb"
    for text in ("print(1)", "print(2)"):
        cells = [nbformat.v4.new_code_cell(text)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        kept = tmp_path / f"{path.stem}-{PAGES.fingerprint(path)}.ipynb"
        assert not kept.exists()
        nbformat.write(nbformat.v4.new_notebook(cells=cells), kept)
        assert PAGES.run(path, tmp_path).cells[0].source == text
