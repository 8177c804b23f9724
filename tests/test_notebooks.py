"""Notebooks: stored without outputs, larger by one number, and running as they stand."""

import ast
import os
import sys
from pathlib import Path

import nbformat
import pytest
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EVERY = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
TIMEOUT_S = 600


class OwnKernel(AsyncKernelManager):
    """The kernel of this very Python, whatever kernels are registered on the machine."""

    @property
    def kernel_spec(self):
        return KernelSpec(resource_dir="", **get_kernel_dict())


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
def test_it_runs_as_it_stands_without_a_warning(path, tmp_path):
    notebook = nbformat.read(path, 4)
    environment = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "PYTHONWARNINGS")}
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_S,
        kernel_manager_class=OwnKernel,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute(env=environment)
    printed = [
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert printed == []
    shown = [
        output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    assert sum("image/png" in data for data in shown) >= 2
    words_alone = [data["text/plain"] for data in shown if set(data) == {"text/plain"}]
    assert not any("<Figure" in words for words in words_alone)
    assert sys.executable in OwnKernel().kernel_spec.argv
