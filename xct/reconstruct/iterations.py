"""Iterative reconstruction. In: line integrals and angles; out: slices in 1/cm."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.errors import DataError, ranges, show_seconds
from xct.reconstruct.astra_engine import on_a_card
from xct.reconstruct.gridding.spectra import edge_columns
from xct.reconstruct.inputs import Request, check_request
from xct.reconstruct.iterative_engine import Method, Solver, iterative_engine
from xct.reconstruct.solvers.least_squares import conjugate_gradients, simultaneous
from xct.reconstruct.solvers.models import (
    GriddedModel,
    RayModel,
    direct,
    filtered_convolution,
    one_row,
)
from xct.reconstruct.solvers.noise import noise_of_slice, noise_square
from xct.reconstruct.solvers.stopping import Stopping
from xct.reconstruct.solvers.total_variation import least_variation
from xct.stages import stage

log = logging.getLogger("xct")

_LEAST_WEIGHT = 1e-5  # of the largest value: where there is no noise at all
# Mean line integral at the edges of the view, in parts of the largest one, from which on the
# sample is not seen whole.
_BEYOND = 0.05
_MASKED = 0.05  # of what attenuates may lie outside of a mask: streaks, and the edge's blur
_QUIET_SECONDS = 20.0  # between two lines of progress


@stage(gives="volume", cut=("row",), engine=iterative_engine)
def iterative(
    line_integrals: np.ndarray,
    theta_deg: np.ndarray,
    center_px: float | np.ndarray,
    sample_mask: np.ndarray | None = None,
    *,
    pixel_size_um: float,
    method: Method = "tv",
    engine: Literal["auto", "fourier", "astra"] = "auto",
    iterations: Annotated[int, Ge(1), Le(10000)] = 50,
    stop_change: Annotated[float, Gt(0), Le(0.1)] = 1e-3,
    strength: Annotated[float, Gt(0), Le(100)] | None = None,
    nonnegative: bool | None = None,
    blur_px: Annotated[float, Ge(0), Le(20)] = 0.7,
    start: Literal["auto", "fbp", "zero"] = "auto",
    size: Annotated[int, Ge(1), Le(65536)] | None = None,
    circle_um: Annotated[float, Gt(0)] | None = None,
) -> np.ndarray:
    """Reconstruct slices iteratively, in place of `fbp`.

    For few angles or much noise, where FBP is grainy. Geometry, units and the circle outside of
    which slices are zero are those of `fbp`; each slice is solved by itself. The sample must be
    seen whole. Noise is measured on the line integrals.

    `tv` finds the slice of least total variation [1]_: flat areas become flat, edges stay. What
    is small loses contrast: of a disc of d pixels, ``4 * weight / d``, the weight being
    `strength` times the standard deviation of the noise of FBP. `cgls` (conjugate gradients) and
    `sirt` (simultaneous iterations) solve for least squares and end before they fit the noise.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column) or (angle, column)
        -ln(transmission), without NaN.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection, degrees.
    center_px : float or ndarray, shape (row,)
        Column of the rotation axis; 0 is the middle of the first pixel.
    sample_mask : ndarray of bool, shape (row, size, size), optional
        Where the sample may be (`scan.mask` of a configuration): all else is zero, whatever
        projects and solves.
    pixel_size_um : float
        Size of a (binned) pixel at the sample, µm.
    method : {"tv", "cgls", "sirt"}, optional
        What is solved.
    engine : {"auto", "fourier", "astra"}, optional
        What projects: `fourier` (xct's own gridding), or `astra` (ray by ray; worth it on a GPU).
        `auto` is `fourier`, and `astra` for `sirt`, which nothing else here can do.
    iterations : int, optional
        Most iterations of a slice.
    stop_change : float, optional
        A slice is done when an iteration changes it by less than this part of itself.
    strength : float, optional
        Of `tv`: how much is smoothed, 1 if not given. Packed particles of few pixels need less,
        about 0.2.
    nonnegative : bool, optional
        Keep attenuation from falling below zero: of `tv` and `sirt`, which do it unless told not
        to.
    blur_px : float, optional
        Full width at half maximum of the point spread on the detector, in (binned) pixels: slices
        are sought that look like the line integrals once they are blurred so. The width of the
        pixel itself is 0.7; not more than what is known of the rest (`blur_um` of a summary):
        too much makes rims at edges.
    start : {"auto", "fbp", "zero"}, optional
        Where to start. `auto` is `fbp` for `tv`, and `zero` for the others, which would keep the
        noise that they start with.
    size : int, optional
        Width and height of the slices in pixels; the number of columns if not given.
    circle_um : float, optional
        Diameter of a circle about the axis that holds the sample: all else is zero.

    Returns
    -------
    ndarray of float32, shape (row, y, x)
        Attenuation coefficient in 1/cm. The axis is at (size - 1) / 2; 0 outside the circle
        that touches the edges of the slice.

    Raises
    ------
    DataError
        If shapes do not fit, settings do not go together, values are not finite, the axis is
        outside the detector, or the sample reaches beyond the view, the mask or the circle.
    ImportError
        If the engine is not installed.

    Warns
    -----
    UserWarning
        If slices of `tv` still changed at the last iteration, or a wedge of angles is missing.

    References
    ----------
    .. [1] Sidky & Pan (2008), Phys. Med. Biol. 53, 4777. doi:10.1088/0031-9155/53/17/021
    """
    import warnings

    solver = Solver(method, engine, iterations, strength, nonnegative, start, blur_px)
    if reason := solver.unavailable():
        raise (ValueError if solver.contradiction() else ImportError)(reason)
    request = check_request(
        line_integrals,
        theta_deg,
        center_px,
        pixel_size_um=pixel_size_um,
        window="ramp",
        cutoff=1.0,
        size=size,
        memory_gib=None,
    )
    refuse_wider_samples(request)
    allowed = _allowed(
        request, sample_mask, None if circle_um is None else circle_um / pixel_size_um
    )
    volume = np.zeros((request.rows, request.size, request.size), dtype=np.float32)
    margin = (request.size - request.picture) // 2
    middle = volume[:, margin : margin + request.picture, margin : margin + request.picture]
    progress = _Progress(request.rows)
    settled = True
    for row in range(request.rows):
        stopping = Stopping(iterations, stop_change)
        inside = allowed(row)
        middle[row] = _solved(request, row, inside, solver, stopping) * np.float32(request.scale)
        settled = settled and (stopping.settled or method != "tv")
        progress.done(row, stopping)
    if not settled:
        warnings.warn(
            f"slices still changed by more than {stop_change:g} of themselves in the last of "
            f"{iterations} iterations; raise steps.iterative.iterations",
            UserWarning,
            stacklevel=2,
        )
    return volume


def _allowed(
    request: Request, mask: np.ndarray | None, circle_px: float | None
) -> Callable[[int], np.ndarray]:
    """Give what marks, for a row, where its slice may be other than zero."""
    size, picture = request.size, request.picture
    shape = (request.rows, size, size)
    if mask is not None and mask.shape != shape:
        raise DataError(
            f"the mask holds {mask.shape[1]} × {mask.shape[2]} pixels a slice, but the slices "
            f"have {size} × {size}: give scan.mask as large as these are (scan.roi and scan.bin "
            "applied), or set steps.iterative.size to it"
        )
    margin = slice((size - picture) // 2, (size - picture) // 2 + picture)
    position = np.arange(picture) - (picture - 1) / 2
    radius = np.hypot(position, position[:, None])

    def inside(row: int) -> np.ndarray:
        within: np.ndarray = radius <= request.radius_px[row]
        if circle_px is not None:
            within &= radius <= circle_px / 2
        if mask is not None:
            within &= np.asarray(mask[row, margin, margin], bool)
        if mask is not None or circle_px is not None:
            _refuse_too_small(direct(one_row(request, row)), within, row)
        return within

    return inside


def _refuse_too_small(picture: np.ndarray, inside: np.ndarray, row: int) -> None:
    """Refuse a mask beyond which something attenuates: that would be put into it."""
    total = float(picture.sum(dtype=np.float64))
    beyond = float(picture[~inside].sum(dtype=np.float64))
    if beyond > _MASKED * max(total, 1e-12):
        raise DataError(
            f"{100 * beyond / total:.0f} % of what attenuates in slice {row} of this slab lies "
            "outside of the mask or the circle, and would be put inside: the mask is too small, "
            "turned, shifted, or of another crop (scan.mask, steps.iterative.circle_um)"
        )


def _solved(
    request: Request, row: int, inside: np.ndarray, solver: Solver, stopping: Stopping
) -> np.ndarray:
    """Solve for the slice of one row, in values per pixel."""
    alone = one_row(request, row)
    from_fbp = solver.starts_from_fbp
    first = direct(alone) * inside if from_fbp else np.zeros((alone.size, alone.size), np.float32)
    blur = solver.blur_px
    stopping.start = float(np.linalg.norm(first))
    if solver.engine_name == "fourier":
        return _by_method(GriddedModel(request, row, blur), alone, first, inside, solver, stopping)
    with on_a_card(), RayModel(request, row, blur) as rays:
        return _by_method(rays, alone, first, inside, solver, stopping)


def _by_method(
    model: GriddedModel | RayModel,
    alone: Request,
    first: np.ndarray,
    inside: np.ndarray,
    solver: Solver,
    stopping: Stopping,
) -> np.ndarray:
    order = np.argsort(alone.theta_deg, kind="stable")
    sinogram = model.sinogram[order]
    if solver.method == "tv":
        sd = noise_of_slice(sinogram, alone.weights)
        least = _LEAST_WEIGHT * max(float(np.abs(direct(alone)).max()), 1e-12)
        return least_variation(
            model,
            first,
            inside,
            stopping,
            weight=max((solver.strength or 1.0) * sd, least),
            norm=filtered_convolution(alone, solver.blur_px).norm,
            nonnegative=solver.keeps_nonnegative,
        )
    noise = noise_square(sinogram)
    if solver.method == "cgls":
        return conjugate_gradients(model, first, inside, stopping, noise=noise)
    assert isinstance(model, RayModel)  # as the solver's engine says
    nonnegative = solver.keeps_nonnegative
    return simultaneous(model, first, inside, stopping, noise=noise, nonnegative=nonnegative)


def refuse_wider_samples(request: Request) -> None:
    """Refuse rows whose sample reaches beyond the view: what is outside would be put inside.

    Raises
    ------
    DataError
        Naming the rows, how large line integrals are at the edges, and the remedy.
    """
    values, count = request.line_integrals, request.theta_deg.size
    mean = values.mean(axis=0, dtype=np.float64)
    largest = np.maximum(mean.max(axis=1, keepdims=True), 1e-12)
    # The standard deviation from angle to angle says what noise alone would give.
    sure = np.abs(mean) - 4 * values.std(axis=0, dtype=np.float64) / np.sqrt(count)
    column, edge = np.arange(request.columns), edge_columns(request.columns)
    away = np.abs(column - request.center_px[:, None]) > request.radius_px[:, None] - 1
    away |= (column < edge) | (column >= request.columns - edge)
    worst = np.max(np.where(away, sure / largest, 0), axis=1)
    bad = np.flatnonzero(worst > _BEYOND)
    if bad.size:
        raise DataError(
            f"line integrals at the edges of the slices are {100 * worst.max():.0f} % of the "
            f"largest (rows {ranges([int(row) for row in bad])} of this slab): the sample reaches "
            "beyond them, or the air beside it is not at zero (transmission_beside in "
            "summary.json). Iterations would put what is outside into the slices: use the step "
            "fbp, which continues what is cut off, or a larger size if the view is wider"
        )


class _Progress:
    """Lines in the log while slices are solved, not too many."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._start = self._said = time.monotonic()

    def done(self, row: int, stopping: Stopping) -> None:
        now = time.monotonic()
        if now - self._said < _QUIET_SECONDS or row + 1 == self._rows:
            return
        self._said = now
        left = (now - self._start) / (row + 1) * (self._rows - row - 1)
        log.info(
            "iterative: slice %d of %d of this slab, %d iterations, last change %.1g; "
            "about %s left",
            row + 1,
            self._rows,
            len(stopping.steps),
            stopping.steps[-1] if stopping.steps else 0.0,
            show_seconds(left),
        )
