"""Frames of a photon-starved slab of the full bore. In: line integrals; out: transmission.

The slab is a part of the frame of a whole cell. What lies above and below is drawn plainly: it
sends glare into the slab, and steel of it is the shadow in which glare is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xct.parallel.threads import over_ranges
from xct.phantom.scan.detector import Detector
from xct.phantom.scan.optics import glare_map, spread
from xct.physics.materials import mu_per_cm
from xct.preprocess import fill_dead_pixels, flat_field, outliers
from xct.preprocess.veiling.frame_light import FrameLight, gather_light

# The frame, from above: steel, lithium, electrolyte, cathode, collector, steel.
_HEIGHTS_UM = (747.5, 149.5, 600.6, 200.2, 29.9, 768.3)
_CELL = 16  # pixels of a coarse frame in which glare is computed
_BLUR_UM, _RANGE_UM = 2.2, 300.0
_QUANTA, _READ_NOISE, _BITS = 48_000.0, 16.0, 16
_FLATS, _DARKS = 30, 10
_STILL = 16  # frames of what does not change with the angle
_UM_PER_CM = 1e4


@dataclass(frozen=True)
class SlabFrames:
    """A scan of a slab that straddles the front of the cathode.

    Attributes
    ----------
    line_integrals : ndarray, shape (angle, row, column)
        Of the slab.
    front_row : int
        Row of the slab at which the cathode begins.
    bore_um, wall_um, voxel_um : float
        Diameter of the bore, thickness of the tube, width of a pixel.
    glare : float
        Fraction of the light that is spread.
    energy_kev : float
        Photon energy.
    seed : int
        Of the noise.
    """

    line_integrals: np.ndarray
    front_row: int
    bore_um: float
    wall_um: float
    voxel_um: float
    glare: float
    energy_kev: float = 25.0
    seed: int = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Angles, rows and columns of the slab."""
        angles, rows, columns = self.line_integrals.shape
        return angles, rows, columns

    @property
    def first_row(self) -> int:
        """Row of the frame with which the slab begins, to the nearest coarse one."""
        return round((sum(self._layers[:3]) - self.front_row) / _CELL) * _CELL

    @property
    def _layers(self) -> list[int]:
        """Rows of each layer of the frame."""
        return [round(height / self.voxel_um) for height in _HEIGHTS_UM]

    def transmission(self) -> np.ndarray:
        """Take the frames of the slab and divide out flats; float32 (angle, row, column)."""
        angles, rows, columns = self.shape
        detector = self._detector((rows, columns))
        beam = np.full((rows, columns), _QUANTA, np.float32)
        counts = np.empty(self.shape, np.uint16)

        def some(first: int, stop: int) -> None:
            for angle in range(first, stop):
                counts[angle] = detector.read(beam * self._seen(angle), beam, angle)

        over_ranges(some, angles, pieces=8)
        return outliers(fill_dead_pixels(flat_field(counts, *self.fields)))

    @cached_property
    def fields(self) -> tuple[np.ndarray, np.ndarray]:
        """Flats and darks of the slab, each (frame, row, column)."""
        angles, rows, columns = self.shape
        detector = self._detector((rows, columns))
        beam = np.full((rows, columns), _QUANTA, np.float32)
        dark = np.zeros_like(beam)
        flats = np.stack([detector.read(beam, beam, angles + k) for k in range(_FLATS)])
        darks = np.stack([detector.read(dark, dark, angles + _FLATS + k) for k in range(_DARKS)])
        return flats, darks

    def light(self, transmission: np.ndarray) -> FrameLight:
        """Gather the light of the whole frame, as a run does, from frames with noise."""
        angles, rows, columns = self.shape
        height, first = sum(self._layers), self.first_row
        coarse = self._coarse(np.exp(-self._at_rest))
        lit = (1 - self.glare) * self._plain + self.glare * self._fine(
            glare_map(coarse, _RANGE_UM / self.voxel_um / _CELL), np.arange(height)
        )

        def read(row: int, stop: int) -> np.ndarray:
            if first <= row < first + rows:
                return transmission[:, row - first : stop - first]
            few = self._still_frames(lit[row:stop].astype(np.float32), row)
            return np.resize(few, (angles, *few.shape[1:]))

        return gather_light(read, height, columns)

    def _still_frames(self, light: np.ndarray, row: int) -> np.ndarray:
        """Take some frames of a row that does not change; zingers average out over a scan."""
        rng = np.random.default_rng((self.seed, 9, row))
        shape = (_STILL, *light.shape)
        seen = rng.poisson(light * _QUANTA, shape) + rng.normal(0, _READ_NOISE, shape)
        offset = rng.normal(0, _READ_NOISE / np.sqrt(_DARKS), light.shape)
        return np.asarray((seen + offset) / _QUANTA, np.float32)

    def _detector(self, shape: tuple[int, int]) -> Detector:
        return Detector.draw(
            shape, quanta=_QUANTA, bits=_BITS, read_noise=_READ_NOISE,
            seed=self.seed,
        )  # fmt: skip

    def _seen(self, angle: int) -> np.ndarray:
        """Give what arrives of the beam: sharp light blurred, and the glare of the whole frame."""
        passed = np.exp(-self.line_integrals[angle])
        core = spread(passed, _BLUR_UM / self.voxel_um, 0.0, 1.0)
        if self.glare == 0:
            return core
        light = glare_map(self._coarse(passed), _RANGE_UM / self.voxel_um / _CELL)
        rows = self.first_row + np.arange(self.shape[1])
        return np.asarray(
            (1 - self.glare) * core + self.glare * self._fine(light, rows), np.float32
        )

    @cached_property
    def _at_rest(self) -> np.ndarray:
        """Mean line integrals of the slab: those of its mean light."""
        _, rows, columns = self.shape
        light = np.zeros((rows, columns))
        for part in self.line_integrals[:: max(1, len(self.line_integrals) // 64)]:
            light += np.exp(-part)
        count = len(range(0, len(self.line_integrals), max(1, len(self.line_integrals) // 64)))
        return -np.log(light / count)

    @cached_property
    def _plain(self) -> np.ndarray:
        """Light behind the whole frame, the slab at rest in it, shape (row, column)."""
        columns = self.shape[2]
        across = (np.arange(columns) - (columns - 1) / 2) * self.voxel_um
        inner = self.bore_um / 2
        filled, whole = (
            2 / _UM_PER_CM * np.sqrt(np.maximum(radius**2 - across**2, 0))
            for radius in (inner, inner + self.wall_um)
        )
        wall = (whole - filled) * float(mu_per_cm("polyimide", self.energy_kev))

        def layer(material: str) -> np.ndarray:
            per_cm = float(mu_per_cm(material, self.energy_kev))
            return np.asarray(np.exp(-filled * per_cm - wall))

        steel = layer("steel")
        rest = np.exp(-self._at_rest)
        cathode, electrolyte = rest[-4:].mean(axis=0), rest[:4].mean(axis=0)
        kinds = (steel, layer("lithium"), electrolyte, cathode, layer("aluminium"), steel)
        frame = np.repeat(np.stack(kinds), self._layers, axis=0)
        frame[self.first_row : self.first_row + self.shape[1]] = rest
        return np.asarray(frame)

    @cached_property
    def _coarse_plain(self) -> np.ndarray:
        return _averaged(self._plain)

    def _coarse(self, passed: np.ndarray) -> np.ndarray:
        """Put the light of the slab into that of the frame, in coarse pixels."""
        frame = self._coarse_plain.copy()
        first = self.first_row // _CELL
        part = _averaged(passed)
        frame[first : first + len(part)] = part
        return frame

    def _fine(self, coarse: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Interpolate coarse light to some rows and all columns."""
        return np.asarray(_between(rows, len(coarse)) @ coarse @ self._columns)

    @cached_property
    def _columns(self) -> np.ndarray:
        return _between(np.arange(self.shape[2]), self._coarse_plain.shape[1]).T


def _averaged(frame: np.ndarray) -> np.ndarray:
    rows, columns = (n // _CELL for n in frame.shape)
    cells = frame[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    return np.asarray(cells.mean(axis=(1, 3), dtype=np.float64))


def _between(at: np.ndarray, cells: int) -> np.ndarray:
    """Weights of coarse pixels at fine ones, linear between their middles."""
    place = np.clip((at - (_CELL - 1) / 2) / _CELL, 0, cells - 1)
    low = np.minimum(place.astype(int), cells - 2)
    weights = np.zeros((len(at), cells))
    index = np.arange(len(at))
    weights[index, low] = 1 - (place - low)
    weights[index, low + 1] = place - low
    return weights
