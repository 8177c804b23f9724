"""Veiling glare: light that lens and scintillator scatter over the frame, and its subtraction.

A slab of rows does not know the frame: coarse means of all of it are gathered first.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import scipy
from annotated_types import Ge, Gt, Lt

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.quantity import Number, Quantity, declare
from xct.stages import stage

# Light of whole frames, coarsely, and which fraction of it is glare. In: rows; out: numbers.

# Rows of a frame that are looked at, cells that a row is averaged to, and their widest.
_ROWS, _CELLS, _WIDEST_PX = 64, 80, 32
# How far glare may reach, pixels.
_RANGES_PX = np.geomspace(64, 4096, 49)
# What is darker than this fraction of the light about it may be a shadow.
_DARK = 0.05
# A shadow's floor is even: this fraction of what is near it lies within 5 % and 0.0002.
_EVEN, _WITHIN, _WITHIN_ABSOLUTE, _NEAR = 0.8, 0.05, 2e-4, 0.5
_LEAST_CELLS = 12
# Where the shadow is even only with ranges this far from the likely one, it is none.
_SAME_RANGE = 1.5
# Noise of the light over the light about it that is tolerated.
_MOST_NOISE = 1.2e-4
# Of the fraction: glare that falls off as no Gaussian does, or reaches beyond the frame.
_MODEL_SD = 0.03


@dataclass(frozen=True)
class FrameLight:
    """Mean transmission of whole frames, coarsely.

    Attributes
    ----------
    transmission : ndarray of float32, shape (angle, light_row, cell)
        Single rows, averaged over cells of columns.
    row_px : ndarray of int, shape (light_row,)
        Which rows of the frame these are.
    cell_px : int
        Columns of a cell; the last one may be narrower.
    shape : tuple of int
        Rows and columns of the frame.
    """

    transmission: np.ndarray
    row_px: np.ndarray
    cell_px: int
    shape: tuple[int, int]

    def averaged(self, row_px: np.ndarray, range_px: float) -> np.ndarray:
        """Average the light over a Gaussian about some rows.

        Parameters
        ----------
        row_px : ndarray, shape (row,)
            Rows of the frame.
        range_px : float
            Standard deviation of the Gaussian; beyond the frame it is as bright as at its edge.

        Returns
        -------
        ndarray of float32, shape (angle, row, cell)
        """
        along = _fractions_between(np.asarray(row_px, np.float64), _borders(self.row_px), range_px)
        middles = self.middles()
        across = _fractions_between(middles, _borders(middles), range_px)
        blurred = np.einsum("rl,alc->arc", along, self.transmission, optimize=True)
        return np.asarray(blurred @ across.T, np.float32)

    def middles(self) -> np.ndarray:
        """Give the column in the middle of each cell, shape (cell,)."""
        first = np.arange(self.transmission.shape[2]) * self.cell_px
        stop = np.minimum(first + self.cell_px, self.shape[1])
        return np.asarray((first + stop - 1) / 2)


def _borders(places: np.ndarray) -> np.ndarray:
    """Put borders half-way between places; the outermost reach as far as light comes from."""
    between = (places[1:] + places[:-1]) / 2
    return np.concatenate([[-np.inf], between, [np.inf]])


def _fractions_between(at: np.ndarray, borders: np.ndarray, range_px: float) -> np.ndarray:
    """Give the fraction of a Gaussian about `at` between borders, shape (at, between)."""
    below = scipy.special.ndtr((borders[None, :] - at[:, None]) / range_px)
    return np.diff(below, axis=1)


def gather_light(
    read: Callable[[int, int], np.ndarray], rows: int, columns: int, *, most: int = _ROWS
) -> FrameLight:
    """Look at rows over the whole height of the frames.

    Parameters
    ----------
    read : callable
        Gives the transmission of rows first … stop, shape (angle, row, column), NaN where it is
        not known.
    rows, columns : int
        Of a frame.
    most : int, optional
        Rows to look at; one at a time is held in memory.

    Returns
    -------
    FrameLight
    """
    chosen = np.unique(np.linspace(0, rows - 1, min(most, rows)).round().astype(int))
    cell_px = min(max(1, columns // _CELLS), _WIDEST_PX)
    parts = [_coarse(read(int(row), int(row) + 1), cell_px) for row in chosen]
    return FrameLight(np.concatenate(parts, axis=1), chosen, cell_px, (rows, columns))


def _coarse(transmission: np.ndarray, cell_px: int) -> np.ndarray:
    """Average cells of columns, leaving out NaN: (angle, row, column) → (angle, row, cell)."""
    starts = np.arange(0, transmission.shape[2], cell_px)
    known = np.isfinite(transmission)
    sums = np.add.reduceat(np.where(known, transmission, 0), starts, axis=2, dtype=np.float64)
    counts = np.add.reduceat(known, starts, axis=2, dtype=np.float64)
    of_row = sums.sum(axis=2, keepdims=True) / np.maximum(counts.sum(axis=2, keepdims=True), 1)
    # A cell without a single known pixel is as bright as its row.
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), of_row), np.float32)


@dataclass(frozen=True)
class Glare:
    """Which fraction of the light is glare, and how far it reaches.

    Attributes
    ----------
    fraction, sd : float
        Fraction of the light, and its standard uncertainty.
    range_px : float
        Standard deviation of the Gaussian over which it is distributed.
    n : int
        Cells of shadow that it was measured in.
    """

    fraction: float
    sd: float
    range_px: float
    n: int


def measure_glare(frame_light: FrameLight, range_px: float | None = None) -> Glare | None:
    """Measure glare where nothing else arrives: in the shadow of something opaque.

    There the transmission is the glare's fraction of the light about it, everywhere the same. A
    place that is merely dark passes more, the shorter the way through it.

    Parameters
    ----------
    frame_light : FrameLight
        From `gather_light`.
    range_px : float, optional
        How far the glare reaches: standard deviation of a Gaussian. Unless given, that with
        which the shadow is evenest.

    Returns
    -------
    Glare or None
        None where the frames hold no such shadow, or none that is even with a likely range.
    """
    mean = frame_light.transmission.mean(axis=0, dtype=np.float64, keepdims=True)
    still = FrameLight(mean, frame_light.row_px, frame_light.cell_px, frame_light.shape)
    noise = _noise(mean[0])
    if range_px:
        return _with_model_uncertainty(_in_shadow(still, float(range_px), noise))
    found = [_in_shadow(still, float(each), noise) for each in _RANGES_PX]
    first = max((one for one in found if one), key=lambda one: one.n, default=None)
    if first is None:
        return None
    even = np.array([one is not None for one in found])
    likelihood = _log_likelihoods(still, first, noise)
    likely_px = _RANGES_PX[likelihood.argmax()]
    if np.abs(np.log(_RANGES_PX[even] / likely_px)).min() > np.log(_SAME_RANGE):
        return None
    weight = np.where(even, np.exp(likelihood - likelihood[even].max()), 0)
    return _with_model_uncertainty(_averaged([one or first for one in found], weight))


def _with_model_uncertainty(found: Glare | None) -> Glare | None:
    """Add the uncertainty of the model: a Gaussian that ends with the frame."""
    return found and replace(found, sd=float(np.hypot(found.sd, _MODEL_SD * found.fraction)))


def _averaged(found: list[Glare], weight: np.ndarray) -> Glare:
    """Average over the ranges by their likelihood; their scatter adds to the uncertainty."""
    probability = weight / weight.sum()
    fractions = np.array([one.fraction for one in found])
    fraction = float(probability @ fractions)
    scatter = float(probability @ np.square(fractions - fraction))
    of_one = float(probability @ np.square([one.sd for one in found]))
    # Between two ranges of the list any may be the true one.
    best = int(probability.argmax())
    beside = fractions[max(best - 1, 0) : best + 2]
    step = float(np.ptp(beside)) / (len(beside) - 1)
    range_px = float(np.exp(probability @ np.log([one.range_px for one in found])))
    sd = float(np.sqrt(of_one + scatter + step**2 / 12))
    return Glare(fraction, sd, range_px, found[best].n)


def _log_likelihoods(still: FrameLight, first: Glare, noise: float) -> np.ndarray:
    """Log-likelihood of each range, that glare alone is what a first guess leaves in shadow.

    All of the shadow counts, the depth of tall steel too, where nothing must arrive.
    """
    light = still.transmission[0]
    first_about = still.averaged(still.row_px, first.range_px)[0]
    shadow = light <= (1 + _NEAR / 2) * first.fraction * first_about + 3 * noise
    misfits = []
    for each in _RANGES_PX:
        about = still.averaged(still.row_px, float(each))[0][shadow]
        fraction = float(light[shadow] @ about) / max(float(about @ about), 1e-30)
        misfits.append(float(np.square(light[shadow] - fraction * about).sum()))
    return np.asarray(-0.5 * shadow.sum() * np.log(np.maximum(misfits, 1e-30)))


def _in_shadow(still: FrameLight, range_px: float, noise: float) -> Glare | None:
    """Find the floor of the transmission over the light about it, if it is even.

    Cells with so little light about them that noise is as large are left out.
    """
    about = still.averaged(still.row_px, range_px)[0]
    ratio = still.transmission[0] / np.maximum(about, 1e-6)
    lit = about >= max(noise / _MOST_NOISE, 1e-6)
    floor = _half_sample_mode(np.sort(ratio[lit & (ratio < _DARK)], axis=None))
    margin = _NEAR * abs(floor) + 5 * _WITHIN_ABSOLUTE
    near = lit & (np.abs(ratio - floor) <= margin)
    even = lit & (np.abs(ratio - floor) <= _WITHIN * abs(floor) + _WITHIN_ABSOLUTE)
    if even.sum() < max(_LEAST_CELLS, _EVEN * near.sum()):
        return None
    by_row = [np.median(row[good]) for row, good in zip(ratio, even, strict=True) if good.any()]
    sd = float(np.std(by_row) / np.sqrt(len(by_row)))
    return Glare(max(float(np.median(ratio[even])), 0.0), sd, range_px, int(even.sum()))


def _noise(light: np.ndarray) -> float:
    """Estimate the noise of the darker half of the cells from what is not smooth along rows."""
    bend = np.diff(light, 2, axis=1)
    dark = light[:, 1:-1] <= np.quantile(light, 0.5)
    size = np.abs(bend[dark])
    return float(1.4826 * np.median(size) / np.sqrt(6)) if size.size else 0.0


def _half_sample_mode(values: np.ndarray) -> float:
    """Find where sorted values lie closest together, by half-sample modes; NaN for none."""
    while len(values) > 3:
        half = (len(values) + 1) // 2
        first = int(np.argmin(values[half - 1 :] - values[: len(values) - half + 1]))
        values = values[first : first + half]
    return float(values.mean()) if len(values) else np.nan


_RANGE_UM = 300.0  # where it is neither given nor measured


def glare_numbers(frame_light: FrameLight) -> Iterator[tuple[str, Number]]:
    """Give the fraction of the light that is glare, where it can be measured."""
    found = measure_glare(frame_light)
    if found is not None:
        yield "glare_fraction", Number(found.fraction, sd=found.sd, n=found.n)


def removed_glare_sd(
    numbers: Mapping[str, Mapping[str, Any]], steps: Mapping[str, Mapping[str, Any]]
) -> float | None:
    """Give the uncertainty of the glare that was measured and removed; None where none was."""
    measured = "glare" in steps and steps["glare"].get("fraction") in (None, "measured")
    found = numbers.get("glare_fraction")
    return float(found["sd"]) if measured and found is not None else None


declare(
    Quantity(
        "frame_light",
        unit="coarse transmission of whole frames",
        source="run",
        sample=gather_light,
        numbers=glare_numbers,
    )
)
declare(
    Quantity(
        "glare_sd",
        unit="uncertainty of the glare that was measured and removed",
        source="run",
        derive=removed_glare_sd,
    )
)


@stage(gives="transmission", cut=("row",))
def glare(
    transmission: np.ndarray,
    frame_light: FrameLight,
    row_px: np.ndarray,
    *,
    pixel_size_um: float,
    fraction: Annotated[float, Ge(0), Lt(0.5)] | Literal["measured"] = "measured",
    range_um: Annotated[float, Gt(0)] | Literal["measured"] = "measured",
) -> np.ndarray:
    """Subtract the veiling glare that scintillator and lenses scatter over the frame.

    ``T = (T_measured - ε ⟨T⟩) / (1 - ε)``, ⟨T⟩ the mean over a wide Gaussian about the pixel.
    Where little comes through, as in a cathode 3 mm wide, glare of 0.3 % of the beam makes
    active material look less dense; behind the logarithm that cannot be repaired.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, column)
        Dimensionless.
    frame_light : FrameLight
        Coarse means of the whole frames.
    row_px : ndarray, shape (row,)
        Which rows of the frame these are.
    pixel_size_um : float
        Width of a (binned) pixel.
    fraction : float or "measured", optional
        ε; measured in the shadow of something opaque, such as the cell's steel. Without a shadow
        nothing is changed, with a warning.
    range_um : float or "measured", optional
        How far the glare reaches: standard deviation of the Gaussian; measured as that with which
        the shadow is evenest.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        May be zero or negative where nothing but glare arrives: `line_integrals` marks that.

    Raises
    ------
    ValueError
        If the frames' light belongs to another scan.
    """
    angles, _, columns = transmission.shape
    if len(frame_light.transmission) != angles or frame_light.shape[1] != columns:
        raise ValueError(
            f"frame_light is of {len(frame_light.transmission)} frames of "
            f"{frame_light.shape[1]} columns, but the transmission has shape "
            f"{transmission.shape} (angle, row, column)"
        )
    part, range_px = _given_or_measured(frame_light, fraction, range_um, pixel_size_um)
    corrected = np.array(transmission, np.float32)
    if part == 0:
        return corrected
    around = frame_light.averaged(row_px, range_px)
    middles = frame_light.middles()
    place = np.interp(np.arange(columns), middles, np.arange(len(middles)))
    over_ranges(
        lambda first, stop: _subtract(corrected[first:stop], around[first:stop], place, part),
        angles,
    )
    return corrected


def _given_or_measured(
    frame_light: FrameLight,
    fraction: float | Literal["measured"],
    range_um: float | Literal["measured"],
    pixel_size_um: float,
) -> tuple[float, float]:
    """Give the fraction, and the range in pixels; they are measured unless given."""
    given_px = None if range_um == "measured" else float(range_um) / pixel_size_um
    if fraction != "measured" and given_px is not None:
        return float(fraction), given_px
    found = measure_glare(frame_light, given_px)
    if found is None and fraction == "measured":
        warnings.warn(
            "glare is left as it is: no shadow in the frames is as dark and even as glare alone "
            "would make it, so its fraction cannot be measured; give it by steps.glare.fraction, "
            "such as 0.003",
            UserWarning,
            stacklevel=3,
        )
        return 0.0, 1.0
    part = float(fraction) if fraction != "measured" else found.fraction if found else 0.0
    return part, found.range_px if found else _RANGE_UM / pixel_size_um


@njit(cache=True, nogil=True)
def _subtract(transmission: np.ndarray, around: np.ndarray, place: np.ndarray, part: float) -> None:
    """Subtract `part` of the light around, linear between the middles of its cells, and scale."""
    angles, rows, columns = transmission.shape
    last = max(around.shape[2] - 2, 0)
    after = min(1, around.shape[2] - 1)
    scale, part32 = np.float32(1 / (1 - part)), np.float32(part)
    for a in range(angles):
        for r in range(rows):
            for c in range(columns):
                cell = min(int(place[c]), last)
                weight = np.float32(place[c] - cell)
                low, high = around[a, r, cell], around[a, r, cell + after]
                light = low + weight * (high - low)
                transmission[a, r, c] = (transmission[a, r, c] - part32 * light) * scale
