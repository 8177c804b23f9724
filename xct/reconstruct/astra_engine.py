"""The ASTRA engine: filtered here, back-projected by ASTRA. In: a request; out: slices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from math import ceil
from typing import Any

import numpy as np
import scipy

from xct.errors import DataError
from xct.parallel.cards import claimed_card
from xct.parallel.threads import thread_count
from xct.reconstruct.filters import ramp, window_response
from xct.reconstruct.gridding.engine import PADDING, padded_lengths
from xct.reconstruct.gridding.polar import fast_even
from xct.reconstruct.gridding.spectra import filtered_spectra
from xct.reconstruct.inputs import Request

# Two rays for each pixel: ASTRA's linear projector weighs rays unevenly when they lie wider
# apart than the pixels that they cross.
RAYS = 2


class AstraEngine:
    """Filtered here and back-projected by the ASTRA toolbox, on a GPU where it finds one."""

    name = "astra"

    @property
    def at_once(self) -> int | None:
        """One slab at a time on a GPU, whose memory is its own."""
        return 1 if not self.unavailable() and _import_astra().use_cuda() else None

    def unavailable(self) -> str | None:
        """Say how ASTRA is installed, where it is not."""
        if find_spec("astra") is not None:
            return None
        return (
            "the ASTRA toolbox (GPL) is not installed: pip install xct[astra], or use "
            "engine='fourier'"
        )

    def memory_bytes(self, shape: tuple[int, int, int], size: int) -> float:
        """Memory for the filtered projections and the picture of one row, and all slices."""
        angles, rows, columns = shape
        length = fast_even(max(ceil(PADDING * columns), 8))
        return _bytes_of_a_row(angles, length, size) + 4 * rows * size**2

    def reconstruct(self, request: Request) -> np.ndarray:
        """Reconstruct slice by slice; see `xct.reconstruct.fbp`."""
        _check_memory(request)
        with on_a_card():
            return self._slices(request)

    def _slices(self, request: Request) -> np.ndarray:
        picture = request.picture
        rays = RAYS * (2 * ceil(picture / 2) + 2)
        volume = np.zeros((request.rows, request.size, request.size), dtype=np.float32)
        margin = (request.size - picture) // 2
        middle = volume[:, margin : margin + picture, margin : margin + picture]
        position = np.arange(picture) - (picture - 1) / 2
        distance = np.hypot(position, position[:, None])
        with _Projector(_import_astra(), picture, rays, np.deg2rad(request.theta_deg)) as projector:
            for row in range(request.rows):
                inside = distance <= request.radius_px[row]
                seen = projector.backproject(filtered_rays(request, row, rays))
                middle[row] = np.where(inside, seen, 0) * request.scale
        return volume


def _import_astra() -> Any:
    import astra

    return astra


@contextmanager
def on_a_card() -> Iterator[None]:
    """Let ASTRA use a graphics card that no other process of xct has, where it finds any."""
    astra = _import_astra()
    if not astra.use_cuda():
        yield
        return
    with claimed_card() as number:
        if number is not None:
            astra.set_gpu_index(number)
        yield


def filtered_rays(request: Request, row: int, rays: int) -> np.ndarray:
    """Filter and weight the projections of one row, at `rays` points about its axis.

    Returns
    -------
    ndarray of float32, shape (angle, ray)
        `RAYS` points for each pixel, the axis in their middle.
    """
    length = max(int(padded_lengths(request)[row]), 2 * (rays // (2 * RAYS)) + 2)
    highest = length // 2 - 1
    response = ramp(length) * window_response(request.window, length, request.cutoff)
    weights = request.weights
    first = request.center_px[row] - (rays - 1) / (2 * RAYS)
    shift = np.full((weights.size, 2), first)
    one = request.batch(np.array([row]))
    spectra = np.empty((weights.size, 2 * highest + 1, 2), dtype=np.float32)
    filtered_spectra(one, response, weights, shift, spectra)
    finer = np.zeros((weights.size, RAYS * length), dtype=np.complex64)
    finer[:, : highest + 1] = spectra[:, highest:].view(np.complex64)[:, :, 0]
    finer[:, -highest:] = spectra[:, :highest].view(np.complex64)[:, :, 0]
    points = scipy.fft.ifft(finer, axis=1, workers=thread_count())
    # The finer transform divides by RAYS, and so must a sum over that many rays: that is done.
    return np.ascontiguousarray(points[:, :rays].real)


def _bytes_of_a_row(angles: int, length: int, picture: int) -> int:
    return angles * length * (8 + 8 * RAYS + 4 * RAYS) + 16 * picture**2


def _check_memory(request: Request) -> None:
    if request.memory_gib is None:
        return
    length = int(padded_lengths(request).max())
    one = _bytes_of_a_row(request.theta_deg.size, length, request.picture)
    needed = (request.rows * request.size**2 * 4 + one) / 2**30
    if needed > request.memory_gib:
        raise DataError(
            f"memory_gib={request.memory_gib:.4g} is too small: {request.rows} slices and the work "
            f"on one of them take {needed:.3g} GiB; pass fewer rows at once or allow more"
        )


class _Projector:
    """ASTRA's objects for one geometry, deleted at the end as ASTRA does not do it."""

    def __init__(self, astra: Any, size: int, rays: int, theta: np.ndarray) -> None:
        self._astra = astra
        self._slice = astra.create_vol_geom(size, size)
        self._rays = astra.create_proj_geom("parallel", 1 / RAYS, rays, theta)
        self._cuda = bool(astra.use_cuda())
        kind = "cuda" if self._cuda else "linear"
        self._projector = astra.create_projector(kind, self._rays, self._slice)

    def __enter__(self) -> _Projector:
        return self

    def __exit__(self, *exc: object) -> None:
        self._astra.projector.delete(self._projector)

    def backproject(self, filtered: np.ndarray) -> np.ndarray:
        """Sum the rays through each pixel, shape (y, x)."""
        astra = self._astra
        key, picture = astra.create_backprojection(filtered, self._projector)
        astra.data2d.delete(key)
        return np.asarray(picture)
