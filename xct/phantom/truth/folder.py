"""The truth of a virtual cell on disk. In: a cell; out: a folder laid out like a result.

It is written while the cell is scanned: each slab is made once, for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import zarr

from xct.analyze.roi.files import write_rois
from xct.geometry import MATERIALS, STANDARD_SCALE, Label
from xct.io.atomic import write_json
from xct.io.labels import create_labels
from xct.io.stores import write_object
from xct.io.surfaces import write_surfaces
from xct.io.tables import write_table
from xct.io.volumes import Coding, create_volume, write_slab
from xct.parallel.blocks import slabs
from xct.phantom.cell.cell import Slab, VirtualCell
from xct.phantom.truth.rois import TrueRois
from xct.phantom.truth.tables import facts_of, grey_values, tables_of, thickness_maps

_UNITS = {
    "center_px": "px", "seed": "1", "lithium_mah": "mAh", "dead_pixels": "pixels",
    "zingers": "pixels", "thickness_um": "µm", "volume_fraction": "1",
}  # fmt: skip
_SUFFIXES = {
    "_um": "µm", "_um3": "µm³", "_per_cm": "1/cm", "_kev": "keV", "_deg": "°", "_px": "px",
    "_mm": "mm", "_per_mm2": "1/mm²", "_per_mm3": "1/mm³",
}  # fmt: skip


class TruthWriter:
    """A virtual cell that writes the truth about its slabs down as they are scanned.

    Parameters
    ----------
    cell : VirtualCell
        The cell.
    folder : Path
        For the truth; must not exist, or be empty.
    """

    def __init__(self, cell: VirtualCell, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.cell, self.folder = cell, folder
        self.shape, self.voxel_um, self.energy_kev = cell.shape, cell.voxel_um, cell.energy_kev
        self._rois, self._counts = TrueRois.of(cell), _Counts.of(cell)
        self._volume = folder / "volume.zarr"
        create_volume(self._volume, cell.shape, cell.voxel_um, Coding(), cell.state)
        kinds = {"materials": "uint8", "particles": "uint32", "inclusions": "uint32"}
        self._labels = {
            name: create_labels(self._volume, name, kind) for name, kind in kinds.items()
        }
        self._rows = 0

    def mu(self, first: int, stop: int) -> np.ndarray:
        """Give slices of μ in 1/cm; those that come next are written down."""
        slab = self.cell.slab(first, stop)
        if first == self._rows:
            self._write(first, slab)
            self._rows += len(slab.mu)
        return slab.mu

    def delta(self, first: int, stop: int) -> np.ndarray:
        """Give slices of the refractive decrement."""
        return self.cell.delta(first, stop)

    def finish(self, extra_facts: Mapping[str, Any] | None = None) -> None:
        """Write what is known about the cell as a whole; slices that were not scanned are read.

        Parameters
        ----------
        extra_facts : mapping, optional
            What else is known, such as ``center_px`` of its scan: numbers, texts, or entries
            ``{"value", "unit"}`` of a summary.
        """
        cell, folder = self.cell, self.folder
        for block in slabs(cell.shape):
            if block.first >= self._rows:
                self.mu(block.first, block.stop)
        write_surfaces(folder / "surfaces.zarr", cell.surfaces, (cell.voxel_um,) * 3)
        _write_maps(cell, folder / "maps.zarr")
        write_object(folder / "cell.json", cell.geometry)
        write_rois(folder / "rois.yaml", self._rois.rois(cell))
        tables = tables_of(cell)
        for name, table in self._tables(tables).items():
            write_table(folder / "tables" / f"{name}.csv", table)
        fractions = self._counts.volume_fractions()
        numbers = {**facts_of(cell, tables), **fractions, **(extra_facts or {})}
        entries = {
            name: _entry(name, value) for name, value in numbers.items() if value is not None
        }
        write_json(folder / "summary.json", {**entries, "warnings": []})

    def _write(self, first: int, slab: Slab) -> None:
        rows = slice(first, first + len(slab.mu))
        for name, part in zip(self._labels, slab[:3], strict=True):
            self._labels[name][rows] = part
        write_slab(self._volume, first, slab.mu)
        heights = np.arange(rows.start, rows.stop) * self.cell.voxel_um
        electrolyte = self.cell.electrolyte_per_cm(heights)[:, None, None].astype(np.float32)
        grey = grey_values(slab.mu, electrolyte)
        self._rois.count(first, grey)
        self._counts.add(first, slab.labels, slab.particles, grey)

    def _tables(self, tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        return {
            **tables,
            "particles": self._counts.with_grey_values(tables["particles"]),
            "materials": self._counts.materials(),
            "histograms": self._rois.table(),
            "rois": _ranges(self._rois),
        }


@dataclass
class _Counts:
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
    def of(cls, cell: VirtualCell) -> _Counts:
        voxels, grey, squared = np.zeros((3, len(Label)))
        return cls(cell, voxels, grey, squared, np.zeros((2, len(cell.contents.bodies) + 1)))

    def add(self, first: int, labels: np.ndarray, particles: np.ndarray, grey: np.ndarray) -> None:
        """Add a slab that starts at slice `first`."""
        for z, (kinds, numbers, values) in enumerate(zip(labels, particles, grey, strict=True)):
            inside = self.cell.geometry.in_bore(first + z)
            found, light = kinds[inside], values[inside].astype(np.float64) - STANDARD_SCALE.zero
            self.voxels += np.bincount(found, minlength=len(Label))
            self.grey += np.bincount(found, light, minlength=len(Label))
            self.squared += np.bincount(found, light**2, minlength=len(Label))
            there = numbers > 0
            size = self.of_particle.shape[1]
            self.of_particle[0] += np.bincount(numbers[there], minlength=size)
            self.of_particle[1] += np.bincount(numbers[there], values[there], minlength=size)

    def volume_fractions(self) -> dict[str, float]:
        fraction = self.voxels / self.voxels.sum()
        return {
            f"volume_fraction.{name}": float(fraction[code]) for name, code in MATERIALS.items()
        }

    def materials(self) -> pd.DataFrame:
        codes = list(MATERIALS.values())
        count = np.maximum(self.voxels[codes], 1)
        mean = self.grey[codes] / count
        sd = np.sqrt(np.maximum(self.squared[codes] / count - mean**2, 0))
        there = self.voxels[codes] > 0
        return pd.DataFrame(
            {
                "material": list(MATERIALS),
                "volume_um3": self.voxels[codes] * self.cell.voxel_um**3,
                "volume_fraction": self.voxels[codes] / self.voxels.sum(),
                "mean_grey": np.where(there, STANDARD_SCALE.zero + mean, np.nan),
                "sd_grey": np.where(there, sd, np.nan),
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
    """Write maps (y, x): thickness of the layers, stripped lithium, dead cathode."""
    inside = cell.interfaces.inside
    maps = {f"{name}_thickness_um": values for name, values in thickness_maps(cell).items()}
    maps["stripped_lithium_um"] = np.where(inside, cell.interfaces.stripped_um, np.nan)
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
