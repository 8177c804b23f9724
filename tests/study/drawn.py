"""Small results drawn by hand for studies: what is in them is known, and they take no run."""

import json

import numpy as np
import yaml

from tests.plugin.drawn import MU, RADIUS_UM, SHAPE, VOXEL_UM, draw_result
from xct.io.atomic import write_json
from xct.io.stores import write_object
from xct.io.surfaces import read_surfaces, write_surfaces
from xct.normalize.model import SmoothModel
from xct.normalize.reference import Reference


def draw_cell_result(
    folder,
    *,
    name,
    group="NCM",
    cycles=0,
    lithium_um=32.0,
    absent=0.0,
    energy_kev=25.0,
    seed=0,
    anode="low_z",
):
    """Write a result as `tests.plugin.drawn` does, with what a study reads besides."""
    draw_result(folder, anode=anode, seed=seed)
    _reference(folder)
    number = {"value": lithium_um, "sd": 0.2, "n": 100, "unit": "µm", "bound": "upper"}
    change(
        folder,
        **{
            "thickness_um.lithium": number,
            "absent_area_fraction": {"value": absent, "sd": 0.005, "n": 100, "unit": "1"},
            "bore_radius_um": {"value": RADIUS_UM, "sd": 0.1, "unit": "µm"},
            "drifted_particles": {"value": 1, "n": 50, "unit": "particles"},
        },
    )
    account = {
        "configuration": {"cell": {"name": name, "group": group, "cycles": cycles}},
        "input": {"checksum": "0" * 64, "energy_kev": energy_kev},
        "versions": {"xct": "0"},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(account), "utf-8")
    if absent:
        _strip(folder)
    return folder


def change(folder, **entries):
    """Put entries into the summary of a result."""
    path = folder / "summary.json"
    write_json(path, json.loads(path.read_text("utf-8")) | entries)


def _strip(folder):
    """Take the lithium away in a quarter of the bore."""
    surfaces = read_surfaces(folder / "surfaces.zarr")
    half = SHAPE[1] // 2
    surfaces["lithium_electrolyte"].height_um[:half, :half] = np.nan
    write_surfaces(folder / "surfaces.zarr", surfaces, (VOXEL_UM,) * 3)


def _reference(folder):
    import pandas as pd

    model = SmoothModel(0.0, SHAPE[0] * VOXEL_UM, 2 * RADIUS_UM, (MU[2],), (), ((0.0,),))
    layers = {"layer": ["electrolyte"], "z_um": [100.0], "reference": ["in_plane"]}
    noise = np.full(SHAPE[0], 0.4, np.float32)
    reference = Reference(
        model, noise, 4.0, 0.1, pd.DataFrame(layers), MU[2], 0.01, 100, 0.01, 0.001
    )
    write_object(folder / "reference.json", reference)
