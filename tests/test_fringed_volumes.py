"""A volume with fringes that another program reconstructed: said first of all, and withheld."""

import numpy as np
import pytest
import tifffile

import xct
from tests.normalize.test_wall_fringes import cell

STEPS = ("find_cell", "electrolyte_reference", "surfaces", "materials", "material_table")
RECIPE = "".join(f"- {name}: {{}}\n" for name in STEPS)


@pytest.mark.parametrize(("squared_px", "fringed"), [(0.0, False), (4.0, True)])
def test_fringes_are_the_first_thing_said_and_what_depends_on_them_is_left_out(
    tmp_path, squared_px, fringed
):
    tifffile.imwrite(tmp_path / "volume.tif", np.asarray(cell(squared_px), np.float32))
    (tmp_path / "own.yaml").write_text(RECIPE, encoding="utf-8")
    result = xct.run({
        "volume": {"file": str(tmp_path / "volume.tif"), "voxel_size_um": [1.6, 1.6, 1.6]},
        "pipeline": str(tmp_path / "own.yaml"),
        "output": str(tmp_path / "out"),
    })  # fmt: skip
    said = [one["step"] for one in result.warnings]
    assert ("volume_fringes" in said) == fringed
    assert ("fringes_in_volume" in result.summary) == fringed
    assert ("bore_radius_um" in result.summary) == (not fringed)
    assert ("material_table" in said) == fringed  # left out
    assert "electrolyte_peak_per_cm" in result.summary
    if fringed:
        assert said[0] == "volume_fringes"
