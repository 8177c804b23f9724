"""The volumes, by trait, in the order of the table. In: nothing; out: cases."""

from __future__ import annotations

from studies.given_volumes.case import Case
from studies.given_volumes.denoised import denoised
from studies.given_volumes.disks import disks
from studies.given_volumes.exports import exports
from studies.given_volumes.hands import hands
from studies.given_volumes.layouts import layouts, no_volumes
from studies.given_volumes.pairs import pairs
from studies.given_volumes.parts import missing
from studies.given_volumes.placed import edges, leans, slips, turns
from studies.given_volumes.resaved import resaved
from studies.given_volumes.values import scales, units, values
from studies.given_volumes.viewers import viewers


def cases() -> list[Case]:
    """List all volumes, in the order of the table."""
    kinds = (
        scales, units, values, missing, turns, leans, edges, slips, layouts, no_volumes, disks,
        exports, hands, viewers, denoised, resaved, pairs,
    )  # fmt: skip
    return [case for kind in kinds for case in kind()]
