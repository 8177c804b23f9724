"""A cell is the same cell on any grey scale and in any direction of its file."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

import xct
from xct.errors import XctError
from xct.io.export import export_file, export_tiff, of_volume
from xct.phantom.cell.cell import draw_cell

SHAPE, VOXEL_UM = (80, 88, 88), 3.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def volume():
    """What a scan would give: blurred, with noise, 0 outside of the circle."""
    cell = draw_cell("ncm-100", shape=SHAPE, voxel_um=VOXEL_UM, seed=3)
    rng = np.random.default_rng(0)
    mu = gaussian_filter(cell.mu(0, SHAPE[0]), 0.6) + rng.normal(0, 0.7, SHAPE)
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]] - (SHAPE[1] - 1) / 2
    mu[:, np.hypot(y, x) > SHAPE[1] / 2] = 0
    return mu.astype(np.float32)


@pytest.fixture
def run(tmp_path):
    def run(values, name, *, size=(VOXEL_UM,) * 3, until="materials", **volume):
        file = tmp_path / f"{name}.tif"
        tifffile.imwrite(file, values.astype(np.float32), photometric="minisblack")
        section = {"file": str(file), "voxel_size_um": list(size), **volume}
        out = str(tmp_path / name)
        return xct.run({"volume": section, "pipeline": "analyze", "output": out}, until=until)

    return run


def test_another_scale_and_another_direction_are_the_same_cell_to_the_bit(run, volume):
    plain = run(volume, "plain", unit="grey")
    turned = np.ascontiguousarray((300 * volume + 13_000).transpose(1, 2, 0))
    other = run(turned, "turned", unit="grey")
    labels = [np.asarray(result.labels("materials")[:]) for result in (plain, other)]
    assert np.count_nonzero(labels[0] != labels[1]) <= 2  # float32 rounds
    assert np.unique(labels[0]).size > 6
    for name, entry in plain.summary.items():
        if name.startswith(("thickness", "absent", "bore", "blur")):
            assert other.summary[name]["value"] == pytest.approx(entry["value"], rel=1e-4)
    assert other.summary["placement"]["axes"] == ["x", "z", "y"]
    assert "placement" not in plain.summary
    for result in (plain, other):
        assert not any("1/cm" in str(e) for k, e in result.summary.items() if k != "warnings")
        assert result.warnings == [w for w in result.warnings if w["step"] == "check_materials"]


def test_attenuation_in_other_units_is_kept_in_1_per_cm(run, volume):
    values = {"1/mm": volume / 10, "1/px": volume * VOXEL_UM * 1e-4}
    for number, (unit, given) in enumerate(values.items()):
        result = run(given[:24], f"unit{number}", unit=unit, until="find_cell")
        kept = result.stored_volume[:]
        np.testing.assert_allclose(kept, volume[:24], rtol=1e-5, atol=1e-5)


def test_what_cannot_be_read_is_refused_before_the_run(run, volume):
    with pytest.raises(XctError, match="longer than 4 times"):
        run(volume, "flat", size=(15.0, 3.0, 3.0))
    with pytest.raises(XctError, match="square pixels"):
        run(volume, "oblong", size=(3.0, 3.0, 2.0), unit="1/px")
    with pytest.raises(XctError, match="leave quantity out"):
        run(volume, "both", quantity="attenuation", unit="grey")
    with pytest.raises(XctError, match="must name each of x, y and z once"):
        run(volume, "axes", axes=["x", "-x", "z"])


def test_slices_that_are_far_apart_give_the_same_layers_within_what_is_stated(run, volume):
    plain, far = (
        run(volume[::step], f"far{step}", size=(step * VOXEL_UM, VOXEL_UM, VOXEL_UM),
            unit="1/cm", energy_kev=25.0, until="layer_thickness")
        for step in (1, 2)
    )  # fmt: skip
    assert far.summary["placement"]["slice_um"] == 2 * VOXEL_UM
    assert any("slices lie 6 µm apart" in w["message"] for w in far.warnings)
    for name in ("thickness_um.lithium", "thickness_um.cathode", "absent_area_fraction"):
        one, other = plain.summary[name], far.summary[name]
        assert other["sd"] > 1.5 * one["sd"]
        assert abs(other["value"] - one["value"]) < 2 * np.hypot(one["sd"], other["sd"])
    assert far.summary["rings_of_electrolyte"]["value"] < 0.05
    assert plain.warnings == []


def test_what_is_exported_is_the_same_cell_once_it_is_analyzed(run, volume, tmp_path):
    until = "electrolyte_reference"
    plain = run(volume, "plain", energy_kev=25.0, until=until)
    source = of_volume(plain.stored_volume)
    export_tiff(source, tmp_path / "slices")
    for name in ("v.ome.tif", "v.nrrd", "v.vti"):
        export_file(source, tmp_path / name)
    for name in ("slices", "v.ome.tif", "v.nrrd", "v.vti"):
        section = {"file": str(tmp_path / name), "energy_kev": 25.0}
        config = {"volume": section, "pipeline": "analyze", "output": str(tmp_path / f"of-{name}")}
        again = xct.run({**config, "run": {"figures": "none"}}, until=until)
        np.testing.assert_array_equal(again.stored_volume.read(), volume)
        assert again.warnings == plain.warnings
        for number in ("bore_radius_um", "electrolyte_peak_per_cm", "blur_um"):
            assert again.summary[number] == plain.summary[number]
