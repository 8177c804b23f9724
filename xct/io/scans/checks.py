"""Contradictions within a scan. In: Raw with the configuration laid over it; out: errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.io.scans.raw import Raw, Stack
from xct.io.scans.series import disagreement

_DTYPES = frozenset(("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"))
# Degrees: a scan that spans less is one whose angles are in radians.
_LEAST_SPAN_DEG = 7.0
# Degrees from one projection to the next, and the part of the angles that are different: several
# turns may come back to the same ones, by small steps.
_LARGE_STEP_DEG, _FEW_ANGLES = 20.0, 0.3
_NEARLY = 0.02


def contradictions(raw: Raw) -> list[str]:
    """List everything about a scan that cannot be true, each as a sentence for the user."""
    return [*_of_frames(raw), *_of_angles(raw)]


def _of_frames(raw: Raw) -> Iterator[str]:
    name = raw.files[0] if raw.files else raw.layout
    stacks: dict[str, Stack | None] = {
        "projections": raw.projections,
        "flats": raw.flats,
        "darks": raw.darks,
    }
    frame = raw.projections.frames.shape[1:]
    if len(raw.projections.index) == 0:
        yield f"{name}: there is not a single projection; is the image key right?"
    for kind, stack in stacks.items():
        if stack is None:
            continue
        dtype = stack.frames.dtype
        if dtype.str[1:] not in _DTYPES:
            yield (
                f"{name}: {kind} are of type {dtype}; expected counts as integers of 8 to 32 bit "
                "or floats of 32 or 64 bit. Convert them first"
            )
        if stack.frames.shape[1:] != frame:
            yield (
                f"{name}: {kind} have {_size(stack.frames.shape[1:])}, but projections have "
                f"{_size(frame)}; use {kind} taken with the same detector settings"
            )
        if len(stack.index) and stack.index.max() >= stack.frames.shape[0]:
            yield (
                f"{name}: {kind} name frame {stack.index.max()}, but there are only "
                f"{stack.frames.shape[0]} frames; does the image key belong to these frames?"
            )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} rows × {shape[1]} columns"


def _of_angles(raw: Raw) -> Iterator[str]:
    theta, count = raw.theta_deg, len(raw.projections.index)
    if theta is None:
        return
    where = raw.origin.get("theta_deg", "theta_deg")
    name = raw.files[0] if raw.files else raw.layout
    if len(theta) != count:
        yield disagreement(raw, theta)
    unknown = int(np.sum(~np.isfinite(theta)))
    if unknown:
        first = int(np.flatnonzero(~np.isfinite(theta))[0])
        yield (
            f"{name}: {unknown} of {len(theta)} angles are not numbers ({where}; the first is "
            f"angle {first}); give scan.theta_deg"
        )
        return
    if len(theta) < 2:
        return
    span = float(np.ptp(theta))
    if span == 0:
        yield (
            f"{name}: all {len(theta)} angles are {theta[0]:g}° ({where}), so the stage did not "
            "turn or its encoder was not read; give scan.theta_deg"
        )
    elif span < _LEAST_SPAN_DEG and len(theta) > 10:
        yield (
            f"{name}: the angles span only {span:.4g}° ({where}); are they in radians "
            f"({np.degrees(span):.4g}°)? Set the attribute `units` to rad, or give "
            "scan.theta_deg in degrees"
        )
    elif (message := _in_other_units(theta)) is not None:
        yield f"{name}: {message.format(where=where)}"
    elif np.median(np.abs(np.diff(theta))) == 0:
        still = int(np.sum(np.diff(theta) == 0))
        yield (
            f"{name}: {still} of {len(theta)} angles repeat the one before ({where}); "
            "the encoder was not read for each frame. Give scan.theta_deg"
        )


def _in_other_units(theta: np.ndarray) -> str | None:
    """Tell angles that go by many degrees and come back to few: thousandths, or encoder steps.

    Golden angles go by many, too, and are all different.
    """
    step, span = float(np.median(np.abs(np.diff(theta)))), float(np.ptp(theta))
    turn = np.round(np.mod(theta, 360), 2) % 360
    if step < _LARGE_STEP_DEG or len(np.unique(turn)) > _FEW_ANGLES * len(theta):
        return None
    half_turns = [n for n in (180.0, 360.0) if abs(span / n / 1000 - 1) < _NEARLY]
    thousandths = f"thousandths of a degree ({half_turns[0]:g}°) or " if half_turns else ""
    return (
        f"the angles go by {step:.6g}° from one projection to the next, over {span:.6g}° ({{where}}"
        f"); are they in other units, such as {thousandths}encoder steps? Give scan.theta_deg in "
        "degrees"
    )


@dataclass(frozen=True)
class Window:
    """What is kept of a frame: raw rows and columns, half-open, then binned.

    `errors` says what is wrong with a window that cannot be cut.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    bin: int
    errors: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, shape: tuple[int, int, int], roi: Mapping[str, Sequence[int]] | None, bin: int
    ) -> Window:
        """Check a region of interest and a bin against frames of `shape`."""
        errors = [
            f"roi names {axis!r}; its axes are row and column"
            for axis in roi or ()
            if axis not in ("row", "column")
        ]
        ranges = []
        for axis, length in zip(("row", "column"), shape[1:], strict=True):
            given = (roi or {}).get(axis, (0, length))
            errors += _of_range(axis, given, length)
            ranges.append(given)
        if isinstance(bin, bool) or not isinstance(bin, int | np.integer) or bin < 1:
            errors.append(f"bin = {bin!r}; expected a whole number of pixels, 1 or more")
        elif not errors and bin > (least := min(stop - first for first, stop in ranges)):
            errors.append(f"bin = {bin} is larger than what is kept of a frame, {least} pixels")
        if errors:
            return cls((0, shape[1]), (0, shape[2]), 1, tuple(errors))
        rows, columns = ((int(first), int(stop)) for first, stop in ranges)
        return cls(rows, columns, int(bin))


def _of_range(axis: str, given: Any, length: int) -> list[str]:
    try:
        first, stop = given
        if all(isinstance(end, int | np.integer) for end in given) and 0 <= first < stop <= length:
            return []
    except (TypeError, ValueError):
        pass
    return [
        f"roi: {axis} = {given!r} does not fit frames with {length} {axis}s; expected "
        f"[first, stop] with 0 ≤ first < stop ≤ {length}"
    ]
