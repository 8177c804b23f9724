"""Discs seen by a detector, and the slice that must come back."""

from dataclasses import dataclass

import numpy as np
import pytest

from xct.phantom import draw_discs, project_discs, random_discs

PIXEL_UM = 10_000.0  # a pixel of 1 cm: values per pixel and per cm are the same


@dataclass(frozen=True)
class Example:
    """Discs, their exact projections and their exact picture."""

    theta_deg: np.ndarray
    center_px: float
    line_integrals: np.ndarray  # (angle, column)
    truth: np.ndarray  # (y, x)
    discs: np.ndarray  # (disc, 4)

    def rms(self, picture: np.ndarray) -> float:
        """RMS error inside 0.95 of the circle, in % of the largest value."""
        size = picture.shape[-1]
        error = (picture - self.truth)[inside(size)]
        return float(100 * np.sqrt(np.mean(error**2)) / self.truth.max())

    def worst_bias(self, picture: np.ndarray) -> float:
        """Largest mean error inside a disc or of the background, in % of the largest value."""
        size = picture.shape[-1]
        position = np.arange(size) - (size - 1) / 2
        error = 100 * (picture - self.truth) / self.truth.max()
        means = [abs(error[inside(size) & (self.truth == 0)].mean())]
        for x, y, radius, _ in self.discs:
            within = np.hypot(position - x, position[:, None] - y) <= radius - 1.5
            means.append(abs(error[within].mean()))
        return float(max(means))


def inside(size: int, fraction: float = 0.95) -> np.ndarray:
    """Pixels inside a fraction of the inscribed circle."""
    position = np.arange(size) - (size - 1) / 2
    return np.hypot(position, position[:, None]) <= fraction * size / 2


def make_example(
    columns: int = 128,
    angles: int | np.ndarray = 200,
    *,
    center_px: float | None = None,
    size: int | None = None,
    seen: float = 0.95,
    seed: int = 2,
) -> Example:
    """Discs of middling size within `seen` of the circle of `columns`."""
    theta = np.linspace(0, 180, angles, endpoint=False) if np.isscalar(angles) else angles
    center = (columns - 1) / 2 if center_px is None else center_px
    discs = random_discs(12, columns, seed=seed, radius=(0.05, 0.15), fill=seen)
    rows = project_discs(discs, theta, columns, center)
    truth = draw_discs(discs, size or columns)
    return Example(theta, center, rows.astype(np.float32), truth, discs)


@pytest.fixture(scope="session")
def example() -> Example:
    return make_example()
