"""A cell of plain layers whose numbers are known: quick to draw, nothing random but the noise."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

MU = {"steel": 114.0, "lithium": 0.09, "electrolyte": 5.0, "active": 48.0, "collector": 4.95}
TUBE, AIR = 0.52, 0.0006


@dataclass(frozen=True)
class LayeredCell:
    """What is drawn: lengths in voxels, layers in rows from the anode."""

    shape: tuple[int, int, int] = (112, 128, 128)
    radius: float = 48.3
    wall: float = 10.0
    center: tuple[float, float] = (63.0, 64.4)  # y, x in the middle slice
    lean: tuple[float, float] = (0.0, 0.0)  # dy/dz, dx/dz of the axis
    tilt: tuple[float, float] = (0.0, 0.0)  # dz/dy, dz/dx of all layers
    steel: float = 10.0
    lithium: float = 14.0
    electrolyte: float = 44.0
    cathode: float = 28.0
    collector: float = 8.0
    upside_down: bool = False
    blur: float = 0.85
    noise: float = 1.5
    gain: float = 0.0  # relative slope of all values along z, from end to end
    circle: bool = True  # 0 outside of the reconstructed circle
    seed: int = 0

    def but(self, **changes) -> "LayeredCell":
        """Give the same cell with some things changed."""
        return replace(self, **changes)

    @property
    def edges(self) -> np.ndarray:
        """Heights of the five boundaries on the axis, counted from the anode, rows."""
        layers = [self.steel, self.lithium, self.electrolyte, self.cathode, self.collector]
        return np.cumsum(layers) - 0.5

    def heights(self) -> dict[str, float]:
        """Heights of the surfaces on the axis, in slices as they are drawn."""
        names = ("steel_lithium", "lithium_electrolyte", "electrolyte_cathode", "cathode_collector")
        last = self.shape[0] - 1
        return {
            name: float(last - edge if self.upside_down else edge)
            for name, edge in zip(names, self.edges[:4], strict=True)
        }

    def draw(self) -> np.ndarray:
        """Draw μ in 1/cm, blurred, with the noise of filtered backprojection."""
        rng = np.random.default_rng(self.seed)
        mu = self._sharp(rng)
        mu = gaussian_filter(mu, self.blur) if self.blur else mu
        z, y, x = self.shape
        mu *= 1 + self.gain * (np.arange(z) / (z - 1) - 0.5)[:, None, None]
        mu += self.noise * ramp_noise(self.shape, rng)
        if self.circle:
            grid = np.hypot(np.arange(y)[:, None] - (y - 1) / 2, np.arange(x) - (x - 1) / 2)
            mu[:, grid > min(y, x) / 2 - 0.5] = 0.0
        return mu.astype(np.float32)

    def _sharp(self, rng: np.random.Generator) -> np.ndarray:
        z, y, x = np.ogrid[tuple(slice(0, n) for n in self.shape)]
        middle = (self.shape[0] - 1) / 2
        y_axis = self.center[0] + self.lean[0] * (z - middle)
        x_axis = self.center[1] + self.lean[1] * (z - middle)
        radius = np.hypot(y - y_axis, x - x_axis)
        plane = self.tilt[0] * (y - self.center[0]) + self.tilt[1] * (x - self.center[1])
        depth = (self.shape[0] - 1 - z if self.upside_down else z) - plane * (
            -1 if self.upside_down else 1
        )
        field = gaussian_filter(rng.standard_normal(self.shape), 1.7)
        grains = field > np.quantile(field, 0.6)
        composite = np.where(grains, MU["active"], MU["electrolyte"])
        edges = self.edges
        inside, steel = np.zeros(self.shape), np.ones(self.shape)
        for first, stop, value in (
            (edges[0], edges[1], MU["lithium"]),
            (edges[1], edges[2], MU["electrolyte"]),
            (edges[2], edges[3], composite),
            (edges[3], edges[4], MU["collector"]),
        ):
            # Where a boundary cuts a voxel, both sides have their fraction.
            fraction = np.clip(depth - first + 0.5, 0, 1) - np.clip(depth - stop + 0.5, 0, 1)
            inside += fraction * value
            steel -= fraction
        inside += steel * MU["steel"]
        bore = np.clip(self.radius - radius + 0.5, 0, 1)
        tube = np.clip(self.radius + self.wall - radius + 0.5, 0, 1)
        return bore * inside + (tube - bore) * TUBE + (1 - tube) * AIR


def ramp_noise(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Give noise of variance 1 whose spectrum within a slice rises like that of a ramp filter."""
    fy, fx = np.fft.fftfreq(shape[1])[:, None], np.fft.rfftfreq(shape[2])
    f = np.hypot(fy, fx)
    weight = np.sqrt(f) * np.sinc(np.minimum(f, 0.7))
    white = rng.standard_normal(shape)
    noise = np.fft.irfft2(np.fft.rfft2(white) * weight, s=shape[1:])
    return noise / noise.std()
