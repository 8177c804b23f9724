"""What is looked at before a given volume is measured: its unit, and whether it can be read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from tests.normalize.layered_cell import LayeredCell
from xct.config.model import VolumeSection
from xct.errors import ScanError
from xct.io.volume_files.opening import open_foreign
from xct.io.volume_files.volume import ForeignVolume
from xct.pipeline.checks.misread import misread
from xct.pipeline.checks.volume import unsaid_unit
from xct.pipeline.given.placement import put_upright

CELL = LayeredCell(
    shape=(80, 64, 64), radius=26.0, wall=3.0, center=(31.0, 32.0), steel=14, lithium=8,
    electrolyte=26, cathode=16, collector=4,
)  # fmt: skip
STAGES = ["find_cell", "electrolyte_reference"]
VOLUME = ForeignVolume(np.zeros((4, 4, 4)), (2.0, 2.0, 2.0), (Path("v.tif"),), "TIFF stack")


def warned(volume=VOLUME, stages=STAGES, **section):
    said = VolumeSection.model_validate({"file": "v.tif", **section})
    return unsaid_unit(volume, said=said.unit_is_said, energy_kev=said.energy_kev, stages=stages)


@pytest.mark.parametrize("section", [{}, {"quantity": "attenuation"}])
def test_a_unit_that_nobody_says_and_nothing_checks_is_warned_of(section):
    [text] = warned(**section)
    assert "in 1/cm is taken for granted" in text
    assert "say volume.unit" in text


@pytest.mark.parametrize(
    "section", [{"unit": "1/cm"}, {"unit": "grey"}, {"quantity": "grey"}, {"energy_kev": 25.0}]
)
def test_what_the_user_says_is_not_warned_of(section):
    assert warned(**section) == []


def test_what_the_file_says_is_not_warned_of():
    assert warned(replace(VOLUME, value_unit="1/cm")) == []
    assert warned(replace(VOLUME, energy_kev=25.0)) == []
    assert warned(replace(VOLUME, quantity="attenuation")) == []
    assert warned(stages=["phases"]) == []


def test_a_damaged_chunk_is_said_where_the_layers_are_looked_for(tmp_path):
    path = tmp_path / "v.zarr"
    values = np.random.default_rng(0).normal(5, 1, (8, 8, 8)).astype(np.float32)
    zarr.create_array(path, data=values, chunks=(4, 8, 8), zarr_format=2)
    chunk = path / "1.0.0"
    chunk.write_bytes(chunk.read_bytes()[:40])
    volume = open_foreign(path, (2.0, 2.0, 2.0))
    with pytest.raises(ScanError, match="cannot be read at slices 4 to 4"):
        put_upright(volume, VolumeSection.model_validate({"file": str(path)}))
    whole = path / "0.0.0"
    whole.write_bytes(whole.read_bytes()[:40])
    with pytest.raises(ScanError, match="cannot be read at"):
        misread(open_foreign(path, (2.0, 2.0, 2.0)), "v.zarr", STAGES)


@pytest.fixture(scope="module")
def steep():
    """Layers that lean by 15° and by 20°: 8 bits."""
    found = {}
    for degrees in (15, 20):
        lean = np.tan(np.radians(degrees))
        drawn = CELL.but(lean=(lean, 0.0), tilt=(-lean, 0.0), radius=18.0).draw()
        found[degrees] = np.clip(drawn + 25, 0, 151).astype(np.uint8)
    return found


def lying(values):
    volume = ForeignVolume(values, (2.0, 2.0, 2.0), (Path("v.tif"),), "TIFF stack")
    return put_upright(volume, VolumeSection.model_validate({"file": "v.tif"}))


def test_a_steep_lean_is_found_whichever_axis_it_is_from(steep):
    for order in ((0, 1, 2), (2, 1, 0)):
        found = lying(np.ascontiguousarray(steep[15].transpose(order)))
        assert found.voxels.placement.tilt_deg == pytest.approx(15, abs=1.5)
        assert found.voxels.placement.axes[0] == "zyx"[order.index(0)]


def test_layers_that_lean_too_far_to_be_put_upright_are_said(steep):
    found = lying(steep[20])
    assert any("lean by" in text and "up to 16°" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"# AmiraMesh BINARY-LITTLE-ENDIAN 2.1\n", r"Avizo or Amira.*as TIFF.*BoundingBox"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"\.txm.*as TIFF slices"),
    ],
)
def test_a_volume_of_a_closed_format_is_refused_with_the_way_to_convert_it(tmp_path, start, said):
    path = tmp_path / "cell.vol3"
    path.write_bytes(start + bytes(64))
    with pytest.raises(ScanError, match=said):
        open_foreign(path)


@pytest.mark.parametrize(
    ("name", "said"), [("a.vgl", "VGStudio.*give the .vol"), ("a.npy", "NumPy")]
)
def test_a_file_that_is_no_volume_by_its_name_is_refused_with_the_way_out(tmp_path, name, said):
    (tmp_path / name).write_bytes(bytes(64))
    with pytest.raises(ScanError, match=said):
        open_foreign(tmp_path / name)
