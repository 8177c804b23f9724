"""Stripes in sinograms, rings in slices. In: line integrals; out: the same without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.errors import DataError
from xct.parallel.threads import over_ranges
from xct.preprocess.columns.bad_columns import all_finite, bridge_columns, find_bands
from xct.preprocess.columns.drifting import Drift, find_drifting, level
from xct.preprocess.columns.mirror_axis import mirror_axis
from xct.preprocess.fourier_wavelet import damp_stripes
from xct.preprocess.sorting import smooth_ranks
from xct.preprocess.stripe_choice import (
    Chosen,
    StripeChoice,
    Way,
    Weighed,
    choice_number,
    choose,
    chosen_of,
    weigh,
)
from xct.preprocess.stripe_profile import column_constants, subtract
from xct.quantity import Quantity
from xct.stages import Band, RowCounts, name_bands, replaced, stage

Method = Literal["auto", "profile", "weak", "sorting", "both", "wavelet"]

_SIZE_PX, _SIZE_OF_BOTH_PX = 15, 21
_LEAST_WIDTHS = 12  # windows that fit into the width of a narrow detector
# Bands that are narrower than this leave no mark that anybody measures.
_WIDE_PX = 8
_FAULTY_RATIO = 3.0


def wide_bands(bands: Sequence[Band]) -> str | None:
    """Name the bands of columns, and their rows, over which much was interpolated."""
    if not bands:
        return None
    widest = max(band.stop - band.first for band in bands)
    return (
        f"{name_bands(bands)} are dead, stuck or wander, and are "
        f"interpolated over up to {widest} pixels: what the sample has there is lost in a ring "
        "about the rotation axis; move the sample between two scans, or the detector, so that "
        "other columns see it"
    )


@stage(
    gives=Quantity("stripe_way", unit="how stripes are removed", taken=chosen_of),
    estimate=choice_number,
)
def measure_stripes(
    line_integrals: np.ndarray,
    *,
    size_px: Annotated[int, Ge(3), Le(1001)] | None = None,
) -> StripeChoice:
    """Measure the stripes of some rows, and pick how to remove them.

    Means of columns over ranges of angles tell the stripes: what two of them have in common is
    no noise, and the sample has moved on between them. The ways of `stripes` are tried:

    - ``profile`` or ``weak``, whichever takes off more stripes, where it takes off at least 3 (2.2)
      times what the sample alone would make it take off. How much that is, is measured where each
      range of angles is moved along the columns against the last one: no stripe is straight then.
    - ``both`` where it removes stripes that ``profile`` leaves, and changes values by less than a
      third of their noise.
    - ``none`` elsewhere, and where what would be taken off is mirrored about the rotation axis.

    Columns whose gain drifts in most rows are found before, and named.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Some rows, finite values, at least 3 columns.
    size_px : int, optional
        As of `stripes`.

    Returns
    -------
    StripeChoice
        The way, the standard deviation of stripes before and after it, and that of the noise of
        a value.

    Raises
    ------
    DataError
        As `stripes`.
    """
    cleaned = _checked(line_integrals)
    drifting = find_drifting(cleaned, _width(cleaned, size_px, _SIZE_PX))
    found: list[Weighed | None] = [None] * cleaned.shape[1]

    def measure(first: int, stop: int) -> None:
        for row in range(first, stop):
            _mend(cleaned, row, _FAULTY_RATIO, drifting)
            found[row] = _weighed(cleaned, row, size_px)[0]

    over_ranges(measure, cleaned.shape[1])
    choice = choose([one for one in found if one is not None])
    return replace(choice, drifting=drifting)


@stage(
    gives="line_integrals",
    cut=("row",),
    counts=RowCounts("mended_columns", True, wide_px=_WIDE_PX, band_warning=wide_bands),
)
def stripes(
    line_integrals: np.ndarray,
    stripe_way: Way | Chosen | None = None,
    *,
    method: Method = "profile",
    size_px: Annotated[int, Ge(3), Le(1001)] | None = None,
    faulty_ratio: Annotated[float, Gt(1)] = _FAULTY_RATIO,
) -> np.ndarray:
    """Remove stripes from each sinogram, which would be rings in its slice.

    First, columns that do not follow the sample, one or many side by side, are interpolated from
    those on either side: dead, stuck and unresponsive ones, and those whose readings wander, where
    the columns left and right agree with each other. They are counted. Then

    - ``profile`` takes a constant off each column: the difference of the mean over the angles
      and its sliding median along the columns. The angles vote in 32 ranges, of which the middle
      half is averaged, column by column, so that an edge of the sample, which is in each range at
      another place, has no say. Where the votes disagree, as they do on fine structure of the
      sample, less is taken off. Three passes. Wider stripes are found by the steps at which they
      begin and end. Quick; hardly changes what has no stripes.
    - ``sorting`` is algorithm 3 of [1]_: each column is sorted, a sliding median along the
      columns applied to equal ranks, and the order of the angles restored. It removes stripes
      whose strength depends on the signal, too, but also reshapes fine detail and noise.
    - ``both`` takes off constants first, also small ones, and sorts then. It removes the most.
    - ``weak`` takes off constants, too, however small they are: the angles vote in 192 ranges, of
      about a degree. It removes weak rings and leaves edges as they are, but does not spare fine
      structure that stays at a column for long.
    - ``wavelet`` is [2]_: what is fine across the columns and changes slowly along the angles is
      damped, scale by scale up to `size_px`. It removes nearly all stripes, also those that change
      with the angle, and what of the sample looks like one. Five times as slow as ``both``.
    - ``auto`` does what `measure_stripes` picked for the scan; without that step, each sinogram
      is measured by itself.

    What is at the same columns at all angles and mirrored about the rotation axis is the sample, a
    wire on the axis or the wall of a tube about it, and stays. The axis is found, roughly, from
    projections half a turn apart; where there are none, as with other orders of the angles, what
    is concentric with the axis and narrower than half of `size_px` cannot be told from a stripe.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Finite values, at least 3 columns.
    stripe_way : {"none", "profile", "weak", "both"} or Chosen, optional
        What `measure_stripes` picked, and the columns whose gain drifts: up to three side by side
        are interpolated, of wider bands the drift is taken off.
    method : {"auto", "profile", "weak", "sorting", "both", "wavelet"}, optional
        Constant correction of each column, also of weak stripes, Vo's sorting, both, Münch's
        wavelets, or what suits the stripes.
    size_px : int, optional
        Width of the sliding median in pixels: more than twice that of the widest stripe. Unless
        given 15 (for ``both`` 21), or a twelfth of the columns where that is less: a wider
        window on a narrow detector takes the sample itself for stripes.
    faulty_ratio : float, optional
        A column is faulty where it differs from the line between its neighbors this many times
        more than these from each other (standard deviation over the angles). Noise alone gives
        0.87, samples up to 1.4.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        Line integrals.

    Raises
    ------
    DataError
        If values are not finite, or there are fewer than 3 columns.

    References
    ----------
    .. [1] Vo, Atwood & Drakopoulos (2018), Opt. Express 26, 28396. doi:10.1364/OE.26.028396
    .. [2] Münch, Trtik, Marone & Stampanoni (2009), Opt. Express 17, 8567.
       doi:10.1364/OE.17.008567
    """
    cleaned = _checked(line_integrals)
    mended = np.zeros(cleaned.shape[1:], np.bool_)
    picked, drifting = stripe_way if isinstance(stripe_way, Chosen) else (stripe_way, ())
    way = picked if method == "auto" else method
    remove = partial(_REMOVE[way], size_px=size_px) if way else partial(_as_suits, size_px=size_px)

    def clean(first: int, stop: int) -> None:
        for row in range(first, stop):
            mended[row] = _mend(cleaned, row, faulty_ratio, drifting)
            remove(cleaned, row)

    over_ranges(clean, cleaned.shape[1])
    replaced(mended)
    return cleaned


def _checked(line_integrals: np.ndarray) -> np.ndarray:
    """Copy line integrals, finite and wide enough."""
    if line_integrals.ndim != 3 or line_integrals.shape[2] < 3:
        raise DataError(
            f"line integrals have shape {line_integrals.shape}; stripes needs (angle, row, column) "
            "with at least 3 columns"
        )
    copied = np.array(line_integrals, np.float32, order="C")
    usable = np.zeros(copied.shape[1], np.bool_)

    def look(first: int, stop: int) -> None:
        for row in range(first, stop):
            usable[row] = all_finite(copied, row)

    over_ranges(look, usable.size)
    if not usable.all():
        _refuse(line_integrals, ~usable)
    return copied


def _refuse(line_integrals: np.ndarray, unusable: np.ndarray) -> None:
    rows = np.flatnonzero(unusable)
    values = line_integrals[:, rows]
    raise DataError(
        f"{np.count_nonzero(~np.isfinite(values))} line integrals in {rows.size} rows, first row "
        f"{rows[0]} (counted from 0), are NaN or infinite; put fill_nonpositive (and before the "
        "logarithm fill_dead_pixels) before stripes"
    )


def _mend(
    sinograms: np.ndarray, row: int, ratio: float, drifting: Sequence[Drift] = ()
) -> np.ndarray:
    """Interpolate bad columns of a sinogram; say which they are."""
    bad = np.zeros(sinograms.shape[2], np.bool_)
    level(sinograms, row, drifting, bad)
    find_bands(sinograms, row, ratio, bad)
    bridge_columns(sinograms, row, bad)
    return bad


def _width(sinograms: np.ndarray, size_px: int | None, usual: int) -> int:
    return size_px or max(3, min(usual, sinograms.shape[2] // _LEAST_WIDTHS - 1))


def _take_off(sinograms: np.ndarray, row: int, size: int, how: str) -> np.ndarray:
    """Take constants off the columns; give those that are the sample's."""
    stripe, sample = column_constants(sinograms, row, size, mirror_axis(sinograms, row), how)
    subtract(sinograms, row, np.where(sample, np.float32(0), stripe))
    return sample


def _sort(sinograms: np.ndarray, row: int, size: int, sample: np.ndarray) -> None:
    """Sort all columns but those that are the sample's."""
    kept = sinograms[:, row, sample]
    smooth_ranks(sinograms, row, size)
    sinograms[:, row, sample] = kept


def _by_profile(sinograms: np.ndarray, row: int, size_px: int | None) -> None:
    _take_off(sinograms, row, _width(sinograms, size_px, _SIZE_PX), "profile")


def _by_weak(sinograms: np.ndarray, row: int, size_px: int | None) -> None:
    _take_off(sinograms, row, _width(sinograms, size_px, _SIZE_PX), "weak")


def _by_sorting(sinograms: np.ndarray, row: int, size_px: int | None) -> None:
    smooth_ranks(sinograms, row, _width(sinograms, size_px, _SIZE_PX))


def _by_both(sinograms: np.ndarray, row: int, size_px: int | None) -> None:
    size = _width(sinograms, size_px, _SIZE_OF_BOTH_PX)
    _sort(sinograms, row, size, _take_off(sinograms, row, size, "both"))


def _by_wavelet(sinograms: np.ndarray, row: int, size_px: int | None) -> None:
    size = _width(sinograms, size_px, _SIZE_PX)
    sinograms[:, row] = damp_stripes(np.ascontiguousarray(sinograms[:, row]), size)


def _leave(sinograms: np.ndarray, row: int, size_px: int | None) -> None:
    """Leave a sinogram without stripes as it is."""


_REMOVE: dict[str, Callable[..., None]] = {
    "none": _leave,
    "profile": _by_profile,
    "weak": _by_weak,
    "sorting": _by_sorting,
    "both": _by_both,
    "wavelet": _by_wavelet,
}


def _as_suits(sinograms: np.ndarray, row: int, size_px: int | None) -> None:
    """Do what suits this sinogram."""
    weighed, both, stripe = _weighed(sinograms, row, size_px)
    way = choose([weighed]).way
    if way == "both":
        sinograms[:, row] = both
    elif way != "none":
        subtract(sinograms, row, stripe[way])


def _weighed(
    sinograms: np.ndarray, row: int, size_px: int | None
) -> tuple[Weighed, np.ndarray, dict[str, np.ndarray]]:
    """Try all ways on a sinogram; give what is known of them, and what they make of it."""
    before = sinograms[:, row]
    both = before[:, None].copy()
    _by_both(both, 0, size_px)
    sizes = (_width(sinograms, size_px, usual) for usual in (_SIZE_PX, _SIZE_OF_BOTH_PX))
    weighed, stripe = weigh(before, both[:, 0], *sizes)
    return weighed, both[:, 0], stripe
