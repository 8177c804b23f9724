"""A small cell drawn by hand and written like a result, so that what is shown is known."""

from pathlib import Path

import numpy as np
import pandas as pd

from xct.geometry import CellGeometry, Plane, Surface
from xct.io.atomic import write_json, write_text
from xct.io.labels import create_labels
from xct.io.stores import write_object
from xct.io.surfaces import write_surfaces
from xct.io.tables import write_table
from xct.io.volumes import Coding, create_volume, write_slab

SHAPE, VOXEL_UM = (64, 96, 96), 4.0
HEIGHTS = {  # in slices, of a cell whose anode is at low z
    "steel_lithium": 8.0,
    "lithium_electrolyte": 16.0,
    "electrolyte_cathode": 36.0,
    "cathode_collector": 52.0,
}
MU = {0: 0.0, 1: 0.2, 2: 4.0, 3: 34.0, 4: 90.0, 5: 5.0, 6: 0.6, 7: 0.0}  # 1/cm, by label
RADIUS_UM = 160.0


def draw_result(folder: Path, *, anode="low_z", shift=0, noise=0.4, seed=0) -> Path:
    """Write a result with volume, labels, surfaces, tables and geometry."""
    rng = np.random.default_rng(seed)
    heights = {name: height + shift for name, height in HEIGHTS.items()}
    labels = _labels(heights)
    particles, table = _particles(labels, heights["electrolyte_cathode"])
    if anode == "high_z":
        labels, particles = labels[::-1], particles[::-1]
        heights = {name: SHAPE[0] - height for name, height in heights.items()}
        table["z_um"] = (SHAPE[0] - 1) * VOXEL_UM - table["z_um"]
    mu = np.array([MU[code] for code in range(8)], np.float32)[labels]
    mu[labels > 0] += rng.normal(0, noise, np.count_nonzero(labels)).astype(np.float32)
    folder.mkdir(parents=True)
    path = folder / "volume.zarr"
    create_volume(path, SHAPE, VOXEL_UM, Coding(), folder.name)
    write_slab(path, 0, mu)
    create_labels(path, "materials", "uint8")[:] = labels
    create_labels(path, "particles", "uint32")[:] = particles
    write_surfaces(folder / "surfaces.zarr", _surfaces(heights), (VOXEL_UM,) * 3)
    write_object(folder / "cell.json", geometry(heights, anode))
    write_table(folder / "tables" / "particles.csv", table)
    write_table(folder / "tables" / "inclusions.csv", _inclusions())
    measured = {"value": VOXEL_UM, "n": 1, "unit": "µm"}
    peak = {"value": MU[2], "sd": 0.01, "n": 1000, "unit": "1/cm"}
    summary = {"voxel_size_um": measured, "electrolyte_peak_per_cm": peak, "warnings": []}
    write_json(folder / "summary.json", summary)
    write_text(folder / "run.yaml", f"configuration:\n  cell: {{name: {folder.name}}}\n")
    return folder


def geometry(heights, anode="low_z") -> CellGeometry:
    """Give the geometry that the drawing has."""
    planes = {name: Plane((height - 0.5) * VOXEL_UM) for name, height in heights.items()}
    middle = (SHAPE[1] - 1) / 2 * VOXEL_UM
    return CellGeometry(
        SHAPE, (VOXEL_UM,) * 3, middle, middle, RADIUS_UM, anode=anode, planes=planes
    )


def _radius_um():
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    middle = (SHAPE[1] - 1) / 2
    return np.hypot(y - middle, x - middle) * VOXEL_UM


def _labels(heights):
    edges = [round(height) for height in heights.values()]
    labels = np.zeros(SHAPE, np.uint8)
    for code, first, stop in zip((4, 1, 2, 2, 5), [0, *edges], [*edges, SHAPE[0]], strict=True):
        labels[first:stop] = code
    radius = _radius_um()
    labels[:, radius > RADIUS_UM] = 6
    labels[:, radius > RADIUS_UM + 20] = 0
    return labels


def _particles(labels, front):
    """Put balls on a grid into the cathode, and one alone into the electrolyte."""
    particles = np.zeros(SHAPE, np.uint32)
    z, y, x = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    balls = [
        (front + 4 + 8 * layer, 20.0 + 14 * j, 20.0 + 14 * i, 3.0 + 0.5 * ((i + j) % 4))
        for layer in range(2)
        for j in range(5)
        for i in range(5)
        if np.hypot(20 + 14 * j - 47.5, 20 + 14 * i - 47.5) < 34
    ]
    balls.append((front - 9, 50.0, 44.0, 3.0))
    rows = []
    for number, (cz, cy, cx, r) in enumerate(balls, start=1):
        inside = (z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= r**2
        particles[inside], labels[inside] = number, 3
        rows.append(_row(number, cz, cy, cx, int(inside.sum()), front))
    return particles, pd.DataFrame(rows)


def _row(number, z, y, x, voxels, front):
    volume = voxels * VOXEL_UM**3
    return {
        "particle": number,
        "z_um": z * VOXEL_UM,
        "y_um": y * VOXEL_UM,
        "x_um": x * VOXEL_UM,
        "volume_um3": volume,
        "equivalent_diameter_um": (6 * volume / np.pi) ** (1 / 3),
        "sphericity": 0.95,
        "mean_grey": 38_000.0 + 10 * number,
        "core_grey": 39_000.0 + 10 * number,
        "distance_to_front_um": (front - 0.5 - z) * VOXEL_UM,
        "drifted": z < front,
        "touches_border": False,
    }


def _inclusions():
    columns = {"inclusion": [1, 2], "z_um": [80.0, 120.0], "y_um": [180.0, 200.0]}
    columns |= {"x_um": [190.0, 240.0], "volume_um3": [5000.0, 9000.0], "thickness_um": [8.0, 12.0]}
    columns |= {"distance_to_anode_um": [18.0, 58.0], "enclosed": [True, False]}
    return pd.DataFrame(columns)


def _surfaces(heights):
    """Flat surfaces; no lithium in one corner."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    inside = _radius_um() <= RADIUS_UM
    found = {}
    for name, height in heights.items():
        level = np.full(SHAPE[1:], (height - 0.5) * VOXEL_UM, np.float32)
        level[~inside] = np.nan
        if name == "lithium_electrolyte":
            level[(y < 40) & (x < 40)] = np.nan
        found[name] = Surface(level, np.full_like(level, 0.1), "drawn")
    return found
