"""Glare: light that lens and scintillator spread over the frame, taken away again.

A slab of rows does not know the frame: coarse means of all of it are gathered first.
"""

from __future__ import annotations

import warnings
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from xct.compiling import njit
from xct.preprocess.frame_light import FrameLight, measure_glare
from xct.stages import stage
from xct.threads import over_ranges

_RANGE_UM = 300.0  # where it is neither given nor measured


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
    """Take away the veil of light that scintillator and lenses spread over the frame.

    ``T = (T_measured - ε ⟨T⟩) / (1 - ε)``, ⟨T⟩ the mean over a wide Gaussian about the pixel.
    Where little comes through, as in a cathode 3 mm wide, a veil of 0.3 % of the beam makes active
    material look less dense; behind the logarithm that cannot be repaired.

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
        How far the veil reaches: standard deviation of the Gaussian; measured as that with which
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
    part, range_px = _settled(frame_light, fraction, range_um, pixel_size_um)
    corrected = np.array(transmission, np.float32)
    if part == 0:
        return corrected
    veil = frame_light.veil(row_px, range_px)
    middles = frame_light.middles()
    place = np.interp(np.arange(columns), middles, np.arange(len(middles)))
    over_ranges(
        lambda first, stop: _lift(corrected[first:stop], veil[first:stop], place, part),
        angles,
    )
    return corrected


def _settled(
    frame_light: FrameLight,
    fraction: float | Literal["measured"],
    range_um: float | Literal["measured"],
    pixel_size_um: float,
) -> tuple[float, float]:
    """Tell the fraction and the range in pixels, measured where they are not given."""
    given_px = None if range_um == "measured" else float(range_um) / pixel_size_um
    if fraction != "measured" and given_px is not None:
        return float(fraction), given_px
    found = measure_glare(frame_light, given_px)
    if found is None and fraction == "measured":
        warnings.warn(
            "glare is left as it is: nothing in the frames is opaque, so its fraction cannot be "
            "measured; give it by steps.glare.fraction, such as 0.003",
            UserWarning,
            stacklevel=3,
        )
        return 0.0, 1.0
    part = float(fraction) if fraction != "measured" else found.fraction if found else 0.0
    return part, found.range_px if found else _RANGE_UM / pixel_size_um


@njit(cache=True, nogil=True)
def _lift(transmission: np.ndarray, veil: np.ndarray, place: np.ndarray, part: float) -> None:
    """Subtract the veil, linear between the middles of its cells, and scale."""
    angles, rows, columns = transmission.shape
    last = max(veil.shape[2] - 2, 0)
    after = min(1, veil.shape[2] - 1)
    scale, part32 = np.float32(1 / (1 - part)), np.float32(part)
    for a in range(angles):
        for r in range(rows):
            for c in range(columns):
                cell = min(int(place[c]), last)
                weight = np.float32(place[c] - cell)
                low, high = veil[a, r, cell], veil[a, r, cell + after]
                light = low + weight * (high - low)
                transmission[a, r, c] = (transmission[a, r, c] - part32 * light) * scale
