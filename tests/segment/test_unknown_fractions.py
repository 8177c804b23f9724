"""Numbers that rest on what a given volume does not show are left out, or bounds."""

import pandas as pd
import pytest

from xct.analyze.inclusions import inclusion_numbers
from xct.geometry import CellGeometry, Plane
from xct.normalize.artifacts import Artifacts, artifact_warning
from xct.normalize.grain_shape import GrainShape
from xct.segment.material.table import material_numbers

NAMES = ("steel", "lithium", "electrolyte", "active_material", "collector", "low_grey")
MATERIALS = pd.DataFrame({
    "material": NAMES, "volume_fraction": 0.1, "volume_um3": 10.0, "volume_um3_sd": 1.0
})  # fmt: skip
CELL = CellGeometry(
    (40, 40, 40), (2.0,) * 3, 40.0, 40.0, 30.0,
    planes={"steel_lithium": Plane(10.0), "lithium_electrolyte": Plane(20.0)},
)  # fmt: skip


def given(**known):
    return {name.split(".")[1] for name, _ in material_numbers(MATERIALS, **known)}


@pytest.mark.parametrize(
    ("there", "lost"),
    [
        ({"steel_lithium", "lithium_electrolyte"}, set()),
        ({"steel_lithium"}, {"lithium", "electrolyte", "low_grey"}),
        ({"lithium_electrolyte"}, {"steel", "lithium"}),
    ],
)
def test_beside_a_face_that_could_not_be_given_no_fraction_is(there, lost):
    assert given(cell=CELL, surfaces=dict.fromkeys(there)) == set(NAMES) - lost


def test_of_another_distance_of_slices_the_collector_has_no_fraction():
    assert given(grain_shape=GrainShape(2.0, 4.0, 2.0, 2.0)) == set(NAMES) - {"collector"}
    assert given(grain_shape=GrainShape(4.0, 4.0, 2.0, 2.0)) == set(NAMES)


def seen(rings, **more):
    return Artifacts(rings, 0.001, 0.1, 0.02, 0.0, 0.01, 12, **more)


def test_steel_that_ends_obliquely_is_an_upper_bound():
    found = dict(material_numbers(MATERIALS, volume_artifacts=seen(0.0, upright=True)))
    assert found["volume_fraction.steel"].bound == "upper"
    plain = dict(material_numbers(MATERIALS, volume_artifacts=seen(0.0)))
    assert plain["volume_fraction.steel"].bound is None


@pytest.mark.parametrize(
    ("rings", "counted", "bound", "sd"),
    [(0.02, True, "lower", None), (0.037, True, None, 2.0), (0.1, False, None, None)],
)
def test_inclusions_that_rings_may_forge_are_less_certain_or_not_counted(rings, counted, bound, sd):
    dark = pd.DataFrame({
        "inclusion": [1], "filament": [False], "class": ["enclosed"], "dark_volume_um3": [50.0]
    })  # fmt: skip
    found = dict(inclusion_numbers(dark, None, seen(rings)))
    assert ("inclusions" in found) == ("inclusion_volume_um3" in found) == counted
    assert {"bridges", "filaments"} <= set(found)
    if counted:
        assert (found["inclusions"].bound, found["inclusions"].sd) == (bound, sd)
    assert ("left out" in (artifact_warning(seen(rings)) or "")) != counted
