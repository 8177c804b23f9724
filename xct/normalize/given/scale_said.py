"""What is said of a given volume's scale. In: what was seen of it; out: numbers, and text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xct.normalize.given.scale import GivenScale, look_at_scale
from xct.quantity import Number, Quantity, declare

# What no check sees: of gammas of 0.75 to 1.15 over grey values the numbers of volumes were right
# (seeds 11, 3), but of 0.75 and of 1.3 the number of particles was a fifth off on seeds 111 and
# 101, and lithium contents rest on differences of some percent of μ.
_ASSUMED = (
    "values are taken to be in proportion to attenuation above air, which no file says and no "
    "material here proves: of particles and steel only what differs from tables by more than some "
    "20 % shows. Layers and inclusions hold for a gamma of 0.75 to 1.15, the number of "
    "particles for one of 0.85 to 1.15"
)
_CONTENTS = (
    "; electrolyte_peak_per_cm and lithium contents do not: these are wrong by "
    "li_content_per_percent for each percent by which gamma differs from 1"
)


def scale_numbers(given_scale: GivenScale | None) -> Iterator[tuple[str, Number]]:
    """Give whether values are taken for a straight line, and by how much they grow along z."""
    if given_scale is None:
        return
    contents, details = given_scale.li_content_per_percent, {}
    note = _ASSUMED
    if contents is not None:
        note, details = note + _CONTENTS, {"li_content_per_percent": round(contents, 3)}
    seen = (("active_material_over_table", given_scale.particles),
            ("steel_over_table", given_scale.steel))  # fmt: skip
    details |= {name: round(value, 3) for name, value in seen if np.isfinite(value)}
    if given_scale.bent:
        yield "scale_is_straight", Number("no", details=details)
    else:
        yield "scale_is_straight", Number("assumed", note=note, details=details)
    if given_scale.gain:
        yield "growth_along_z", Number(given_scale.gain)


def scale_warning(given_scale: GivenScale | None) -> str | None:
    """Say that values grow along z; None where they do not."""
    if given_scale is None or not given_scale.gain:
        return None
    way = "brighter" if given_scale.gain > 0 else "darker"
    return (
        f"trend: from the first slice to the last all materials become {abs(given_scale.gain):.0%} "
        f"{way}, steel as the tube: contrast drifts along z, as where slices were scaled one by "
        "one or a beam faded. Normalized grey values follow it, but values in 1/cm "
        "(electrolyte_peak_per_cm) are right at one height at most, which counts into the "
        "uncertainty; scale slices alike"
    )


def bent_scale(given_scale: GivenScale | None) -> str | None:
    """Say that a curve was laid over the values; None where they are on a line."""
    if given_scale is None or not given_scale.bent:
        return None
    way = "too little" if given_scale.steel < 1 else "steel too much"
    return (
        "bent scale: above the electrolyte's, values of active material are "
        f"{given_scale.particles:.0%} and those of steel {given_scale.steel:.0%} of what tables "
        f"say at this energy, {way}: grey values are not in proportion to attenuation, as "
        "after a gamma, a logarithm or an equalization (or volume.energy_kev is wrong by far). "
        "Edges between materials move: particles, inclusions, lithium, active material and low "
        "grey are withheld; export the volume on a linear scale"
    )


declare(
    Quantity(
        "given_scale",
        unit="whether values of a given volume lie on one line",
        source="run",
        derive=look_at_scale,
        numbers=scale_numbers,
        warning=scale_warning,
    )
)


def slices_in_disorder(given_scale: GivenScale | None) -> str | None:
    """Say that slices are in no order; None where they follow each other."""
    if given_scale is None or not given_scale.disordered:
        return None
    return (
        "slices do not follow each other in several places, or begin at once: what rests on their "
        "order, thicknesses, fractions, particles and inclusions, is withheld"
    )


declare(
    Quantity(
        "slices_in_disorder",
        unit="what is wrong with it, in words",
        source="run",
        derive=slices_in_disorder,
        basis=True,
    )
)
declare(
    Quantity(
        "bent_scale",
        unit="what is wrong with it, in words",
        source="run",
        derive=bent_scale,
        basis=True,
    )
)
