"""Labels and attenuation by material. In: slabs; out: Dice, bias and scatter of μ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xct.geometry import MATERIALS, Label
from xct.result import Result
from xct.score.metric import Metrics, Slab, metric

_KINDS = len(Label)
_LEAST = 50  # voxels that a mean rests on


@dataclass
class LabelScore:
    """Agreement of materials: `confusion` counts voxels by true and by found label."""

    confusion: np.ndarray = field(default_factory=lambda: np.zeros((_KINDS, _KINDS), np.int64))

    @classmethod
    def of(cls, mine: Mapping[str, Any], true: Mapping[str, Any]) -> LabelScore | None:
        """Make one where both sides have labels."""
        return cls() if "materials" in mine and "materials" in true else None

    def add(self, slab: Slab) -> None:
        """Add a slab."""
        pairs = slab.true_labels["materials"].astype(np.intp) * _KINDS + slab.labels["materials"]
        counts = np.bincount(pairs.ravel(), minlength=_KINDS**2)
        self.confusion += counts.reshape(_KINDS, _KINDS)

    def metrics(self) -> Metrics:
        """Give the Dice coefficient of each material that the truth has."""
        found: Metrics = {}
        for name, code in MATERIALS.items():
            true, mine = self.confusion[code].sum(), self.confusion[:, code].sum()
            if true:
                both = 2 * self.confusion[code, code] / (true + mine)
                found[f"dice.{name}"] = metric(both, "1", true)
        return found


@dataclass
class SeparatorScore:
    """Agreement of the electrolyte between the anode and the true front of the cathode.

    Inside the composite, electrolyte lies in gaps of a few voxels between particles, and between
    steel and tube there may be some by mistake: neither says how well the separator was found.
    `front_px` is the height of the front by column, in slices; `sign` is +1 where the anode is at
    small z; `counts` are voxels that are electrolyte in truth, as found, and in both.
    """

    front_px: np.ndarray
    sign: int
    counts: np.ndarray = field(default_factory=lambda: np.zeros(3, np.int64))

    @classmethod
    def of(
        cls, mine: Mapping[str, Any], true: Mapping[str, Any], truth: Result
    ) -> SeparatorScore | None:
        """Make one where both sides have labels and the truth has a front."""
        both = "materials" in mine and "materials" in true
        if not both or not (truth.path / "surfaces.zarr").is_dir():
            return None
        front = truth.surfaces.get("electrolyte_cathode")
        if front is None:
            return None
        return cls(front.height_um / truth.cell.voxel_size_um[0], truth.cell.sign)

    def add(self, slab: Slab) -> None:
        """Add a slab."""
        z = np.arange(slab.first, slab.first + len(slab.mu))[:, None, None]
        before = self.sign * (z - self.front_px) < 0  # False where there is no front
        found = [
            (labels["materials"] == Label.ELECTROLYTE) & before
            for labels in (slab.true_labels, slab.labels)
        ]
        self.counts += [found[0].sum(), found[1].sum(), (found[0] & found[1]).sum()]

    def metrics(self) -> Metrics:
        """Give the Dice coefficient of the separator."""
        true, mine, both = (int(count) for count in self.counts)
        return {"dice.separator": metric(2 * both / (true + mine), "1", true)} if true else {}


@dataclass
class AttenuationScore:
    """Error of μ in the interior of each material; `sums` are n, error, its square and true μ."""

    sums: np.ndarray = field(default_factory=lambda: np.zeros((4, _KINDS)))

    @classmethod
    def of(cls, true: Mapping[str, Any]) -> AttenuationScore | None:
        """Make one where the truth has labels."""
        return cls() if "materials" in true else None

    def add(self, slab: Slab) -> None:
        """Add a slab; voxels at which the result holds exactly 0 lie outside of its circle."""
        assert slab.interior is not None
        for z in range(len(slab.mu)):
            there = slab.interior[z] & (slab.mu[z] != 0)
            kinds = slab.true_labels["materials"][z][there]
            true = slab.true_mu[z][there].astype(np.float64)
            error = slab.mu[z][there] - true
            for row, weights in enumerate((None, error, error**2, true)):
                self.sums[row] += np.bincount(kinds, weights, minlength=_KINDS)

    def metrics(self) -> Metrics:
        """Give bias, in 1/cm and % of the material's μ, and root mean square error."""
        found: Metrics = {}
        for label in Label:
            n, error, squared, true = self.sums[:, label]
            if n < _LEAST:
                continue
            name = label.name.lower()
            found[f"mu_bias_per_cm.{name}"] = metric(error / n, "1/cm", n)
            found[f"mu_rmse_per_cm.{name}"] = metric(np.sqrt(squared / n), "1/cm", n)
            if label not in (Label.OUTSIDE, Label.LOW_GREY) and true > 0:
                found[f"mu_bias_percent.{name}"] = metric(100 * error / true, "%", n)
        return found
