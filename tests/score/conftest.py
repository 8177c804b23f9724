"""One virtual cell with its truth, and results made of it with known errors."""

import json
import shutil

import pytest

from xct.phantom.cell.cell import draw_cell
from xct.phantom.truth.folder import TruthWriter


@pytest.fixture(scope="package")
def cell():
    return draw_cell("ncm-100", shape=(96, 112, 112))


@pytest.fixture(scope="package")
def truth(cell, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cell") / "truth"
    TruthWriter(cell, folder).finish({"center_px": 55.5})
    return folder


@pytest.fixture
def result(truth, tmp_path):
    """A result without any error, to be spoiled."""
    folder = tmp_path / "result"
    shutil.copytree(truth, folder)
    shutil.rmtree(folder / "maps.zarr")
    return folder


@pytest.fixture
def change_summary():
    def change(folder, **entries):
        path = folder / "summary.json"
        summary = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(summary | entries), "utf-8")

    return change
