"""Propagation fringes, found before anything is built on them. In: rows of transmission; out: text.

Absorption never brightens: light above that of the air, close beside the sample, was refracted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.errors import DataError
from xct.physics.phase import fresnel_number
from xct.quantity import Number, Quantity, declare

_ROWS = 12  # over the height of the frame
# Light beside an edge over that of the air around it which is taken for a fringe. Virtual cells
# and small scans without propagation have up to 0.003, at 20 keV, 1.6 µm and 2 mm 0.008, at 40 mm
# 0.2; a real tooth has 0.025.
_FRINGE = 0.015
# The same where the Fresnel number says that there are fringes.
_FAINT = 0.008
# Where no air is in view: a pixel with a smaller Fresnel number than this shows its fringes.
_NEAR_FIELD = 10.0
_OUTSIDE_PX, _LEAST_PX = 64, 14  # columns beside an edge that are looked at
_NEARER = 0.7  # of them, where fringes are looked for; what they are compared with lies beyond
_AIR_PX = 8  # outermost columns, which tell the light and the noise of the air
_EDGE, _EDGE_SD = 0.05, 6.0  # loss of light, and in noise, at which the sample begins
_LEAST_ANGLES = 10
# Standard errors. Fringes are not as strong in all rows: that is in them, too.
_SURE = 2.0


@dataclass(frozen=True)
class EdgeLight:
    """Light beside the sample, over that of the air.

    Attributes
    ----------
    overshoot : float
        How much brighter it is close to an edge than the brightest place farther out, as a
        fraction of the light of the air: median over rows and sides. NaN where no air is in view.
    sd : float
        Standard error.
    n : int
        Rows and sides.
    """

    overshoot: float
    sd: float
    n: int

    @property
    def seen(self) -> bool:
        """Whether there are fringes for sure."""
        return self.brighter_than(_FRINGE)

    def brighter_than(self, least: float) -> bool:
        """Whether light is brighter than that, and than its uncertainty could make it."""
        return self.overshoot > least and self.overshoot - _SURE * self.sd > 0

    @property
    def known(self) -> bool:
        """Whether air is in view."""
        return bool(np.isfinite(self.overshoot))


def look_beside_edges(
    read: Callable[[int, int], np.ndarray], rows: int, columns: int, *, most: int = _ROWS
) -> EdgeLight:
    """Look at the air on either side of the sample in some rows.

    Parameters
    ----------
    read : callable
        Gives the transmission of rows first … stop, shape (angle, row, column).
    rows, columns : int
        Of a frame.
    most : int, optional
        Rows to look at.

    Returns
    -------
    EdgeLight
    """
    chosen = np.unique(np.linspace(0.06 * rows, 0.94 * rows - 1, most).round().astype(int))
    found = []
    if columns > 2 * (_LEAST_PX + _AIR_PX):
        for row in np.clip(chosen, 0, rows - 1).tolist():
            seen = read(row, row + 1)[:, 0]
            found += [_overshoot(seen), _overshoot(seen[:, ::-1])]
    known = np.array([one for one in found if np.isfinite(one)])
    if known.size < 2:
        return EdgeLight(float("nan"), float("nan"), int(known.size))
    scatter = 1.4826 * float(np.median(np.abs(known - np.median(known))))
    sd = 1.2533 * scatter / float(np.sqrt(known.size))
    return EdgeLight(float(np.median(known)), sd, int(known.size))


def _overshoot(seen: np.ndarray) -> float:
    """Find how bright the first edge from the left is on its outside; NaN without air."""
    air, noise = _air(seen[:, :_AIR_PX])
    dark = seen < (air - np.maximum(_EDGE * air, _EDGE_SD * noise))[:, None]
    sample = dark[:, :-2] & dark[:, 1:-1] & dark[:, 2:]  # three in a row are no single fringe
    edge = np.where(sample.any(axis=1), sample.argmax(axis=1), 0)
    usable = (edge >= _LEAST_PX) & (air > 0)
    if np.count_nonzero(usable) < _LEAST_ANGLES:
        return float("nan")
    width = int(min(np.quantile(edge[usable], 0.25), _OUTSIDE_PX))
    usable &= edge >= width
    places = edge[usable, None] - 1 - np.arange(width)
    beside = np.take_along_axis(seen[usable], places, axis=1) / air[usable, None]
    known = np.isfinite(beside).any(axis=0)
    if np.count_nonzero(known) < _LEAST_PX:
        return float("nan")
    # Medians over the angles, so that stray photons do not count.
    profile = np.where(known, np.nanmedian(np.where(known, beside, 1.0), axis=0), -np.inf)
    near = round(_NEARER * width)
    return float(profile[:near].max() - profile[near:].max())


def _air(outermost: np.ndarray) -> tuple[np.ndarray, float]:
    """Give the light of the air at each angle, and its noise; 0 where it is dark or unknown."""
    known = np.isfinite(outermost)
    if not known.any(axis=0).all():
        outermost = outermost[:, known.any(axis=0)]
    if not outermost.size:
        return np.zeros(len(outermost)), 0.0
    air = np.nan_to_num(np.nanmedian(np.where(np.isfinite(outermost), outermost, 0), axis=1))
    changes = np.abs(np.diff(outermost, axis=1))
    noise = 1.4826 * float(np.nanmedian(changes)) / np.sqrt(2) if changes.size else 0.0
    bright = air > 0.5 * np.median(air)
    return np.where(bright, air, 0.0), noise


def _verdict(
    fringes: EdgeLight, steps: Mapping[str, Any], facts: Mapping[str, float | None]
) -> str | None:
    """Say how fringes are known of, "seen" or "expected"; None where there is nothing to say."""
    if "phase_retrieval" in steps or not {"fbp", "iterative"} & set(steps):
        return None
    number = pixel_fresnel_number(**facts)
    expected = number is not None and number < _NEAR_FIELD
    if fringes.known:
        return "seen" if fringes.brighter_than(_FAINT if expected else _FRINGE) else None
    return "expected" if expected else None


def pixel_fresnel_number(
    energy_kev: float | None = None,
    distance_mm: float | None = None,
    pixel_size_um: float | None = None,
) -> float | None:
    """Give the Fresnel number of a pixel; None where the scan does not say what it takes."""
    if not (energy_kev and distance_mm and pixel_size_um):
        return None
    return fresnel_number(pixel_size_um, energy_kev=energy_kev, distance_mm=distance_mm)


def retrieval_advice(number: float | None) -> str | None:
    """Say which recipe fits a scan whose pixels have a Fresnel number; None where any does."""
    if number is None or number >= _NEAR_FIELD:
        return None
    return (
        f"a pixel has the Fresnel number {number:.2g}, below {_NEAR_FIELD:g}: propagation fringes "
        "are expected; phase retrieval is advised (pipeline: ssrf, or phase_retrieval before "
        "line_integrals)"
    )


def fringe_numbers(
    fringes: EdgeLight,
    steps: Mapping[str, Any],
    energy_kev: float | None = None,
    distance_mm: float | None = None,
    pixel_size_um: float | None = None,
    wrong_flats: str | None = None,
) -> Iterator[tuple[str, Number]]:
    """Give how bright fringes are, where there are any that no step has dealt with."""
    facts = _facts(energy_kev, distance_mm, pixel_size_um)
    verdict = _verdict(fringes, steps, facts)
    if verdict is None or wrong_flats is not None:
        return
    yield "fringes", Number(verdict, n=fringes.n)
    yield "fringe_overshoot", Number(fringes.overshoot, sd=fringes.sd, n=fringes.n)
    number = pixel_fresnel_number(**facts)
    if number is not None:
        yield "fresnel_number", Number(number)


def fringe_warning(
    fringes: EdgeLight,
    steps: Mapping[str, Any],
    energy_kev: float | None = None,
    distance_mm: float | None = None,
    pixel_size_um: float | None = None,
    wrong_flats: str | None = None,
) -> str | None:
    """Say what fringes do to this run, and what helps; None where there are none.

    Light beside edges that wrong flats make is none: that is said of them.
    """
    facts = _facts(energy_kev, distance_mm, pixel_size_um)
    verdict = _verdict(fringes, steps, facts)
    if verdict is None or wrong_flats is not None:
        return None
    number = pixel_fresnel_number(**facts)
    of_pixel = "" if number is None else f" (Fresnel number of a pixel: {number:.2g})"
    how = (
        f"the light beside the sample is {fringes.overshoot:.1%} brighter than the air, which "
        f"absorption cannot make: propagation fringes{of_pixel}"
        if verdict == "seen"
        else f"propagation fringes are expected{of_pixel}, and no air is in view to tell"
    )
    unknown = [f"scan.{name}" for name, value in facts.items() if value is None]
    remedy = f"{' and '.join(unknown)} given and " if unknown else ""
    return (
        f"{how}. Grey values near edges and of particles are wrong; thickness, roughness, volumes, "
        "particles, inclusions, state of charge, absent lithium and the bore's radius are "
        f"withheld; run with {remedy}phase_retrieval before line_integrals, as the recipe ssrf does"
    )


def _facts(
    energy_kev: float | None, distance_mm: float | None, pixel_size_um: float | None
) -> dict[str, float | None]:
    return {"energy_kev": energy_kev, "distance_mm": distance_mm, "pixel_size_um": pixel_size_um}


def fringes_of_run(numbers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say how fringes are known of that no step of a run dealt with; None where there are none.

    Flats that make light as odd as fringes do count for them: what is wrong with them, then.
    """
    if "wrong_flats" in numbers:
        return str(numbers["wrong_flats"]["value"])
    if "fringes" not in numbers:
        return None
    return f"{numbers['fringes']['value']} in the frames"


def refuse_fringes(uncorrected_fringes: str | None) -> None:
    """Refuse to measure what fringes look like.

    Raises
    ------
    DataError
        If there are fringes that no step has dealt with.
    """
    if uncorrected_fringes is not None:
        fringes = uncorrected_fringes.startswith(("seen", "expected"))
        cause = "propagation fringes are " if fringes else ""
        remedy = "retrieve the phase before the logarithm" if fringes else "give other flats"
        raise DataError(
            f"left out: {cause}{uncorrected_fringes}, and what is measured here would be wrong by "
            f"more than can be said; {remedy}"
        )


declare(
    Quantity(
        "fringes",
        unit="light beside the sample",
        source="run",
        sample=look_beside_edges,
        watched=True,
        numbers=fringe_numbers,
        warning=fringe_warning,
    )
)
