"""Fringes in a finished volume, at the walls of bore and tube. In: a volume, its cell; out: text.

Nothing attenuates less than air, and an even electrolyte is no brighter beside its wall: rings that
say otherwise are what propagation leaves of an edge. So they are seen also in volumes that another
program reconstructed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from xct.geometry import CellGeometry
from xct.normalize.artifacts import SURE, Artifacts
from xct.normalize.sampling import electrolyte_span, slices_by_slab
from xct.parallel.blocks import Voxels
from xct.parallel.executors import map_blocks
from xct.preprocess.fringes import fringes_of_run
from xct.quantity import Number, Quantity, declare

_SLICES = 12
_PER_VOXEL = 2  # rings
_LEAST_VOXELS = 40  # of a ring, in one slice
_ENOUGH = 2**14  # voxels of a slice, that show its noise
# In voxels from the outermost edge: where a fringe is looked for, and where there is air again.
_BESIDE, _BEYOND = (-1.5, 6.0), (8.0, 24.0)
# In voxels from the bore's wall, the first two inwards.
_RIM, _INSIDE, _WALL = (0.5, 5.0), (8.0, 24.0), (0.5, 2.0)
# Of the step from air to electrolyte. Cells without propagation: below 0.01 and 0.02; at 20 keV,
# 1.625 µm and 2 mm, where everything measured is still right, 0.17 and 0.01.
_DIP, _OVER = 0.25, 0.15
# One in _RARE voxels within _HELD of the bore's radius; of the same step, and of the noise, of
# which one in a thousand is 3.1 times larger, and which is larger near the axis: that can matter
# where it is no small part of the step.
_RARE, _HELD, _DARK = 1e-3, 0.9, 0.5
_EVEN, _DARK_EVEN, _DARK_NOISY = 0.5, 4.0, 5.0
_SURE = 3.0  # standard errors
# An unsharp mask of two pixels and 0.6 overshoots by 0.10, and has twice the particles; plain cells
# have up to 0.012, and cupping of a tenth makes 0.046 (seeds 3 and 11).
_SHARPENED, _SURELY = 0.06, 4.0


@dataclass(frozen=True)
class WallLight:
    """Rings beside the walls, as fractions of the step from what lies beyond to the electrolyte.

    Attributes
    ----------
    dip : float
        How far the darkest ring beside the outermost edge is below what lies beyond it; NaN where
        nothing beyond is in view.
    over : float
        How far the brightest ring inside the bore's wall is above the electrolyte farther in.
    dip_sd, over_sd : float
        Standard errors over slices.
    darkest : float
        How far one in a thousand of the electrolyte's voxels is below air; what lies beyond the
        wall is taken for that, or 0 where nothing beyond is in view.
    noise : float
        Of a voxel.
    n : int
        Slices.
    """

    dip: float
    over: float
    dip_sd: float
    over_sd: float
    darkest: float
    noise: float
    n: int

    @property
    def below_air(self) -> bool:
        """Whether attenuation is negative beside the outermost edge, for sure."""
        return self.dip > _DIP and self.dip > _SURE * self.dip_sd

    @property
    def above_electrolyte(self) -> bool:
        """Whether the electrolyte is too bright beside the wall, for sure."""
        return self.over > _OVER and self.over > _SURE * self.over_sd

    @property
    def darker_than_air(self) -> bool:
        """Whether voxels inside attenuate less than nothing, by more than noise makes of some."""
        even = self.noise < _EVEN
        return self.darkest > max(_DARK, (_DARK_EVEN if even else _DARK_NOISY) * self.noise)


_UNKNOWN = WallLight(*(float("nan"),) * 6, 0)


def look_at_walls(volume: Voxels, cell: CellGeometry) -> WallLight:
    """Look at the rings beside the walls of bore and tube, in slices of the electrolyte.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Any linear scale.
    cell : CellGeometry
        Where tube, bore and layers lie.

    Returns
    -------
    WallLight
        NaN where the electrolyte's wall is not in view.
    """
    span = electrolyte_span(cell, 0.0)
    if cell.shape[0] < 2:
        return _UNKNOWN
    # Fringes may hide the layers: then all slices are looked at.
    first, stop = (0, cell.shape[0]) if span is None else span.rows()
    margin = (stop - first) // 8
    ends = np.clip([first + margin, stop - 1 - margin], 0, cell.shape[0] - 2)
    groups = slices_by_slab(int(ends[0]), int(max(ends)), _SLICES)
    seen = [*chain(*map_blocks(_look_at_slab, groups, volume, cell))]
    profiles = np.array([one.rings for one in seen])
    voxel = max(cell.voxel_size_um[1:])
    radius = (np.arange(profiles.shape[1]) + 0.5) / _PER_VOXEL
    bore = cell.bore_radius_um / voxel
    outermost = (cell.tube_radius_um or cell.bore_radius_um) / voxel
    has_wall = span is not None and np.isfinite(cell.bore_radius_sd_um)
    level = _median(profiles[:, _between(bore - radius, _INSIDE)])
    air = _median(profiles[:, _between(radius - outermost, _BEYOND)]) if has_wall else np.nan
    step = level - (air if np.isfinite(air) else 0.0)
    if not step > 0:
        return _UNKNOWN
    darkest = (np.nan_to_num(air) - np.median([one.darkest for one in seen])) / step
    noise = float(np.median([one.noise for one in seen])) / step
    found = WallLight(*(float("nan"),) * 4, float(darkest), noise, len(seen))
    if not has_wall:
        return found
    beside = (air - profiles[:, _between(radius - outermost, _BESIDE)]) / step
    rim = (profiles[:, _between(bore - radius, _RIM)] - level) / step
    (dip, dip_sd), (over, over_sd) = _most(beside), _most(rim)
    if _median(profiles[:, _between(radius - bore, _WALL)]) > level:
        over = float("nan")  # a wall of metal, whose blur brightens what is beside it
    return replace(found, dip=dip, over=over, dip_sd=dip_sd, over_sd=over_sd)


def _between(distance: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (distance > limits[0]) & (distance < limits[1])


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


def _most(values: np.ndarray) -> tuple[float, float]:
    """Give the largest mean over slices among rings that all of them hold, and its standard error.

    Two neighboring rings must show it: one alone may be a single bad column of the detector.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
    pairs = np.minimum(mean[1:], mean[:-1])
    if not np.isfinite(pairs).any():
        return float("nan"), float("nan")
    at = int(np.nanargmax(pairs))
    return float(pairs[at]), float(max(sd[at], sd[at + 1]))


class _Slice(NamedTuple):
    """Means of rings about the axis, NaN where too little of one is in view; and its extremes."""

    rings: np.ndarray
    darkest: float
    noise: float


def _look_at_slab(slices: Sequence[int], volume: Voxels, cell: CellGeometry) -> list[_Slice]:
    values = np.asarray(volume[slices[0] : slices[-1] + 2], np.float32)
    at = [z - slices[0] for z in slices]
    return [_look_at_slice(slices[0] + k, values[k], values[k + 1], cell) for k in at]


def _look_at_slice(z: int, image: np.ndarray, next_one: np.ndarray, cell: CellGeometry) -> _Slice:
    radius = cell.radius_um(float(z))
    ring = np.asarray(_PER_VOXEL * radius / max(cell.voxel_size_um[1:]), int)
    known = np.isfinite(image) & (image != image[0, 0])
    length = int(_PER_VOXEL * np.hypot(*image.shape)) + 2
    count = np.bincount(ring[known], minlength=length)[:length]
    total = np.bincount(ring[known], image[known].astype(np.float64), length)[:length]
    rings = np.where(count >= _LEAST_VOXELS, total / np.maximum(count, 1), np.nan)
    held = known & np.isfinite(next_one) & (radius < _HELD * cell.bore_radius_um)
    if np.count_nonzero(held) < 1 / _RARE:
        return _Slice(rings, float("nan"), float("nan"))
    inside = image[held]
    some = slice(None, None, max(1, inside.size // _ENOUGH))
    change = np.abs(inside[some] - next_one[held][some])
    noise = 1.4826 * float(np.median(change)) / np.sqrt(2)
    return _Slice(rings, float(np.quantile(inside, _RARE)), noise)


def _left_in(volume_fringes: WallLight, steps: Mapping[str, Any]) -> list[str]:
    """Say what shows fringes in the volume; where phase was retrieved, inside the bore.

    There the filter is right for the borders of particles, and may leave a fringe at the tube's
    outside.
    """
    seen = []
    if volume_fringes.below_air and "phase_retrieval" not in steps:
        seen.append(
            "attenuation falls below that of air beside the outermost edge, by "
            f"{volume_fringes.dip:.0%} of the electrolyte's"
        )
    if volume_fringes.above_electrolyte:
        seen.append(
            f"the electrolyte beside the bore's wall is {volume_fringes.over:.0%} brighter than "
            "farther in"
        )
    if volume_fringes.darker_than_air and "phase_retrieval" not in steps:
        seen.append(
            "one voxel of the electrolyte in a thousand is below air by "
            f"{volume_fringes.darkest:.0%} of the electrolyte's attenuation"
        )
    return seen


def sharpened_edges(volume_fringes: WallLight, volume_artifacts: Artifacts | None) -> str | None:
    """Say that a filter sharpened a given volume: its electrolyte overshoots beside the wall.

    By more than cupping, and rings that are surely there, make it brighter there.
    """
    seen, other = volume_fringes, volume_artifacts
    if other is None or seen.above_electrolyte or not np.isfinite(seen.over):
        return None
    rings = other.rings if other.rings > SURE * other.rings_sd else 0.0
    usual = _SHARPENED + np.nan_to_num(abs(other.cupping)) + 2 * rings
    if seen.over <= max(usual, _SURELY * seen.over_sd):
        return None
    return (
        f"sharpened: beside the bore's wall the electrolyte is {seen.over:.0%} brighter than "
        "farther in, as an unsharp mask or a weak propagation fringe makes it. Noise and edges "
        "are larger than they are: particles, inclusions and low grey are withheld; measure the "
        "volume as it was reconstructed, without a filter"
    )


def wall_numbers(
    volume_fringes: WallLight, steps: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, Number]]:
    """Give how strong the fringes are, where there are any."""
    if _left_in(volume_fringes, steps or {}):
        yield "fringes_in_volume", Number("seen", n=volume_fringes.n)
        yield (
            "below_air_beside_wall",
            Number(volume_fringes.dip, sd=volume_fringes.dip_sd, n=volume_fringes.n),
        )
        over = Number(volume_fringes.over, sd=volume_fringes.over_sd, n=volume_fringes.n)
        yield "above_electrolyte_beside_wall", over
        yield "below_air_in_electrolyte", Number(volume_fringes.darkest, n=volume_fringes.n)


def wall_warning(
    volume_fringes: WallLight,
    steps: Mapping[str, Any] | None = None,
    numbers: Mapping[str, Mapping[str, Any]] | None = None,
) -> str | None:
    """Say what fringes in a volume do, and what helps; None where there are none, or it is said."""
    done = steps or {}
    seen = _left_in(volume_fringes, done)
    if not seen or fringes_of_run(numbers or {}) is not None:
        return None
    if "phase_retrieval" in done:
        remedy = "the filter does not fit: look at its materials, the energy and the distance"
    elif "fbp" in done:
        remedy = "run with phase_retrieval before line_integrals, as the recipe ssrf does"
    else:
        remedy = (
            "retrieve the phase of the frames before they are reconstructed, as the recipe ssrf "
            "does from raw frames"
        )
    return (
        f"the volume holds propagation fringes: {' and '.join(seen)}, which absorption cannot "
        f"make. Grey values near edges are wrong, and all that is measured on edges and particles "
        f"is withheld; {remedy}"
    )


def known_fringes(
    numbers: Mapping[str, Mapping[str, Any]],
    volume_fringes: WallLight,
    steps: Mapping[str, Any] | None = None,
) -> str | None:
    """Say how fringes are known of that no step has dealt with; None where there are none."""
    of_frames = fringes_of_run(numbers)
    if of_frames is not None:
        return of_frames
    return "seen in the volume" if _left_in(volume_fringes, steps or {}) else None


declare(
    Quantity(
        "volume_fringes",
        unit="rings beside the walls of bore and tube",
        source="run",
        derive=look_at_walls,
        numbers=wall_numbers,
        warning=wall_warning,
    )
)
declare(
    Quantity(
        "sharpened_edges",
        unit="what is wrong with it, in words",
        source="run",
        derive=sharpened_edges,
        basis=True,
    )
)
declare(
    Quantity(
        "uncorrected_fringes",
        unit="what makes light near edges no measure of the sample, in words",
        source="run",
        derive=known_fringes,
    )
)
