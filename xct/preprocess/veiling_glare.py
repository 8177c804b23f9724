"""Veiling glare: light that lens and scintillator scatter over the frame, and its subtraction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from xct.errors import DataError
from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges
from xct.preprocess.fringes import EdgeLight
from xct.preprocess.veiling.bound import bound_glare
from xct.preprocess.veiling.frame_light import FrameLight, gather_light
from xct.preprocess.veiling.measurement import Glare, measure_glare
from xct.preprocess.veiling.round_rods import glare_behind_rods
from xct.quantity import Number, Quantity, declare
from xct.stages import stage

_RANGE_UM = 300.0  # where it is neither given nor measured
_MATTERS = 0.04  # of line integrals: half of what delithiation does


def _measured(
    frame_light: FrameLight,
    fringes: EdgeLight | None,
    pixel_size_um: float | None,
    range_px: float | None = None,
) -> Glare | None:
    """Measure glare; not behind rims that fringes have made steeper than they are.

    In shadows that nothing passes, or else by the shape of those that little passes, which says
    nothing of how far the glare reaches.
    """
    if fringes is not None and fringes.seen:
        return None
    found = measure_glare(frame_light, range_px)
    if found is not None or (range_px is None and pixel_size_um is None):
        return found
    return glare_behind_rods(frame_light, range_px or _RANGE_UM / float(pixel_size_um or 1))


def glare_numbers(
    frame_light: FrameLight,
    pixel_size_um: float | None = None,
    energy_kev: float | None = None,
    fringes: EdgeLight | None = None,
) -> Iterator[tuple[str, Number]]:
    """Give the fraction of the light that is glare; where it cannot be measured, its bound."""
    found = _measured(frame_light, fringes, pixel_size_um)
    if found is not None:
        yield "glare_fraction", Number(found.fraction, sd=found.sd, n=found.n)
        return
    most = bound_glare(frame_light, pixel_size_um, energy_kev)
    if most is not None:
        yield "glare_at_most", Number(
            most.fraction, bound="upper",
            note="fraction of the light; nothing in the frames is surely opaque"
            + ("; the rods are taken to be of steel" if most.by_steel else ""),
            details={"error_of_line_integrals": round(most.effect, 4)},
        )  # fmt: skip


def glare_warning(
    frame_light: FrameLight,
    steps: Mapping[str, Mapping[str, Any]],
    pixel_size_um: float | None = None,
    energy_kev: float | None = None,
    fringes: EdgeLight | None = None,
) -> str | None:
    """Say what glare that was not measured may do; None where that is little, or it is given."""
    given = steps.get("glare", {}).get("fraction", "measured") != "measured"
    if given or _measured(frame_light, fringes, pixel_size_um) is not None:
        return None
    most = bound_glare(frame_light, pixel_size_um, energy_kev)
    if most is None or most.effect < _MATTERS:
        return None
    effect = f"{most.effect:.0%}" if most.effect < 1 else "all"
    steel = ", if the rods are of steel" if most.by_steel else ""
    return (
        "glare is not measured: no shadow in the frames is surely opaque, and glare of up to "
        f"{most.fraction:.1%} of the light is possible{steel}. Line integrals may be wrong by up "
        f"to {effect}, most about row {most.row_px}, where {most.transmission:.2%} passes; lithium "
        "contents are withheld in rows where that is more than half of what they change. Give the "
        "fraction by steps.glare.fraction: what is seen behind something opaque (lead, or thick "
        "steel) in the same beam, over the light about it; 0 leaves the light as it is"
    )


def removed_glare_sd(
    numbers: Mapping[str, Mapping[str, Any]], steps: Mapping[str, Mapping[str, Any]]
) -> float | None:
    """Give the uncertainty of the glare that was measured and removed; None where none was."""
    measured = "glare" in steps and steps["glare"].get("fraction") in (None, "measured")
    found = numbers.get("glare_fraction")
    return float(found["sd"]) if measured and found is not None else None


def possible_glare(
    numbers: Mapping[str, Mapping[str, Any]], steps: Mapping[str, Mapping[str, Any]]
) -> float | None:
    """Give the bound of glare that was not subtracted; None where frames do not bound it."""
    given = steps.get("glare", {}).get("fraction", "measured") not in (None, "measured")
    bound = numbers.get("glare_at_most")
    return None if given or bound is None else float(bound["value"])


declare(
    Quantity(
        "frame_light",
        unit="coarse transmission of whole frames",
        source="run",
        sample=gather_light,
        numbers=glare_numbers,
        warning=glare_warning,
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
declare(
    Quantity(
        "glare_bound",
        unit="largest fraction of the beam that may be glare, where none was removed",
        source="run",
        derive=possible_glare,
        optional=True,
    )
)


@stage(gives="transmission", cut=("row",))
def glare(
    transmission: np.ndarray,
    frame_light: FrameLight,
    row_px: np.ndarray,
    fringes: EdgeLight | None = None,
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
    fringes : EdgeLight, optional
        The light beside the sample: where fringes are seen in it, glare is not measured.
    pixel_size_um : float
        Width of a (binned) pixel.
    fraction : float or "measured", optional
        ε; measured in the shadow of something opaque, or by the shape of the shadow of a round rod
        that passes less than 5 %, such as the cell's steel. Without a shadow nothing is changed; a
        run then bounds what glare may do, and warns where that is much.
    range_um : float or "measured", optional
        How far the glare reaches: standard deviation of the Gaussian; measured as that with which
        an opaque shadow is evenest, behind a rod that passes light 300 µm.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        May be zero or negative where nothing but glare arrives: `line_integrals` marks that.

    Raises
    ------
    DataError
        If the frames' light belongs to another scan.
    """
    angles, _, columns = transmission.shape
    if len(frame_light.transmission) != angles or frame_light.shape[1] != columns:
        raise DataError(
            f"frame_light is of {len(frame_light.transmission)} frames of "
            f"{frame_light.shape[1]} columns, but the transmission has shape "
            f"{transmission.shape} (angle, row, column)"
        )
    part, range_px = _given_or_measured(frame_light, fringes, fraction, range_um, pixel_size_um)
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
    fringes: EdgeLight | None,
    fraction: float | Literal["measured"],
    range_um: float | Literal["measured"],
    pixel_size_um: float,
) -> tuple[float, float]:
    """Give the fraction, and the range in pixels; they are measured unless given."""
    given_px = None if range_um == "measured" else float(range_um) / pixel_size_um
    if fraction != "measured" and given_px is not None:
        return float(fraction), given_px
    found = _measured(frame_light, fringes, pixel_size_um, given_px)
    if found is None and fraction == "measured":
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
