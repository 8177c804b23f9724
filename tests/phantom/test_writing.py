"""Phantoms on disk: whole or absent, readable, with their truth."""

import errno
import json

import numpy as np
import pytest
import tifffile
import yaml

from xct.errors import ConfigError, RunError
from xct.io.scans.reading import read_scan
from xct.io.volume_files.opening import open_foreign
from xct.phantom.user_volume import read_user_scan
from xct.phantom.writing import write_phantom

OWN = """
volume: {file: labels.tif, voxel_size_um: 2.0}
energy_kev: 20
scan: {angles: 10, distance_mm: 30}
cell: {name: rod}
"""


@pytest.fixture
def own(tmp_path):
    labels = np.zeros((8, 32, 32), np.uint8)
    y, x = np.indices((32, 32)) - 15.5
    labels[:, np.hypot(y, x) < 12] = 2
    labels[:, np.hypot(y, x - 3) < 4] = 3
    tifffile.imwrite(tmp_path / "labels.tif", labels)
    file = tmp_path / "own.yaml"
    file.write_text(OWN, encoding="utf-8")
    return file


def test_a_volume_of_labels_is_scanned_with_its_materials(own, tmp_path):
    config = write_phantom(None, tmp_path / "out", config=own, noise=0, glare=0)
    said = yaml.safe_load(config.read_text(encoding="utf-8"))
    assert said["cell"] == {"name": "rod"}
    assert said["output"] == "result"
    scan = read_scan(config.parent / said["scan"]["file"])
    assert scan.energy_kev == 20
    assert scan.projections.shape == (10, 8, 32)
    assert scan.distance_mm == pytest.approx(30)
    truth = open_foreign(config.parent / "truth" / "volume.zarr")
    assert truth.voxels[2:3].max() == pytest.approx(89.35, rel=2e-3)
    assert sorted(path.name for path in config.parent.iterdir()) == ["config.yaml", "raw", "truth"]


def test_a_volume_of_attenuation_is_scanned_as_it_is(own, tmp_path):
    mu = np.full((6, 20, 24), 5.0, np.float32)
    tifffile.imwrite(tmp_path / "labels.tif", mu)
    own.write_text(
        "volume: {file: labels.tif, voxel_size_um: 10, quantity: attenuation}", encoding="utf-8"
    )
    config = write_phantom(
        None, tmp_path / "out", config=own, noise=0, angles=5, blur_um=0.0, axis_offset_px=0.0
    )
    scan = read_scan(next((config.parent / "raw").iterdir()))
    seen = scan.projections.read()[0, 1, 12] - 100.0
    beam = scan.flats.read()[0, 1, 12] - 100.0
    assert -np.log(seen / beam) == pytest.approx(5.0 * 20 * 10e-4, rel=0.02)


def test_equal_seeds_give_equal_bytes_and_others_do_not(own, tmp_path):
    files = [
        next((write_phantom(None, tmp_path / name, config=own, seed=s).parent / "raw").iterdir())
        for name, s in (("a", 1), ("b", 1), ("c", 2))
    ]
    first, second, other = (read_scan(file).projections.read() for file in files)
    np.testing.assert_array_equal(first, second)
    assert (first != other).mean() > 0.5


def test_tiff_frames_have_their_facts_in_the_configuration(own, tmp_path):
    config = write_phantom(None, tmp_path / "out", config=own, layout="tiff")
    section = yaml.safe_load(config.read_text(encoding="utf-8"))["scan"]
    assert section == {"file": "raw/rod", "energy_kev": 20, "pixel_size_um": 2, "distance_mm": 30}


def test_mistakes_in_the_description_are_reported_at_once(own):
    own.write_text(
        "volume: {file: labels.tif, size: 2, quantity: photos}\n"
        "materials: {1: cheese}\nscan: {angels: 3}",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as raised:
        read_user_scan(own)
    text = str(raised.value)
    assert "own.yaml:1: volume.size is unknown; expected file, voxel_size_um, quantity" in text
    assert "volume.quantity = 'photos'; expected labels or attenuation" in text
    assert "own.yaml:2: materials: 1: 'cheese'; expected a label" in text
    assert "own.yaml:3: scan.angels is unknown; expected angles" in text


def test_a_label_without_material_is_named(own, tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", np.full((6, 16, 16), 9, np.uint8))
    with pytest.raises(
        ConfigError, match="slices 0 to 5 hold the labels 9, which have no material"
    ):
        write_phantom(None, tmp_path / "out", config=own)


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"state": "ncm-1"}, ValueError, "ncm-1.*ncm-0, ncm-50"),
        ({"state": None}, ConfigError, "name a state, or a volume of your own"),
        ({"layout": "edf"}, ConfigError, "'edf' is not known; expected dxchange, nxtomo"),
        ({"noise": -1}, ConfigError, "noise = -1"),
        ({"colour": 3}, ConfigError, "scan settings: .*colour"),
    ],
)
def test_wrong_wishes_are_refused_and_leave_nothing(asked, error, said, tmp_path):
    wishes = {"state": "ncm-0", "out": tmp_path / "out", "shape": (64, 64, 64), **asked}
    with pytest.raises(error, match=said):
        write_phantom(**wishes)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(own, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="out exists already"):
        write_phantom(None, tmp_path / "out", config=own)


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(own, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("xct.phantom.writing.write_layout", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RunError, match=r"the disk below .* is full; free some"):
        write_phantom(None, tmp_path / "out", config=own)
    assert sorted(tmp_path.iterdir()) == before


def test_an_interruption_leaves_nothing_and_a_dead_writer_s_files_are_cleared(
    own, tmp_path, monkeypatch
):
    left = tmp_path / ".out.4194305.partial"  # no process has so large a number
    left.mkdir()

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("xct.phantom.writing.write_layout", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_phantom(None, tmp_path / "out", config=own)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.tif", "own.yaml"]


def test_a_virtual_cell_is_written_with_its_truth(tmp_path):
    config = write_phantom(
        "ncm-100", tmp_path / "cell", shape=(80, 128, 128), angles=40, seed=3, layout="p05"
    )
    said = yaml.safe_load(config.read_text(encoding="utf-8"))
    assert said["cell"] == {"name": "NCM-100", "group": "NCM", "cycles": 100, "anode": "low_z"}
    assert said["pipeline"] == "tomo_cell"
    scan = read_scan(config.parent / said["scan"]["file"])
    assert scan.projections.shape == (40, 80, 128)
    truth = json.loads((config.parent / "truth" / "summary.json").read_text(encoding="utf-8"))
    assert 60 < truth["center_px"]["value"] < 67
    assert truth["center_px"]["value"] != 63.5
    assert truth["scan.glare"]["value"] == 0.003
    # As a run names them: how the axis of rotation leans, not how the cell does.
    assert truth["axis_tilt_deg"] == {"value": 0, "unit": "°"}
    assert truth["cell_tilt_deg"]["value"] > 0
    # The axis is where the cell's shadows at 0° and at 180° mirror each other.
    seen = -np.log(scan.projections.read()[[0, -1], 60:75].mean(axis=1) / scan.flats.read().mean())
    middles = (seen * np.arange(128)).sum(axis=1) / seen.sum(axis=1)
    assert middles.mean() == pytest.approx(truth["center_px"]["value"], abs=0.5)
