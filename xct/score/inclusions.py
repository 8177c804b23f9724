"""Low-grey inclusions in the electrolyte. In: labels, tables; out: recall by size, precision.

What lies at the cathode's front is not told from its pores, and what stands out of the lithium's
face and is lithium is rightly called low grey: neither has a part in the precision.
Filaments have scores of their own (`xct.score.filaments`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from xct.geometry import Label
from xct.result import Result
from xct.score.metric import Metrics, Slab, metric

# Thickness in voxels: what is thinner than two is below the resolution.
CLASSES = (("thin", 0.0, 2.0), ("medium", 2.0, 4.0), ("thick", 4.0, np.inf))
_MEAN_OF_LARGEST = 2 / 3  # thickness of an ellipsoid, which is what cracks and chips are
_SEEN = 0.3  # of an inclusion's voxels that are called low grey
_NEAR = 2  # voxels, from the middle of what was found to an inclusion that is there


@dataclass
class InclusionScore:
    """Voxels of each true inclusion, and how many of them were called low grey.

    Attributes
    ----------
    mine, true : DataFrame
        Tables of inclusions; `mine` may be None.
    voxel_um : float
        Edge of a voxel.
    counts : ndarray, shape (2, inclusion + 1)
        All voxels, and those seen.
    least_um : float
        Thickness of a plate of which half are found, by the result; infinity where it has none.
    touched, of_lithium : ndarray of bool
        For each inclusion that was found, whether there is one, and whether it touches the lithium
        and its middle is a part of it.
    """

    mine: pd.DataFrame | None
    true: pd.DataFrame
    voxel_um: float
    labelled: bool
    counts: np.ndarray
    least_um: float
    touched: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    of_lithium: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    @classmethod
    def of(
        cls, result: Result, truth: Result, mine: Mapping[str, Any], true: Mapping[str, Any]
    ) -> InclusionScore | None:
        """Make one where the truth has inclusions, even if their number is 0."""
        tables = result.tables, truth.tables
        if "inclusions" not in true or "inclusions" not in tables[1]:
            return None
        found, there = tables[0].get("inclusions"), tables[1]["inclusions"]
        if found is None and "materials" not in mine:
            return None
        if found is not None and "class" in found:
            found = found[found["class"] != "at_front"]
        if found is not None and "filament" in found:  # whose middles may lie beside them
            found = found[~found["filament"].astype(bool)]
        size = int(there.inclusion.max()) + 1 if len(there) else 1
        stated = result.summary.get("inclusion_detection_um.plate", {})
        none = np.zeros(0 if found is None else len(found), bool)
        return cls(
            found, there, truth.voxel_size_um, "materials" in mine, np.zeros((2, size), np.int64),
            float(stated.get("value", np.inf)), none.copy(), none.copy(),
        )  # fmt: skip

    def add(self, slab: Slab) -> None:
        """Add a slab."""
        numbers = slab.true_labels["inclusions"]
        there = numbers > 0
        self.counts[0] += np.bincount(numbers[there], minlength=self.counts.shape[1])
        if self.labelled:
            seen = there & (slab.labels["materials"] == Label.LOW_GREY)
            self.counts[1] += np.bincount(numbers[seen], minlength=self.counts.shape[1])
        if self.mine is not None:
            lithium = slab.true_labels.get("materials", numbers) == Label.LITHIUM
            self._touch(slab.first, there, lithium & ~there)

    def _touch(self, first: int, there: np.ndarray, lithium: np.ndarray) -> None:
        """Look around the middle of each inclusion that was found."""
        assert self.mine is not None
        places = np.rint(self.mine[["z_um", "y_um", "x_um"]].to_numpy() / self.voxel_um)
        beside = self.mine.get("class", pd.Series("", self.mine.index)) == "at_lithium"
        for number, (z, y, x) in enumerate(places.astype(int)):
            around = [slice(max(c - _NEAR, 0), c + _NEAR + 1) for c in (z - first, y, x)]
            if z - first + _NEAR >= 0 and there[tuple(around)].any():
                self.touched[number] = True
            if beside.iloc[number] and 0 <= z - first < len(there):
                self.of_lithium[number] = lithium[z - first, y, x]

    def metrics(self) -> Metrics:
        """Give recall over all and by thickness, and precision."""
        found: Metrics = {}
        if self.labelled:
            wide = self.true.assign(
                voxels=self.counts[0, self.true.inclusion],
                seen=self.counts[1, self.true.inclusion],
                thick=self.true.thickness_um / self.voxel_um,
            )
            wide = wide[wide.voxels > 0]
            recalled = wide.seen >= _SEEN * wide.voxels
            for name, low, high in CLASSES:
                mine = (wide.thick >= low) & (wide.thick < high)
                if mine.any():
                    fraction = recalled[mine].mean()
                    found[f"inclusion_recall.{name}"] = metric(fraction, "1", mine.sum())
            if len(wide):
                found["inclusion_recall.all"] = metric(recalled.mean(), "1", len(wide))
            mean_um = _MEAN_OF_LARGEST * wide.thickness_um
            if (mean_um >= self.least_um).any():
                some = recalled[mean_um >= self.least_um]
                found["inclusion_recall.detectable"] = metric(some.mean(), "1", len(some))
            above = wide.thick >= CLASSES[1][1]
            if above.any():
                found["inclusion_recall"] = metric(recalled[above].mean(), "1", above.sum())
        if self.mine is not None:
            touched = self.touched[self.touched | ~self.of_lithium]
            found["inclusion_false"] = metric((~touched).sum(), "inclusions", len(touched))
            if len(touched):
                found["inclusion_precision"] = metric(touched.mean(), "1", len(touched))
        return found
