"""What iterative reconstruction does with its settings, and what it takes. In: settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from xct.reconstruct.gridding.engine import FourierEngine

Method = Literal["tv", "cgls", "sirt"]

# Measured on one core, by voxel and iteration, or by voxel, angle and projection along rays.
_SECONDS_BY_CONVOLUTION = 0.18e-6
_SECONDS_BY_RAYS = 7e-9
# Iterations until slices settle, on the scans of docs/iterative.md.
_USUAL = {"tv": 15, "cgls": 15, "sirt": 100}


@dataclass(frozen=True)
class Solver:
    """Settings of `xct.reconstruct.iterative`, and whether they go together.

    Attributes
    ----------
    method, engine, iterations, strength, nonnegative, start, blur_px
        As of `iterative`.
    """

    method: Method
    engine: str
    iterations: int
    strength: float | None
    nonnegative: bool | None
    start: str
    blur_px: float

    @property
    def name(self) -> str:
        """Name of the step."""
        return "iterative"

    @property
    def engine_name(self) -> str:
        """What projects."""
        if self.engine == "auto":
            return "astra" if self.method == "sirt" else "fourier"
        return self.engine

    @property
    def keeps_nonnegative(self) -> bool:
        """Whether values below zero are not allowed."""
        return self.method != "cgls" and self.nonnegative is not False

    @property
    def starts_from_fbp(self) -> bool:
        """Whether the first guess is the slice of FBP."""
        return self.start == "fbp" or (self.start == "auto" and self.method == "tv")

    @property
    def at_once(self) -> int | None:
        """One slab at a time: a slice uses all cores."""
        return 1

    def contradiction(self) -> str | None:
        """Say which settings do not go together, and the remedy; None if all do."""
        if self.method == "sirt" and self.engine_name != "astra":
            return (
                f"method: sirt weighs every ray by its length, which engine: {self.engine} does "
                "not know; use engine: astra, or method: cgls, which needs fewer iterations"
            )
        if self.method == "cgls" and self.nonnegative:
            return (
                "method: cgls cannot keep values from falling below zero; use method: tv or "
                "sirt, or leave nonnegative out"
            )
        if self.method != "tv" and self.strength is not None:
            return (
                f"strength is a setting of method: tv, not of {self.method}, which ends where "
                "only noise is left; leave it out, or use method: tv"
            )
        return None

    def unavailable(self) -> str | None:
        """Say why it cannot run here, and the remedy; None if it can."""
        if reason := self.contradiction():
            return reason
        if self.engine_name == "astra" and find_spec("astra") is None:
            why = "method: sirt needs" if self.method == "sirt" else "engine: astra is"
            other = "method: cgls" if self.method == "sirt" else "engine: fourier"
            return (
                f"{why} the ASTRA toolbox (GPL), which is not installed: pip install xct[astra], "
                f"or use {other}"
            )
        return None

    def memory_bytes(self, shape: tuple[int, int, int], size: int) -> float:
        """Memory for a slab: one slice at work, the kernel of the model, and all slices."""
        angles, rows, columns = shape
        # The kernel reaches twice as far as a slice: that is where memory peaks.
        making = FourierEngine().memory_bytes((angles, 1, 2 * columns), 2 * size) / 4
        at_work = 4 * 40 * size**2 + 24 * angles * columns
        return max(making, at_work) + 4 * rows * size**2 + 16 * size**2

    def seconds(self, shape: tuple[int, int, int], size: int) -> float:
        """Rough duration on one core for so many angles, rows and columns, beyond that of FBP."""
        angles, rows, _ = shape
        rounds = min(self.iterations, _USUAL[self.method])
        voxels = rows * size**2 * rounds
        if self.engine_name == "fourier":
            return voxels * _SECONDS_BY_CONVOLUTION
        passes = 1 if self.method == "tv" else 2
        return voxels * (passes * angles * _SECONDS_BY_RAYS + _SECONDS_BY_CONVOLUTION)


def iterative_engine(settings: Mapping[str, Any]) -> Solver:
    """Give what reconstructs with these settings of `iterative`."""
    names = ("method", "engine", "iterations", "strength", "nonnegative", "start", "blur_px")
    return Solver(**{name: settings[name] for name in names})
