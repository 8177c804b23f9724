"""Normalized grey values against those without error. In: slabs; out: bias and flatness by depth.

True: g = zero + (reference - zero) μ / μ of the electrolyte, both true.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from xct.geometry import STANDARD_SCALE, CellGeometry, Label
from xct.normalize import GreyValues, grey_values
from xct.result import Result
from xct.score.metric import Metrics, Slab, metric

BANDS, RINGS = 5, 3
_LEAST = 200  # voxels of a block
# Between which surfaces a material's depth bands lie.
_LAYERS = {
    Label.ELECTROLYTE: ("lithium_electrolyte", "electrolyte_cathode"),
    Label.ACTIVE_MATERIAL: ("electrolyte_cathode", "cathode_collector"),
}


@dataclass
class GreyScore:
    """Error of grey values by material, depth band and ring about the axis.

    Attributes
    ----------
    measured : GreyValues
        Of the result.
    electrolyte_per_cm : ndarray, shape (z,)
        True μ of the electrolyte.
    cell : CellGeometry
        True.
    stated : ndarray, shape (band,)
        Standard deviation that the result states of the electrolyte's grey value.
    sums : ndarray, shape (3, material, band, ring)
        Voxels, error of the grey value, and of μ relative to the electrolyte's.
    """

    measured: GreyValues
    electrolyte_per_cm: np.ndarray
    cell: CellGeometry
    stated: np.ndarray = field(default_factory=lambda: np.zeros(BANDS))
    sums: np.ndarray = field(default_factory=lambda: np.zeros((3, len(_LAYERS), BANDS, RINGS)))

    @classmethod
    def of(cls, result: Result, truth: Result) -> GreyScore | None:
        """Make one where the result has a reference and the truth its electrolyte."""
        files = (result.path / "reference.json", result.path / "cell.json")
        table = truth.path / "tables" / "electrolyte.csv"
        if not all(file.is_file() for file in (*files, table, truth.path / "cell.json")):
            return None
        reference, cell = result.reference, truth.cell
        measured = grey_values(result.stored_volume, reference, result.cell, STANDARD_SCALE)
        near, far = (cell.planes[name].height_um for name in _LAYERS[Label.ELECTROLYTE])
        z_um = near + (far - near) * (np.arange(BANDS) + 0.5) / BANDS
        half = cell.bore_radius_um / 2**0.5  # as much lies beyond it as within
        sd = reference.sd_per_cm(z_um, half) / reference.mu_per_cm(z_um, half)
        electrolyte = pd.read_csv(table)["mu_per_cm"].to_numpy()
        return cls(measured, electrolyte, cell, STANDARD_SCALE.step * sd)

    def add(self, slab: Slab) -> None:
        """Add a slab."""
        if slab.interior is None:
            return
        grey = self.measured[slab.first : slab.first + len(slab.mu)]
        for z in range(len(grey)):
            number = slab.first + z
            true = STANDARD_SCALE.step * slab.true_mu[z] / self.electrolyte_per_cm[number]
            error = grey[z] - STANDARD_SCALE.zero - true
            shift = (slab.mu[z] - slab.true_mu[z]) / self.electrolyte_per_cm[number]
            radius = self.cell.radius_um(number)
            ring = np.minimum(RINGS * (radius / self.cell.bore_radius_um) ** 2, RINGS - 1)
            for row, (label, faces) in enumerate(_LAYERS.items()):
                there = slab.interior[z] & (slab.true_labels["materials"][z] == label)
                band = BANDS * self._depth(number, faces)
                there &= (band >= 0) & (band < BANDS)
                block = band[there].astype(np.intp) * RINGS + ring[there].astype(np.intp)
                for k, weights in enumerate((None, error[there], shift[there])):
                    counts = np.bincount(block, weights, minlength=BANDS * RINGS)
                    self.sums[k, row] += counts.reshape(BANDS, RINGS)

    def _depth(self, z: int, faces: tuple[str, str]) -> np.ndarray:
        """Fraction of the way from one mean plane to the other, shape (y, x)."""
        near, far = (self.cell.plane_um(name) for name in faces)
        return np.asarray((z * self.cell.voxel_size_um[0] - near) / (far - near))

    def metrics(self) -> Metrics:
        """Give bias, bias by depth band from the anode's side, and scatter of the blocks' means."""
        found: Metrics = {}
        for row, label in enumerate(_LAYERS):
            name = label.name.lower()
            n, error, shift = self.sums[:, row]
            if n.sum() < _LEAST:
                continue
            found[f"grey_bias.{name}"] = metric(error.sum() / n.sum(), "GV", n.sum())
            for band in range(BANDS):
                count = n[band].sum()
                if count >= _LEAST:
                    bias = metric(error[band].sum() / count, "GV", count)
                    found[f"grey_bias.{name}.band_{band + 1}"] = bias
                    if label == Label.ELECTROLYTE:
                        sd = metric(self.stated[band], "GV", count)
                        found[f"grey_sd.{name}.band_{band + 1}"] = sd
            large = n >= _LEAST
            if large.sum() > 1:
                after = error[large] / n[large] / STANDARD_SCALE.step
                before = shift[large] / n[large]
                blocks = int(large.sum())
                found[f"grey_flatness.{name}"] = metric(100 * after.std(), "%", blocks)
                found[f"mu_flatness.{name}"] = metric(100 * before.std(), "%", blocks)
        return found
