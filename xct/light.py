"""Light of whole frames for the slabs: gathered once, before them. In: slabs; out: quantities."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from xct.folder import OutputFolder
from xct.preprocess.frame_light import FrameLight, gather_light, measure_glare
from xct.recipe import Step
from xct.slabs import Slabs

log = logging.getLogger("xct")


def find_light(slabs: Slabs, steps: Sequence[Step], folder: OutputFolder) -> None:
    """Gather the light of some rows for the steps that need that of whole frames.

    Parameters
    ----------
    slabs : Slabs
        Reads rows; the light is put into its numbers.
    steps : sequence of Step
        The recipe; nothing is done where no step needs the light.
    folder : OutputFolder
        Where the glare that was measured is noted.
    """
    light = light_for(slabs, steps)
    if light is None:
        return
    slabs.numbers["frame_light"] = light
    glare = measure_glare(light)
    if glare is not None:
        entry: dict[str, Any] = {"value": glare.fraction, "sd": glare.sd, "n": glare.n, "unit": "1"}
        folder.note("glare_fraction", entry)
        log.info("glare: %.3f ± %.3f %% of the light", 100 * glare.fraction, 100 * glare.sd)


def light_for(slabs: Slabs, steps: Sequence[Step]) -> FrameLight | None:
    """Gather the light of some rows; nothing where no step needs that of whole frames."""
    if not any("frame_light" in step.stage.needs for step in steps):
        return None
    first = [step for step in steps if step.stage.gives == "transmission"][:1]
    _, rows, columns = slabs.scan.projections.shape

    def read(row: int, stop: int) -> np.ndarray:
        found: np.ndarray = slabs.run(row, stop, ["transmission"], first)[0]["transmission"]
        return found

    return gather_light(read, rows, columns)
