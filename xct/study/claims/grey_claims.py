"""The physics guard: beside each claim that rests on grey values, what could make it at all.

In: grey values of ROIs, tables of particles; out: claims with their possible range and a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from xct.study.claims.claim import Claim
from xct.study.claims.particle_claims import claims_of_particles
from xct.study.claims.roi_claims import claims_of_rois
from xct.study.grey import GreyCell


def grey_claims(grey: Sequence[GreyCell]) -> list[Claim]:
    """Judge what the grey values of every cell that has a pristine one could mean."""
    by_name = {each.cell.name: each for each in grey}
    found: list[Claim] = []
    for each in grey:
        if each.cell.pristine is None:
            continue
        before = by_name[each.cell.pristine.name]
        found += [*claims_of_rois(each, before), *claims_of_particles(each.cell)]
    return found
