"""Gaps and darker shells around the particles of a stack. In: grey values, particles; out: ± sd."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt

from xct.analyze.shells import Bins, Surroundings, measure_layers, sum_by_distance
from xct.analyze.stack.roles import AsMaterials, codes_of
from xct.errors import DataError
from xct.parallel.blocks import Voxels
from xct.physics.optics import FWHM_PER_SIGMA
from xct.quantity import Number, Quantity, Table
from xct.stages import stage
from xct.statistics.bootstrap import median_sd

if TYPE_CHECKING:
    import pandas as pd

_REACH_WIDTHS = 8.0  # of the point spread, unless the reach is given
_ROUGH_PX = 0.15  # scatter of a labelled surface about the true one


def shell_numbers(stack_shells: pd.DataFrame) -> Iterator[tuple[str, Number]]:
    """Give the median thickness of the shells that are resolved."""
    own = stack_shells["shell_um"][stack_shells["shell_resolved"]]
    if len(own):
        sd = median_sd(own.to_numpy()) if len(own) > 1 else None
        yield "median_shell_um", Number(float(own.median()), "µm", sd, len(own))


class _OfMatrix:
    """Grey values of a stack, 0 in voids and 1 in the matrix, as they are read."""

    def __init__(self, volume: Voxels, low: float, high: float, size: np.ndarray) -> None:
        self._volume, self._low, self._step = volume, np.float32(low), np.float32(high - low)
        self.shape = volume.shape
        self.cell = SimpleNamespace(voxel_size_um=tuple(size.tolist()))

    def read(self, first: int, stop: int) -> np.ndarray:
        """Give slices."""
        return (np.asarray(self._volume[first:stop], np.float32) - self._low) / self._step


@stage(
    gives=Quantity(
        "stack_shells",
        unit="table of gaps and shells around particles",
        store=Table("shells"),
        numbers=shell_numbers,
    ),
    measures=True,
)
def stack_shells(
    volume: Voxels,
    stack_particle_labels: Voxels,
    stack_particles: pd.DataFrame,
    phase_labels: Voxels,
    phases: pd.DataFrame,
    roles: pd.DataFrame,
    voxel_size_um: Any,
    blur_um: float,
    frame_interval_s: float | None = None,
    *,
    reach_um: Annotated[float, Gt(0)] | None = None,
) -> pd.DataFrame:
    """Measure the gap between each particle and the matrix, and the darker shell around it.

    As `particle_shells` does in a cell: grey values averaged by distance from the particle's
    surface, and layers fitted to them. Only where the configuration says the point spread
    (`volume.blur_um`): without it a layer looks like a blurred surface.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Grey values, not smoothed, of a resolution finer than the shells.
    stack_particle_labels, stack_particles : Voxels, DataFrame
        What `stack_particles` gave.
    phase_labels, phases : Voxels, DataFrame
        What `phases` gave.
    roles : DataFrame
        Which phase is what.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    blur_um : float
        Full width at half maximum of the point spread.
    frame_interval_s : float, optional
        Of a series, of which no shells are measured.
    reach_um : float, optional
        How far from a particle voxels count; eight widths of the point spread unless given.

    Returns
    -------
    DataFrame
        A row for each particle, as of `xct.analyze.particle_shells`.

    Raises
    ------
    DataError
        If the stack is a series, holds labels, or has no matrix brighter than its voids.
    """
    import pandas as pd

    if frame_interval_s is not None:
        raise DataError("shells are measured in one image or volume, not in a series: cut it")
    low, high = (_level(phases, codes_of(roles, role)) for role in ("void", "matrix"))
    if not high > low:
        raise DataError(
            f"the grey value of the matrix ({high:.4g}) is not above that of voids ({low:.4g}): "
            "shells are measured in grey values, with voids darker than the matrix"
        )
    size = np.asarray(voxel_size_um, float)
    pixel = float(size[1:].min()) if volume.shape[0] == 1 else float(size.min())
    bins = Bins.of(pixel, blur_um, reach_um or _REACH_WIDTHS * blur_um)
    ratios: Any = _OfMatrix(volume, low, high, size)
    around = Surroundings(ratios, stack_particle_labels, AsMaterials(phase_labels, roles))
    known = stack_particles["particle"].to_numpy(int)
    sums = sum_by_distance(around, int(known.max(initial=0)), bins)
    sigma = float(np.hypot(blur_um / FWHM_PER_SIGMA, _ROUGH_PX * pixel))
    rows = [{"particle": int(p), **measure_layers(sums[p], bins, sigma, 0.0)} for p in known]
    return pd.DataFrame(rows)


def _level(phases: pd.DataFrame, codes: list[int]) -> float:
    """Grey value of a role: of the pure phase, or the mean of its voxels; NaN without any."""
    own = phases[phases["phase"].isin(codes) & (phases["voxels"] > 0)]
    level = own["level"].where(own["level"].notna(), own["mean_grey"])
    return float(np.average(level, weights=own["voxels"])) if len(own) else float("nan")
