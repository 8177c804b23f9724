"""Are the values what the configuration says? In: a Scan; out: errors, warnings, a hint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from xct.io.appearance import appearance
from xct.preprocess.frames.log_noise import looks_decadic
from xct.scan import Scan

# Projections that reach this part of the flats only are no counts beside them.
_FAINT = 1e-2
_DECADIC = (
    "scan.quantity: the line integrals look like decadic logarithms: their noise grows with them "
    "as 10 to their power, not as e. xct takes them for natural ones, and μ and every number that "
    "rests on it come out 2.303 times too low if they are not: multiply the values by 2.302585, or "
    "start from transmission (scan.quantity: transmission)"
)


def look_at_quantity(scan: Scan, stages: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Compare what the values look like with what they are said to be.

    Yields
    ------
    kind : {"error", "warning"}
    message : str
    """
    if scan.quantity == "counts":
        if scan.flats is not None and "flat_field" in stages:
            yield from _beside_flats(scan)
        return
    if scan.quantity == "line_integrals" and looks_decadic(scan.projections):
        yield "warning", _DECADIC
    seen = appearance(scan.projections)
    if seen is None:
        return
    likely, sure = seen.judged()
    if likely is None or likely == scan.quantity or (likely == "counts" and not sure):
        return
    said = scan.quantity.replace("_", " ")
    if likely == "counts":
        other = "line integrals of 25 leave one photon in 7·10¹⁰"
        meant = other if scan.quantity == "line_integrals" else "transmission is 1 in air"
        yield (
            "error",
            f"scan.quantity: the values ({seen.range}) cannot be {said}: {meant}. If they are "
            "counts, set scan.quantity: counts; if they are scaled by a factor, divide them by it",
        )
        return
    remedy = f"set scan.quantity: {likely}"
    air = "1" if likely == "transmission" else "0"
    if sure:
        yield (
            "error",
            f"scan.quantity: the values ({seen.range}) are said to be {said}, but look like "
            f"{likely.replace('_', ' ')}, which is {air} in air: {remedy}",
        )
    else:
        yield (
            "warning",
            f"scan.quantity: the values ({seen.range}) are said to be {said}, but look more "
            f"like {likely.replace('_', ' ')}; if they are, {remedy}",
        )


def _beside_flats(scan: Scan) -> Iterator[tuple[str, str]]:
    """Find projections that were corrected before, beside flats that are counts."""
    assert scan.flats is not None
    seen, flats = appearance(scan.projections), appearance(scan.flats)
    if seen is None or flats is None or seen.whole:
        return
    likely, _ = seen.judged()
    if likely in ("transmission", "line_integrals") and seen.high < _FAINT * flats.median:
        yield (
            "error",
            f"scan.quantity: the projections ({seen.range}) are no counts beside flats of "
            f"{flats.median:.4g} counts; they look like {likely.replace('_', ' ')}: "
            f"set scan.quantity: {likely}",
        )


def without_flats(scan: Scan) -> str:
    """Say, of a scan without flats, whether it looks as if it needed none."""
    if np.issubdtype(scan.projections.dtype, np.integer):
        return ""
    seen = appearance(scan.projections)
    likely = None if seen is None else seen.judged()[0]
    if seen is None or likely in (None, "counts"):
        return ""
    return (
        f". The values ({seen.range}) look like {str(likely).replace('_', ' ')}: if they were "
        f"corrected before, set scan.quantity: {likely}, and no flats are needed"
    )
