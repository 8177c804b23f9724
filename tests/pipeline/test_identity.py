"""Two runs of one identity give the same bytes: it holds all that they depend on, and no more."""

import json
import os

import h5py
import numpy as np
import pytest
import tifffile
import yaml

from tests.scans import PIXEL_SIZE_UM, write_dxchange
from xct.pipeline.plan import make_plan
from xct.result.checksum import result_checksum

pytestmark = pytest.mark.filterwarnings("ignore:.*angles for.*")


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A file with two scans of the same frames in another order, and two sets of flats."""
    path = write_dxchange(tmp_path_factory.mktemp("identity") / "scan.h5")
    with h5py.File(path, "r+") as file:
        file["again/data"] = file["exchange/data"][:][::-1]
        file["again/flats"] = file["exchange/data_white"][:] + 1
        file["entry/theta"] = file["exchange/theta"][:] + 1
    return path


def identity(folder, file, /, **changes):
    sections = {"scan": {"file": str(file), "pixel_size_um": 2.0}, "output": str(folder / "out")}
    for name, value in changes.items():
        sections[name] = {**sections.get(name, {}), **value} if isinstance(value, dict) else value
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(sections), encoding="utf-8")
    return make_plan(path).identity()


@pytest.mark.parametrize(
    "change",
    [
        {"scan": {"paths": {"data": "/again/data", "theta_deg": "/exchange/theta"}}},
        {"scan": {"paths": {"theta_deg": "/entry/theta"}}},
        {"scan": {"flats": {"file": "SCAN", "path": "/again/flats"}}},
        {"scan": {"darks": {"file": "SCAN", "path": "/again/flats"}}},
        {"scan": {"leave_out": {"found": False}}},
        {"scan": {"leave_out": {"flats": [1]}}},
        {"scan": {"roi": {"row": [0, 16]}}},
        {"scan": {"axis": "row"}},
        {"scan": {"rotation": "negative"}},
        {"scan": {"pixel_size_um": 2.5}},
        {"scan": {"flat_exposure_ratio": 2.0}},
        {"scan": {"center_px": 92.0}},
        {"run": {"dtype": "uint16"}},
        {"cell": {"name": "another"}},
        {"steps": {"fbp": {"window": "hann"}}},
    ],
    ids=json.dumps,
)
def test_what_changes_a_byte_makes_another_run(tmp_path, scan, change):
    change = json.loads(json.dumps(change).replace("SCAN", str(scan)))
    plain = {"scan": {"paths": {"data": "/exchange/data", "theta_deg": "/exchange/theta"}}}
    before = identity(tmp_path, scan, **(plain if "paths" in str(change) else {}))
    if "theta_deg" in str(change) and "data" not in str(change):
        change["scan"]["paths"]["data"] = "/exchange/data"
    assert identity(tmp_path, scan, **change) != before


def test_what_changes_no_byte_is_the_same_run(tmp_path, scan):
    before = identity(tmp_path, scan)
    assert identity(tmp_path, scan, run={"workers": 1, "memory_gib": 2.0}) == before
    assert identity(tmp_path, scan, output=str(tmp_path / "elsewhere")) == before
    moved = tmp_path / "moved.h5"
    moved.write_bytes(scan.read_bytes())
    os.utime(moved, (0, 0))
    assert identity(tmp_path, moved) == before


def frames(folder, names):
    folder.mkdir()
    stack = np.random.default_rng(0).integers(900, 1000, (12, 8, 32)).astype(np.uint16)
    for name, frame in zip(names, stack, strict=True):
        tifffile.imwrite(folder / name, frame)
    flats = folder.parent / "flats.tif"
    tifffile.imwrite(flats, np.full((3, 8, 32), 1000, np.uint16), photometric="minisblack")
    return {
        "file": None,
        "projections": f"{folder}/*.tif",
        "flats": str(flats),
        "theta_deg": {"first": 0, "last": 165, "count": 12},
        "pixel_size_um": PIXEL_SIZE_UM,
    }


def test_the_order_of_frames_counts_and_their_names_do_not(tmp_path):
    """By name 10 comes before 2, by number behind it: the same contents, another scan."""
    padded = frames(tmp_path / "a", [f"p{n:02d}.tif" for n in range(12)])
    renamed = frames(tmp_path / "b", [f"q{n:02d}.tif" for n in range(12)])
    plain = frames(tmp_path / "c", sorted(f"p{n}.tif" for n in range(12)))
    one, same, other = (identity(tmp_path, None, scan=s) for s in (padded, renamed, plain))
    assert one == same
    assert one["projections"] != other["projections"]


def test_a_pristine_result_that_was_made_anew_makes_another_run(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "summary.json").write_text('{"a": 1}', encoding="utf-8")
    (tmp_path / "tables" / "layers.csv").write_text("1", encoding="utf-8")
    before = result_checksum(tmp_path)
    os.utime(tmp_path / "summary.json", (0, 0))
    (tmp_path / "run.log").write_text("later", encoding="utf-8")
    assert result_checksum(tmp_path) == before
    (tmp_path / "tables" / "layers.csv").write_text("2", encoding="utf-8")
    assert result_checksum(tmp_path) != before
