"""Phases of any stack of images, by grey value. In: grey values, or labels; out: labels, a table.

For powders, electrodes and sections in which there is no cell to go by.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import scipy
from annotated_types import Ge, Le

from xct.errors import DataError
from xct.figures import canvas
from xct.parallel.blocks import Block, Voxels, slabs
from xct.parallel.executors import map_blocks
from xct.quantity import Labels, Number, Quantity, Table
from xct.segment.denoise import denoise, overlap_rows
from xct.segment.material.phase_levels import PhaseLevels, find_levels
from xct.segment.material.two_phase import bright_phase, noise_sd
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_SAMPLES = 12  # slices that levels are found in
_RIM = 4  # slices beyond a block that rims depend on
_CODES = 256


def phase_numbers(phases: pd.DataFrame) -> Iterator[tuple[str, Number]]:
    """Give the fraction of each phase."""
    n = int(phases["voxels"].sum())
    for row in phases.itertuples():
        yield f"phase_fraction.{row.phase}", Number(row.volume_fraction, "1", n=n)


def phase_figure(phase_labels: Any, volume: Any, title: str = "") -> Figure:
    """Draw the middle slice, and the phases in it."""
    z = phase_labels.shape[0] // 2
    figure, axes = canvas(1, 2, (11, 5))
    grey, codes = np.asarray(volume[z : z + 1])[0], np.asarray(phase_labels[z : z + 1])[0]
    low, high = np.nanpercentile(grey, (0.5, 99.5))
    axes[0].imshow(grey, cmap="gray", vmin=low, vmax=max(high, low + 1e-9))
    shown = axes[1].imshow(codes, cmap="viridis", interpolation="none")
    axes[0].set(xticks=[], yticks=[], title=f"{title}, slice {z}")
    axes[1].set(xticks=[], yticks=[], title="phases")
    figure.colorbar(shown, ax=axes[1], ticks=np.unique(codes).tolist(), label="phase")
    return figure


@stage(
    gives=(
        Quantity(
            "phase_labels",
            ("z", "y", "x"),
            "number of the phase",
            store=Labels("phases", "uint8"),
            figures={"phases": phase_figure},
        ),
        Quantity("phases", unit="table of phases", store=Table(), numbers=phase_numbers),
    ),
    measures=True,
)
def phases(
    volume: Voxels,
    voxel_size_um: Any,
    labelled: bool = False,
    frame_interval_s: float | None = None,
    into: Any = None,
    *,
    count: Annotated[int, Ge(2), Le(6)] = 3,
    smoothing: Annotated[float, Ge(0), Le(5)] = 1.0,
) -> tuple[Any, pd.DataFrame]:
    """Give each voxel one of so many phases, from dark to bright.

    1. The stack is smoothed by total variation; grey values are measured on what was not smoothed.
    2. Levels of the pure phases, their common width, and voxels that hold some of two are fitted
       to the histogram of some slices [1]_. Where the levels are less than three widths apart, or
       few voxels are pure, the brightest phase is looked for by its local contrast
       (`xct.segment.bright_phase`), and the others in the histogram of the rest.
    3. A rim of a middle phase, up to two voxels wide, between a darker and a brighter one is an
       edge: its voxels go to the nearer of these two.

    A stack of labels keeps them.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Grey values on any scale, or labels; one slice for an image.
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.
    labelled : bool, optional
        Whether the stack holds labels.
    frame_interval_s : float, optional
        The slices are images taken one after the other: each is smoothed by itself.
    into : array of uint8, shape (z, y, x), optional
        Where phases are written; a new array unless given.
    count : int, optional
        Phases of a stack of grey values.
    smoothing : float, optional
        Weight of the total variation, in standard deviations of the noise; 0 for none.

    Returns
    -------
    labels : array of uint8, shape (z, y, x)
        1 the darkest phase, 2 the next …; 0 where the stack has no value. A stack's own labels.
    table : DataFrame
        A row for each phase: ``phase``, ``voxels``, ``volume_um3`` (``area_um2`` of an image),
        ``volume_fraction``, ``mixture_fraction`` (by the histogram, in which edges belong to both:
        what it differs by is how sure the fraction is), ``level`` (grey value of the pure phase),
        ``mean_grey``, ``sd_grey`` (of its voxels), ``certainty`` (mean probability that a voxel is
        the phase that it was given). NaN where it is not known.

    Raises
    ------
    DataError
        If there are fewer phases than `count`, or labels are no whole numbers from 0 to 255.

    References
    ----------
    .. [1] Santago & Gage (1995), IEEE Trans. Image Process. 4, 1531. doi:10.1109/83.469934
    """
    flat = frame_interval_s is not None or volume.shape[0] == 1
    return phases_in_slabs(
        volume, voxel_size_um, into, labelled=labelled, flat=flat, count=count, smoothing=smoothing
    )


def phases_in_slabs(
    volume: Voxels,
    voxel_size_um: Any,
    into: Any = None,
    *,
    labelled: bool = False,
    flat: bool = False,
    count: int = 3,
    smoothing: float = 1.0,
    rows: int | None = None,
) -> tuple[Any, pd.DataFrame]:
    """Work as `phases` does, in slabs of a given height, which changes nothing."""
    labels = np.zeros(volume.shape, np.uint8) if into is None else into
    rule = None if labelled else _rule(volume, count, smoothing, flat=flat)
    overlap = 0 if rule is None else rule.overlap
    parts = map_blocks(_label_slab, slabs(volume.shape, overlap, rows), volume, rule, labels)
    sums = np.array([plane for part in parts for plane in part]).sum(axis=0)
    return labels, _table(sums, rule, voxel_size_um, is_image=volume.shape[0] == 1)


class _Rule(NamedTuple):
    """How a block is labelled."""

    levels: PhaseLevels  # of all phases, or of all but the brightest
    by_contrast: bool  # whether the brightest is found by its local contrast
    noise: float
    flat: bool

    @property
    def phases(self) -> int:
        return len(self.levels.mixture.levels) + self.by_contrast

    @property
    def overlap(self) -> int:
        return 0 if self.flat else _RIM + (overlap_rows("total_variation") if self.noise else 0)

    def smooth(self, values: np.ndarray) -> np.ndarray:
        if not self.noise:
            return values
        if not self.flat:
            return denoise(values, "total_variation", noise=self.noise)
        each = (denoise(plane[None], "total_variation", noise=self.noise) for plane in values)
        return np.concatenate(list(each))

    def label(self, values: np.ndarray) -> np.ndarray:
        """Give codes from 1; 0 where there is no value."""
        known = np.isfinite(values)
        if not known.all():
            values = np.where(known, values, np.float32(self.levels.mixture.levels[0]))
        smooth = self.smooth(np.ascontiguousarray(values, np.float32))
        codes = 1 + np.searchsorted(self.levels.thresholds, smooth).astype(np.uint8)
        if self.by_contrast:
            codes[_bright(values)] = self.phases
        _mend_rims(codes, smooth, self._middles(), flat=self.flat)
        codes[~known] = 0
        return codes

    def _middles(self) -> np.ndarray:
        """Give the levels by which a rim goes to the darker or the brighter phase.

        What is brightest by its contrast has no level: a rim beside it is none of its own.
        """
        found = np.asarray(self.levels.mixture.levels)
        return np.append(found, np.inf) if self.by_contrast else found


def _rule(volume: Voxels, count: int, smoothing: float, *, flat: bool) -> _Rule:
    depth = volume.shape[0]
    chosen = np.unique(np.linspace(0, depth - 1, min(_SAMPLES, depth)).round().astype(int))
    planes = [np.asarray(volume[z : z + 1], np.float32)[0] for z in chosen.tolist()]
    planes = [plane for plane in planes if np.isfinite(plane).all() and np.ptp(plane) > 0]
    if not planes:
        raise DataError(
            "no slice is whole and has more than one grey value; cut the stack to where it has"
        )
    noise = smoothing * float(np.median([noise_sd(plane) for plane in planes]))
    smoother = _Rule(PhaseLevels(None, None, None), False, noise, True)  # type: ignore[arg-type]
    smooth = np.concatenate([smoother.smooth(plane[None]) for plane in planes])
    levels = find_levels(smooth, count)
    rule = _Rule(levels, False, noise, flat)
    if not levels.are_resolved:
        rule = _by_contrast(planes, smooth, count, rule)
    _say_uncertain(rule)
    return rule


def _by_contrast(planes: list[np.ndarray], smooth: np.ndarray, count: int, rule: _Rule) -> _Rule:
    """Take the brightest phase out before levels are found; the rule as it was if that fails."""
    try:
        rest = [values[~bright_phase(p).mask] for p, values in zip(planes, smooth, strict=True)]
        return rule._replace(levels=find_levels(np.concatenate(rest), count - 1), by_contrast=True)
    except ValueError:
        return rule


def _say_uncertain(rule: _Rule) -> None:
    if rule.levels.are_resolved:
        return
    found = ", ".join(f"{level:.4g}" for level in rule.levels.mixture.levels)
    warnings.warn(
        f"phases 1 to {len(rule.levels.mixture.levels)} are hardly told apart by their grey "
        f"values (levels {found}; width {rule.levels.mixture.noise:.3g}; most voxels lie in "
        "between): take fewer phases (steps.phases.count), or paint some voxels and train the "
        "pixel classifier",
        UserWarning,
        stacklevel=2,
    )


def _bright(values: np.ndarray) -> np.ndarray:
    """Find the brightest phase slice by slice; a slice that shows one material holds none."""
    found = np.zeros(values.shape, bool)
    for plane, mask in zip(values, found, strict=True):
        try:
            mask[:] = bright_phase(plane).mask
        except ValueError:
            continue
    return found


def _mend_rims(codes: np.ndarray, grey: np.ndarray, levels: np.ndarray, *, flat: bool) -> None:
    """Give thin rims of a phase between a darker and a brighter one to the nearer of the two."""
    middle = scipy.ndimage
    cube, wide = ((1, 3, 3), (1, 5, 5)) if flat else ((3, 3, 3), (5, 5, 5))
    least = middle.minimum_filter(codes, size=wide, mode="nearest")
    most = middle.maximum_filter(codes, size=wide, mode="nearest")
    thin = np.zeros(codes.shape, bool)
    for code in range(2, levels.size):
        own = codes == code
        core = middle.minimum_filter(own, size=cube, mode="nearest")
        thin |= own & ~middle.maximum_filter(core, size=cube, mode="nearest")
    thin &= (least < codes) & (most > codes)
    low, high = least[thin], most[thin]
    half = (levels[low - 1] + levels[high - 1]) / 2
    codes[thin] = np.where(grey[thin] > half, high, low)


def _label_slab(block: Block, volume: Voxels, rule: _Rule | None, labels: Any) -> list[np.ndarray]:
    """Label a slab; give voxels, sums and sums of squares by code, slice by slice."""
    values = np.asarray(volume[block.outer], np.float32)
    codes = _own_codes(values, block) if rule is None else rule.label(values)[block.inner]
    labels[block.first : block.stop] = codes
    grey = np.where(codes > 0, values[block.inner], 0).astype(np.float64)
    return [
        np.stack([np.bincount(c.ravel(), w, _CODES) for w in (None, g.ravel(), g.ravel() ** 2)])
        for c, g in zip(codes, grey, strict=True)
    ]


def _own_codes(values: np.ndarray, block: Block) -> np.ndarray:
    codes = values.astype(np.uint8)
    if not np.array_equal(codes, values):
        odd = values[codes != values].flat[0]
        raise DataError(
            f"slices {block.first} to {block.stop - 1} hold {odd:g}; labels are whole numbers from "
            "0 to 255: is this a stack of grey values (volume.quantity: grey)?"
        )
    return codes


def _table(
    sums: np.ndarray, rule: _Rule | None, voxel_size_um: Any, *, is_image: bool
) -> pd.DataFrame:
    """Make the table of voxels, sums and squares by code."""
    import pandas as pd

    size = np.asarray(voxel_size_um, float)
    code = np.flatnonzero(sums[0]) if rule is None else np.arange(1, rule.phases + 1)
    voxels, total, squares = sums[:, code]
    unknown = np.full(code.size, np.nan)
    level, mixed, certainty = unknown.copy(), unknown.copy(), unknown.copy()
    mean, scatter = unknown.copy(), unknown.copy()
    if rule is not None:
        held = len(rule.levels.mixture.levels)
        level[:held], certainty[:held] = rule.levels.mixture.levels, rule.levels.certainty
        if not rule.by_contrast:
            mixed[:] = rule.levels.fractions
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / voxels
            scatter = np.sqrt(np.maximum(squares / voxels - mean**2, 0))
    return pd.DataFrame(
        {
            "phase": code,
            "voxels": voxels.astype(np.int64),
            "area_um2" if is_image else "volume_um3": voxels * size[1 if is_image else 0 :].prod(),
            "volume_fraction": voxels / voxels.sum(),
            "mixture_fraction": mixed,
            "level": level,
            "mean_grey": mean,
            "sd_grey": scatter,
            "certainty": certainty,
        }
    )
