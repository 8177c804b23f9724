"""Models of how a slice is seen, for the solvers. In: a request and a row; out: residuals.

The size of a slice is that of the middle part that holds the circle; values are per pixel.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy

from xct.physics.optics import FWHM_PER_SIGMA
from xct.reconstruct.gridding.engine import FourierEngine
from xct.reconstruct.inputs import Request
from xct.reconstruct.solvers.convolution import Convolution, back_projected, convolution

# Kernels of one ray for each pixel: ASTRA's interpolates along the ray, and is the fastest on CPUs.
_CPU_KERNEL = "linear"


class Model(Protocol):
    """One row: how its slice is seen, and how far that is from what was seen."""

    def filtered_residual(self, picture: np.ndarray) -> np.ndarray:
        """Reconstruct, by FBP, what a slice leaves unexplained; shape (y, x)."""

    def normal(self, picture: np.ndarray) -> np.ndarray:
        """Project and back-project a slice, shape (y, x)."""

    @property
    def back_projected(self) -> np.ndarray:
        """The line integrals, back-projected without a filter, shape (y, x)."""

    @property
    def sinogram(self) -> np.ndarray:
        """The line integrals, shape (angle, column)."""


def one_row(request: Request, row: int, sinogram: np.ndarray | None = None) -> Request:
    """Give the request of one row, square about its circle, in values per pixel."""
    values = request.line_integrals[:, row : row + 1] if sinogram is None else sinogram[:, None]
    return replace(
        request,
        line_integrals=np.ascontiguousarray(values, np.float32),
        center_px=request.center_px[row : row + 1],
        scale=1.0,
        size=request.picture,
        memory_gib=None,
    )


def direct(request: Request) -> np.ndarray:
    """Reconstruct one row by FBP, shape (y, x)."""
    picture: np.ndarray = FourierEngine().reconstruct(request)[0]
    return picture


class GriddedModel:
    """A row as xct's own gridding sees it: exact in Fourier space, for samples seen whole."""

    def __init__(self, request: Request, row: int, blur_px: float = 0.0) -> None:
        self._row, self._blur_px = one_row(request, row), blur_px
        self.size = self._row.size

    @property
    def sinogram(self) -> np.ndarray:
        """As of `Model`."""
        return self._row.line_integrals[:, 0]

    @cached_property
    def _direct(self) -> np.ndarray:
        return self._adjoint(self._row.weights, filtered=True)

    def filtered_residual(self, picture: np.ndarray) -> np.ndarray:
        """As of `Model`."""
        left: np.ndarray = self._direct - filtered_convolution(self._row, self._blur_px)(picture)
        return left

    def normal(self, picture: np.ndarray) -> np.ndarray:
        """As of `Model`."""
        theta, blur = self._row.theta_deg, self._blur_px
        ones = np.ones(theta.size)
        return convolution(theta, ones, self.size, filtered=False, blur_px=blur)(picture)

    @cached_property
    def back_projected(self) -> np.ndarray:
        """As of `Model`."""
        return self._adjoint(np.ones(self._row.theta_deg.size), filtered=False)

    def _adjoint(self, weights: np.ndarray, *, filtered: bool) -> np.ndarray:
        return back_projected(
            self.sinogram,
            self._row.theta_deg,
            weights,
            float(self._row.center_px[0]),
            self.size,
            filtered=filtered,
            blur_px=self._blur_px,
        )


def filtered_convolution(request: Request, blur_px: float) -> Convolution:
    """Give what projecting and filtered back-projection do to a slice of this scan."""
    theta, weights = request.theta_deg, request.weights
    return convolution(theta, weights, request.picture, filtered=True, blur_px=blur_px)


class RayModel:
    """A row as ASTRA sees it: ray by ray, on a GPU where it finds one.

    Used as a context manager: ASTRA's objects are deleted at the end, as ASTRA does not do it.
    """

    def __init__(self, request: Request, row: int, blur_px: float = 0.0) -> None:
        self._row, self._sigma_px = one_row(request, row), blur_px / FWHM_PER_SIGMA
        self._astra = _import_astra()
        size, columns = self._row.size, self._row.columns
        theta = np.deg2rad(self._row.theta_deg)
        across = np.stack([np.cos(theta), np.sin(theta)], axis=1)  # ASTRA's y points upwards
        along = np.stack([np.sin(theta), -np.cos(theta)], axis=1)
        middle = ((columns - 1) / 2 - self._row.center_px[0]) * across
        vectors = np.hstack([along, middle, across])
        rays = self._astra.create_proj_geom("parallel_vec", columns, vectors)
        kernel = "cuda" if self._astra.use_cuda() else _CPU_KERNEL
        slices = self._astra.create_vol_geom(size, size)
        self._projector = self._astra.create_projector(kernel, rays, slices)

    def __enter__(self) -> RayModel:
        return self

    def __exit__(self, *exc: object) -> None:
        self._astra.projector.delete(self._projector)

    @property
    def sinogram(self) -> np.ndarray:
        """As of `Model`."""
        return self._row.line_integrals[:, 0]

    def project(self, picture: np.ndarray) -> np.ndarray:
        """Sum a slice along every ray, shape (angle, column)."""
        key, sinogram = self._astra.create_sino(np.float32(picture), self._projector)
        self._astra.data2d.delete(key)
        return self._blurred(np.asarray(sinogram))

    def backproject(self, sinogram: np.ndarray) -> np.ndarray:
        """Sum the rays through each pixel, shape (y, x)."""
        values = np.ascontiguousarray(self._blurred(sinogram), np.float32)
        key, picture = self._astra.create_backprojection(values, self._projector)
        self._astra.data2d.delete(key)
        return np.asarray(picture)

    def filtered_residual(self, picture: np.ndarray) -> np.ndarray:
        """As of `Model`."""
        left = self._blurred(self.sinogram - self.project(picture))
        return direct(one_row(self._row, 0, left))

    def _blurred(self, sinogram: np.ndarray) -> np.ndarray:
        if not self._sigma_px:
            return sinogram
        blurred = scipy.ndimage.gaussian_filter1d(sinogram, self._sigma_px, 1, mode="constant")
        return np.asarray(blurred)

    def normal(self, picture: np.ndarray) -> np.ndarray:
        """As of `Model`."""
        return self.backproject(self.project(picture))

    @cached_property
    def back_projected(self) -> np.ndarray:
        """As of `Model`."""
        return self.backproject(self.sinogram)


def _import_astra() -> Any:
    import astra

    return astra
