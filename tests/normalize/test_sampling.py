"""Samples of a volume: what is read of it."""

import pytest

from xct.geometry import CellGeometry, Plane
from xct.normalize.sampling import cube_edge, electrolyte_span, thin_group


def layered(thick_um: float, voxel_um: float) -> CellGeometry:
    """Give a cell of 96 slices whose electrolyte is so thick."""
    planes = {
        "lithium_electrolyte": Plane(20.0, 0.0, 0.0),
        "electrolyte_cathode": Plane(20.0 + thick_um, 0.0, 0.0),
        "cathode_collector": Plane(50.0 + thick_um, 0.0, 0.0),
    }
    return CellGeometry((96, 160, 160), (voxel_um,) * 3, 80 * voxel_um, 80 * voxel_um,
                        bore_radius_um=69 * voxel_um, planes=planes)  # fmt: skip


@pytest.mark.parametrize(("thick_um", "voxel_um", "slices"), [
    (84, 2.0, 4), (54, 1.3, 4), (90, 1.3, 8), (30, 2.0, 2)
])  # fmt: skip
def test_a_thin_electrolyte_is_sampled_at_several_heights(thick_um, voxel_um, slices):
    cell = layered(thick_um, voxel_um)
    assert cube_edge(electrolyte_span(cell, 7.5))[0] == slices


def test_wide_slices_are_taken_from_the_middle_of_a_group():
    assert thin_group(40, 48, 512) == (40, 48)
    assert thin_group(40, 48, 1280) == (42, 46)
    assert thin_group(40, 48, 2560) == (43, 45)
    assert thin_group(40, 43, 2560) == (41, 42)
