"""When iterations end. In: steps; out: whether that was the last one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Stopping:
    """Ends where a slice hardly changes any more, or after so many iterations.

    Attributes
    ----------
    iterations : int
        Most iterations.
    change : float
        A step smaller than this part of the slice is the last one.
    start : float
        Length of the slice to start with: a slice that is hardly anything else than noise, which
        goes, is compared with what it was.
    steps : list of float
        Size of each step so far, as a part of the slice.
    """

    iterations: int
    change: float
    start: float = 0.0
    steps: list[float] = field(default_factory=list)

    def reached(self, step: np.ndarray, picture: np.ndarray) -> bool:
        """Note a step, and say whether it was the last one."""
        length = max(float(np.linalg.norm(picture)), self.start)
        self.steps.append(float(np.linalg.norm(step)) / length if length else 0.0)
        return self.settled or len(self.steps) >= self.iterations

    @property
    def settled(self) -> bool:
        """Whether the last step was small enough."""
        return bool(self.steps) and self.steps[-1] <= self.change
