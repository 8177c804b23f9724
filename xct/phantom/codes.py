"""Numbers of what a point of a virtual cell can be, and of its tiles."""

from __future__ import annotations

import numpy as np

from xct.labels import Label

TILE = 8
POINTS = 4

# What a point can be, beside a particle.
AIR, LITHIUM, ELECTROLYTE, MATRIX, STEEL, COLLECTOR, TUBE, VOID, TORLON, CHIP = range(10)
SUBSTANCES = 10
# A crack in a particle is bent by a wave, and ends at this share of its longest way.
WAVE, WAVES, END = 0.06, 4.0, 0.45
LABELS = np.array(
    [
        Label.OUTSIDE, Label.LITHIUM, Label.ELECTROLYTE, Label.ELECTROLYTE, Label.STEEL,
        Label.COLLECTOR, Label.TUBE, Label.LOW_GREY, Label.TUBE, Label.LOW_GREY,
    ],
    np.uint8,
)  # fmt: skip
