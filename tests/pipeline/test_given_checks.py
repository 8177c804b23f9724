"""What is looked at before a given volume is measured: its unit, and whether it can be read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from xct.config.model import VolumeSection
from xct.errors import ScanError
from xct.io.volume_files.opening import open_foreign
from xct.io.volume_files.volume import ForeignVolume
from xct.pipeline.checks.volume import unsaid_unit
from xct.pipeline.given.placement import put_upright

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
