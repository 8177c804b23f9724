"""A chart that is looked into: curves of several cells at a place that the reader chooses.

In: curves; out: what the page's script draws.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Chart:
    """Curves at equal steps, by place.

    Attributes
    ----------
    name : str
        Of the files that are saved from it.
    caption : str
        What it shows.
    place : str
        What is chosen: "region", "depth".
    x_label, y_label : str
        With their units.
    first, step : float
        Of the x values.
    series : sequence of str
        What the curves belong to.
    dashed : sequence of bool
        Which of them are drawn dashed.
    places : mapping of str to sequence of (ndarray or None)
        By place a curve for each of the series; None where it has none there.
    in_order : bool
        Whether places follow each other, so that one slides through them.
    begin : int
        Number of the place that is shown first.
    """

    name: str
    caption: str
    place: str
    x_label: str
    y_label: str
    first: float
    step: float
    series: Sequence[str]
    dashed: Sequence[bool]
    places: Mapping[str, Sequence[np.ndarray | None]]
    in_order: bool = False
    begin: int = 0

    @property
    def json(self) -> str:
        """All of it, values to three digits, as text for the page."""
        curves = [
            [None if curve is None else [_short(float(v)) for v in curve] for curve in several]
            for several in self.places.values()
        ]
        return json.dumps(
            {
                "name": self.name, "x": self.x_label, "y": self.y_label, "first": self.first,
                "step": self.step, "series": list(self.series), "dashed": list(self.dashed),
                "places": list(self.places), "curves": curves, "place": self.place,
                "ordered": self.in_order, "begin": self.begin,
            },
            separators=(",", ":"), allow_nan=False,
        )  # fmt: skip


def _short(value: float) -> float | int:
    rounded = float(f"{value:.3g}")
    return int(rounded) if rounded == int(rounded) else rounded
