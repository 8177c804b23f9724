"""Particles beside the cathode's faces are doubtful after phase retrieval, and only then."""

import numpy as np
import pandas as pd
import pytest

from xct.analyze import charge_contrast, layer_thickness, state_of_charge
from xct.geometry import CellGeometry, GreyScale, Plane, Surface
from xct.segment.particle.beside_faces import beside_faces, with_doubt

RETRIEVED = {"phase_retrieval": {}, "fbp": {}}
SCALE = GreyScale()


@pytest.fixture
def cell():
    planes = {
        "electrolyte_cathode": Plane(40.0, 0.0, 0.1),
        "cathode_collector": Plane(120.0, 0.0, 0.0),
    }
    return CellGeometry(
        (80, 60, 60), (2.0, 2.0, 2.0), axis_y_um=59.0, axis_x_um=59.0, bore_radius_um=50.0,
        planes=planes,
    )  # fmt: skip


def table(z_um, x_um=59.0):
    z = np.array(z_um, float)
    return pd.DataFrame({
        "particle": np.arange(1, len(z) + 1), "z_um": z, "y_um": 59.0, "x_um": x_um,
        "core_grey": SCALE.zero + 8 * SCALE.step, "core_grey_sd": 30.0, "core_grey_noise_sd": 30.0,
        "core_share": 1.0, "radius_um": 0.0, "cavity_fraction": 0.0, "volume_um3": 500.0,
        "equivalent_diameter_um": 10.0,
    })  # fmt: skip


class Electrolyte:
    air, blur_guessed, noise_per_cm, blur_um = 0.0, False, 0.1, 4.0
    per_cm, mu_known = 1.0, True

    def mu_per_cm(self, z_um, r_um):
        return np.full(np.broadcast(z_um, r_um).shape, 5.574)


def test_eight_voxels_on_either_side_of_a_tilted_face_count(cell):
    found = beside_faces(table([23, 25, 55, 57, 80, 103, 105, 130, 140]), cell)
    assert found.tolist() == [False, True, True, False, False, False, True, True, False]
    tilted = beside_faces(table([57.0], x_um=79.0), cell)  # the face is at 42 there
    assert tilted.all()


def test_doubt_widens_grey_values_only_after_phase_retrieval(cell):
    both = table([80, 110])
    assert with_doubt(both, cell, SCALE, {"fbp": {}}).equals(both)
    assert with_doubt(both, cell, SCALE, None).equals(both)
    doubtful = with_doubt(both, cell, SCALE, RETRIEVED)["core_grey_sd"]
    assert doubtful[0] == 30.0
    assert doubtful[1] == pytest.approx(0.8 * SCALE.step, rel=0.01)


def test_no_charge_is_read_beside_a_face(cell):
    volume = np.full(cell.shape, 5.574, np.float32)
    given = {"energy_kev": 25.0, "glare_sd": None, "glare": 0.0}
    far = table([80, 80, 80, 30, 30, 30])
    plain = state_of_charge(volume, far, cell, Electrolyte(), **given)
    assert (plain["withheld"] == "").all()
    read = state_of_charge(volume, far, cell, Electrolyte(), steps=RETRIEVED, **given)
    assert read["withheld"].str.contains("beside a face").tolist() == [False] * 3 + [True] * 3
    assert np.isnan(read["li_content"][3:]).all()
    drifted = far.assign(drifted=far["z_um"] < 40, attached=far["z_um"] > 40)
    assert charge_contrast(plain, drifted).verdict != "too_few"
    assert charge_contrast(read, drifted).verdict == "too_few"


def test_a_thickness_is_less_certain_after_phase_retrieval(cell):
    faces = ("steel_lithium", "lithium_electrolyte", "electrolyte_cathode")
    surfaces = {
        name: Surface(np.full((9, 9), z), np.full((9, 9), 0.1), "")
        for name, z in zip(faces, (10.0, 20.0, 40.0), strict=True)
    }
    plain = layer_thickness(surfaces, cell=cell, steps={"fbp": {}})
    retrieved = layer_thickness(surfaces, cell=cell, steps=RETRIEVED)
    assert (retrieved["mean_thickness_um"] == plain["mean_thickness_um"]).all()
    assert (plain["mean_thickness_um_sd"] < 0.2).all()
    assert (retrieved["mean_thickness_um_sd"] >= 0.4 * 2.0).all()
    assert retrieved["absent_area_fraction_sd"][0] == pytest.approx(0.01)
