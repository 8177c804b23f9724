"""The truth of a virtual cell on disk. In: a cell; out: a folder laid out like a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from xct.io.atomic import write_json
from xct.io.cell import write_cell
from xct.io.label_volume import create_labels
from xct.io.roi_sets import write_rois
from xct.io.surfaces import write_surfaces
from xct.io.tables import write_table
from xct.io.volume import Coding, create_volume, write_slab
from xct.labels import MATERIALS, Label
from xct.phantom.true_rois import TrueRois
from xct.phantom.truth_tables import grey_values, thickness_maps
from xct.phantom.virtual_cell import VirtualCell
from xct.voxels import slabs

_UNITS = {
    "center_px": "px", "seed": "1", "lithium_mah": "mAh", "dead_pixels": "pixels",
    "zingers": "pixels", "thickness_um": "µm", "volume_fraction": "1",
}  # fmt: skip
_SUFFIXES = {
    "_um": "µm", "_um3": "µm³", "_per_cm": "1/cm", "_kev": "keV", "_deg": "°", "_px": "px",
    "_mm": "mm", "_per_mm2": "1/mm²", "_per_mm3": "1/mm³",
}  # fmt: skip


def write_truth(
    cell: VirtualCell, folder: Path, extra_facts: Mapping[str, Any] | None = None
) -> None:
    """Write everything that is known about a virtual cell, slab by slab.

    Parameters
    ----------
    cell : VirtualCell
        The cell.
    folder : Path
        Must not exist, or be empty.
    extra_facts : mapping, optional
        What else is known, such as ``center_px`` of its scan: numbers, texts, or entries
        ``{"value", "unit"}`` of a summary.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rois = TrueRois.of(cell)
    tally = _Tally.of(cell)
    _write_volume(cell, folder / "volume.zarr", rois, tally)
    write_surfaces(folder / "surfaces.zarr", cell.surfaces, (cell.voxel_um,) * 3)
    _write_maps(cell, folder / "maps.zarr")
    write_cell(folder / "cell.json", cell.geometry)
    write_rois(folder / "rois.yaml", rois.rois(cell))
    tables = {
        **cell.tables,
        "particles": tally.with_grey_values(cell.tables["particles"]),
        "materials": tally.materials(),
        "histograms": rois.table(),
        "rois": _ranges(rois),
    }
    for name, table in tables.items():
        write_table(folder / "tables" / f"{name}.csv", table)
    numbers = {**cell.facts, **tally.volume_fractions(), **(extra_facts or {})}
    entries = {name: _entry(name, value) for name, value in numbers.items() if value is not None}
    write_json(folder / "summary.json", {**entries, "warnings": []})


def _write_volume(cell: VirtualCell, path: Path, rois: TrueRois, tally: _Tally) -> None:
    create_volume(path, cell.shape, cell.voxel_um, Coding(), cell.state)
    materials = create_labels(path, "materials", "uint8")
    particles = create_labels(path, "particles", "uint32")
    inclusions = create_labels(path, "inclusions", "uint32")
    for block in slabs(cell.shape):
        first, stop = block.first, block.stop
        slab = cell.slab(first, stop)
        materials[first:stop] = slab.labels
        particles[first:stop] = slab.particles
        inclusions[first:stop] = slab.inclusions
        write_slab(path, first, slab.mu)
        heights = np.arange(first, stop) * cell.voxel_um
        electrolyte = cell.electrolyte_per_cm(heights)[:, None, None].astype(np.float32)
        grey = grey_values(slab.mu, electrolyte)
        rois.count(first, grey)
        tally.add(first, slab.labels, slab.particles, grey)


@dataclass
class _Tally:
    """Sums over all voxels, gathered slab by slab.

    Attributes
    ----------
    voxels, grey, squared : ndarray, shape (8,)
        By label, inside the bore: how many, sum of grey values less the first, of their squares.
    of_particle : ndarray, shape (2, particle + 1)
        Voxels, and sum of grey values.
    """

    cell: VirtualCell
    voxels: np.ndarray
    grey: np.ndarray
    squared: np.ndarray
    of_particle: np.ndarray

    @classmethod
    def of(cls, cell: VirtualCell) -> _Tally:
        voxels, grey, squared = np.zeros((3, len(Label)))
        return cls(cell, voxels, grey, squared, np.zeros((2, len(cell.contents.bodies) + 1)))

    def add(self, first: int, labels: np.ndarray, particles: np.ndarray, grey: np.ndarray) -> None:
        """Add a slab that starts at slice `first`."""
        for z, (kinds, numbers, values) in enumerate(zip(labels, particles, grey, strict=True)):
            inside = self.cell.geometry.in_bore(first + z)
            found, light = kinds[inside], values[inside].astype(np.float64) - 20_000
            self.voxels += np.bincount(found, minlength=len(Label))
            self.grey += np.bincount(found, light, minlength=len(Label))
            self.squared += np.bincount(found, light**2, minlength=len(Label))
            there = numbers > 0
            size = self.of_particle.shape[1]
            self.of_particle[0] += np.bincount(numbers[there], minlength=size)
            self.of_particle[1] += np.bincount(numbers[there], values[there], minlength=size)

    def volume_fractions(self) -> dict[str, float]:
        share = self.voxels / self.voxels.sum()
        return {f"volume_fraction.{name}": float(share[code]) for name, code in MATERIALS.items()}

    def materials(self) -> pd.DataFrame:
        codes = list(MATERIALS.values())
        count = np.maximum(self.voxels[codes], 1)
        mean = self.grey[codes] / count
        spread = np.sqrt(np.maximum(self.squared[codes] / count - mean**2, 0))
        there = self.voxels[codes] > 0
        return pd.DataFrame(
            {
                "material": list(MATERIALS),
                "volume_um3": self.voxels[codes] * self.cell.voxel_um**3,
                "volume_fraction": self.voxels[codes] / self.voxels.sum(),
                "mean_grey": np.where(there, 20_000 + mean, np.nan),
                "sd_grey": np.where(there, spread, np.nan),
            }
        )

    def with_grey_values(self, particles: pd.DataFrame) -> pd.DataFrame:
        """Add the mean over a particle's voxels, edges included, and how many there are."""
        voxels, total = self.of_particle[:, particles.particle]
        mean = np.where(voxels > 0, total / np.maximum(voxels, 1), np.nan)
        place = int(particles.columns.get_loc("core_grey"))  # type: ignore[arg-type]
        table = particles.copy()
        table.insert(place, "mean_grey", mean)
        return table.assign(voxels=voxels.astype(np.int64))


def _ranges(rois: TrueRois) -> pd.DataFrame:
    """List the boxes as half-open ranges of voxels."""
    rows = [
        {"roi": name}
        | {f"{axis}_{end}": getattr(part, end) for axis, part in zip("zyx", box, strict=True)
           for end in ("start", "stop")}
        for name, box in rois.boxes.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def _write_maps(cell: VirtualCell, path: Path) -> None:
    """Write maps (y, x): thickness of the layers, eaten lithium, dead cathode."""
    inside = cell.interfaces.inside
    maps = {f"{name}_thickness_um": values for name, values in thickness_maps(cell).items()}
    maps["eaten_lithium_um"] = np.where(inside, cell.interfaces.eaten_um, np.nan)
    maps["dead_cathode"] = np.where(inside, cell.interfaces.dead, np.nan)
    group: Any = zarr.open_group(path, mode="w", zarr_format=3)
    for name, values in maps.items():
        data = np.ascontiguousarray(values, np.float32)
        array = group.create_array(name, data=data, dimension_names=("y", "x"))
        array.attrs["unit"] = "µm" if name.endswith("_um") else "1"
        array.attrs["voxel_size_um"] = [cell.voxel_um] * 3


def _entry(name: str, value: Any) -> dict[str, Any]:
    """Make an entry of a summary."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | str) or not isinstance(value, int | float):
        return {"value": list(value) if isinstance(value, tuple) else value}
    base = name.partition(".")[0]
    suffixes = [unit for end, unit in _SUFFIXES.items() if name.endswith(end)]
    unit = _UNITS.get(base, max(suffixes, key=len, default="1"))
    return {"value": value, "unit": unit}
