"""A preview of one row is what the whole run gives there."""

import numpy as np
import pytest

import xct
from tests.scans import CENTER_PX, ROWS, line_integrals, write_dxchange
from xct.config.loading import load_config
from xct.config.model import Config
from xct.config.recipe import load_steps
from xct.errors import ScanError
from xct.pipeline.preview import Preview

ROW = 7


@pytest.fixture(scope="module")
def scan_file(tmp_path_factory):
    return write_dxchange(tmp_path_factory.mktemp("scan") / "scan.h5")


@pytest.fixture
def preview(scan_file):
    return Preview(xct.read_scan(scan_file))


def test_slice_is_that_of_a_run(preview, scan_file, tmp_path):
    config = {"scan": {"file": scan_file, "center_px": CENTER_PX}, "output": tmp_path / "out"}
    volume = xct.run(config).stored_volume
    np.testing.assert_allclose(preview.reconstruct(ROW, CENTER_PX), volume[ROW], atol=1e-3)


def test_light_of_whole_frames_is_known_to_steps_that_need_it(scan_file, tmp_path):
    recipe = load_steps(Config.model_validate({"scan": {}, "output": "."}))
    names = [step.name for step in recipe]
    names.insert(names.index("line_integrals"), "glare: {fraction: 0.01, range_um: 100}")
    (tmp_path / "own.yaml").write_text("".join(f"- {name}\n" for name in names), encoding="utf-8")
    config = {"scan": {"file": scan_file, "center_px": CENTER_PX}, "output": tmp_path / "out"}
    config["pipeline"] = tmp_path / "own.yaml"
    volume = xct.run(config).stored_volume
    preview = Preview(xct.read_scan(scan_file), load_steps(load_config(config)))
    np.testing.assert_allclose(preview.reconstruct(ROW, CENTER_PX), volume[ROW], atol=1e-3)


def test_settings_overrule_the_recipe(preview):
    plain = preview.sinogram(ROW, {"stripes": None})
    assert not np.array_equal(plain, preview.sinogram(ROW))
    wide = preview.sinogram(ROW, {"stripes": {"method": "sorting", "size_px": 31}})
    assert not np.array_equal(wide, preview.sinogram(ROW))
    np.testing.assert_array_equal(preview.sinogram(ROW), preview.sinogram(ROW, {}))
    hann = preview.reconstruct(ROW, CENTER_PX, {"fbp": {"window": "hann"}})
    assert hann.std() < preview.reconstruct(ROW, CENTER_PX).std()
    with pytest.raises(ValueError, match="size_px"):
        preview.sinogram(ROW, {"stripes": {"size_px": 1}})


def test_axis_is_found_on_one_row(preview):
    assert preview.find_center(ROW).center_px == pytest.approx(CENTER_PX, abs=0.3)


def test_parts_are_the_same_whether_read_along_rows_or_frames(preview):
    exact = line_integrals()
    along = preview.read((slice(0, 180), slice(ROW, ROW + 1), slice(0, 192)))
    assert np.abs(along[:, 0] - exact[:, ROW]).mean() < 0.02
    frame = preview.read((slice(3, 4), slice(0, ROWS), slice(0, 192)))
    assert np.abs(frame[0] - exact[3]).mean() < 0.03
    low, high = preview.range()
    assert -0.1 < low < 0.1 < 0.5 < high <= exact.max() + 0.3


def test_scan_without_flats_or_angles_is_refused(tmp_path):
    import h5py

    file = write_dxchange(tmp_path / "scan.h5")
    with h5py.File(file, "r+") as content:
        del content["exchange/theta"]
    preview = Preview(xct.read_scan(file))
    with pytest.raises(ScanError, match="theta_deg"):
        preview.reconstruct(ROW, CENTER_PX)
    with h5py.File(file, "r+") as content:
        del content["exchange/data_white"]
    with pytest.raises(ScanError, match="no flats"):
        Preview(xct.read_scan(file))
