"""Where fringes were retrieved, faces along the beam are stated to be less certain."""

import numpy as np
import pytest

from xct.geometry import CellGeometry, Surface
from xct.segment.surface import height_maps

CELL = CellGeometry((4, 5, 5), (2.0, 2.0, 2.0), 4.0, 4.0, 5.0)
NAMES = ("steel_lithium", "lithium_electrolyte", "electrolyte_cathode")


@pytest.fixture
def found(monkeypatch):
    """Let every face be found with 0.3 µm."""
    flat = np.full((5, 5), 3.0, np.float32)
    faces = {name: Surface(flat, np.full((5, 5), 0.3, np.float32), "drawn") for name in NAMES}
    monkeypatch.setattr(height_maps, "Search", lambda *_: None)
    monkeypatch.setattr(height_maps, "anode_surfaces", lambda _, **__: faces)
    monkeypatch.setattr(height_maps, "cathode_surfaces", lambda _, **__: {})
    monkeypatch.setattr(height_maps, "without_missing", lambda faces, *_, **__: faces)

    def surfaces(steps):
        return height_maps.surfaces(np.zeros(CELL.shape), CELL, None, steps)

    return surfaces


def test_faces_of_steel_and_lithium_are_less_certain_after_phase_retrieval(found):
    usual, retrieved = found({"fbp": {}}), found({"phase_retrieval": {}})
    sds = {name: (usual[name].sd_um[2, 2], retrieved[name].sd_um[2, 2]) for name in NAMES}
    assert sds["steel_lithium"] == pytest.approx((0.3, np.hypot(0.3, 0.85 * 2)))
    assert sds["lithium_electrolyte"] == pytest.approx((0.3, np.hypot(0.3, 0.35 * 2)))
    assert sds["electrolyte_cathode"] == pytest.approx((0.3, 0.3))
    for name in NAMES:
        np.testing.assert_array_equal(retrieved[name].height_um, usual[name].height_um)
