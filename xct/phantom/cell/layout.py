"""Where the layers of a virtual cell lie. In: shape, voxel, bore; out: heights and radii, µm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Steel, lithium, electrolyte, cathode, collector, steel: fractions of the height of a small cell.
_FRACTIONS = (0.075, 0.125, 0.4125, 0.25, 0.0625, 0.075)
# Lithium, electrolyte, cathode, collector of the real cell; steel takes the rest.
_FULL_UM = (150.0, 600.0, 200.0, 30.0)
_LEAST_STEEL_UM = 60.0
_FULL_BORE_UM, _FULL_WALL_UM = 3000.0, 60.0
_BORE_FRACTION = 0.86  # of the field of view, unless a bore is asked for
_LEAST_VOXELS = (2, 4, 8, 6, 2, 2)  # of each layer
_LEAST_WALL, _NARROW_WALL = 4, 5  # voxels: of the wall, and kept for it in a narrow view
_LARGEST_OFFSET = 0.008  # of the axis, in widths of the field of view
_CELL_TILT_DEG, _PLANE_TILT_DEG = 0.5, 0.2
BOUNDARIES = (
    "steel_lithium", "lithium_electrolyte", "electrolyte_cathode", "cathode_collector",
    "collector_steel",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A pristine cell with flat faces, anode at low z.

    Attributes
    ----------
    heights_um : tuple of float
        Of `BOUNDARIES`, on the axis in the middle slice's coordinates.
    slopes : ndarray, shape (boundary, 2)
        dz/dy and dz/dx of each.
    axis : ndarray, shape (4,)
        y and x of the bore's axis at z = 0, dy/dz and dx/dz.
    bore_radius_um, tube_radius_um : float
        Inner and outer radius of the tube.
    """

    shape: tuple[int, int, int]
    voxel_um: float
    heights_um: tuple[float, ...]
    slopes: np.ndarray
    axis: np.ndarray
    bore_radius_um: float
    tube_radius_um: float

    @property
    def middle_axis(self) -> tuple[float, float]:
        """Give y and x of the axis in the middle slice, µm."""
        middle = (self.shape[0] - 1) / 2 * self.voxel_um
        y, x, dy, dx = (float(value) for value in self.axis)
        return y + dy * middle, x + dx * middle

    def plane_um(self, boundary: int) -> np.ndarray:
        """Give the height of a flat face over the voxels, shape (y, x)."""
        axis_y, axis_x = self.middle_axis
        y = np.arange(self.shape[1], dtype=np.float32)[:, None] * self.voxel_um - axis_y
        x = np.arange(self.shape[2], dtype=np.float32)[None] * self.voxel_um - axis_x
        slope_y, slope_x = self.slopes[boundary]
        return np.asarray(self.heights_um[boundary] + slope_y * y + slope_x * x, np.float32)

    def in_bore(self) -> np.ndarray:
        """Determine which columns of voxels lie in the bore over the whole height, shape (y, x)."""
        y = np.arange(self.shape[1])[:, None] * self.voxel_um
        x = np.arange(self.shape[2])[None] * self.voxel_um
        inside = np.ones(self.shape[1:], bool)
        for z in (0, self.shape[0] * self.voxel_um):
            distance = np.hypot(
                y - self.axis[0] - self.axis[2] * z, x - self.axis[1] - self.axis[3] * z
            )
            inside &= distance < self.bore_radius_um
        return inside


def lay_out(
    shape: tuple[int, int, int],
    voxel_um: float,
    bore_um: float | None,
    torlon: bool,
    rng: np.random.Generator,
) -> Layout:
    """Place the layers of a cell.

    A volume of at least the real cell's height holds the real layers; smaller ones hold a
    smaller cell, whose layers shrink with the height.

    Parameters
    ----------
    shape : tuple of int
        Voxels (z, y, x).
    voxel_um : float
        Edge of a voxel.
    bore_um : float or None
        Diameter of the bore; None: 0.86 of the field of view, at most 3000.
    torlon : bool
        The housing fills what is beyond the tube, and the bore may exceed the field of view.
    rng : Generator
        Source of offset and tilt.

    Raises
    ------
    ValueError
        If the bore does not fit into the field of view, or the layers not into the height.
    """
    view_um = min(shape[1:]) * voxel_um
    if bore_um is None:
        bore_um = min(
            _BORE_FRACTION * view_um, view_um - 2 * _NARROW_WALL * voxel_um, _FULL_BORE_UM
        )
    wall = max(_FULL_WALL_UM * bore_um / _FULL_BORE_UM, min(_LEAST_WALL * voxel_um, _FULL_WALL_UM))
    _check_bore(bore_um, wall, view_um, torlon)
    layers = _layers(shape[0], voxel_um)
    heights = (np.cumsum(layers[:-1]) - 0.5 * voxel_um).tolist()
    offset = rng.uniform(-1, 1, 2) * _LARGEST_OFFSET * view_um
    room = max(0.0, view_um / 2 - bore_um / 2 - wall - voxel_um)
    offset *= min(1.0, room / max(float(np.hypot(*offset)), 1e-9)) if not torlon else 1.0
    tilt = _slope(_CELL_TILT_DEG, rng)
    room -= float(np.hypot(*offset))
    half = shape[0] / 2 * voxel_um
    if not torlon:
        tilt *= min(1.0, room / max(half * float(np.hypot(*tilt)), 1e-9))
    slopes = np.array([-tilt + _slope(_PLANE_TILT_DEG, rng) for _ in BOUNDARIES])
    middle = (np.array(shape[1:]) - 1) / 2 * voxel_um + offset
    at_zero = middle - tilt * (shape[0] - 1) / 2 * voxel_um
    return Layout(
        shape, voxel_um, tuple(heights), slopes, np.array([*at_zero, *tilt]),
        bore_um / 2, bore_um / 2 + wall,
    )  # fmt: skip


def _slope(largest_deg: float, rng: np.random.Generator) -> np.ndarray:
    azimuth, size = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1)
    slope = np.tan(np.deg2rad(largest_deg)) * size
    return np.array([slope * np.sin(azimuth), slope * np.cos(azimuth)])


def _check_bore(bore_um: float, wall_um: float, view_um: float, torlon: bool) -> None:
    if not torlon and bore_um + 2 * wall_um > view_um:
        raise ValueError(
            f"a bore of {bore_um:g} µm with a wall of {wall_um:.3g} µm is wider than the field of "
            f"view of {view_um:g} µm; ask for a smaller bore, more or larger voxels, or Torlon "
            "outside the field of view"
        )
    if bore_um <= 0:
        raise ValueError(f"bore_um = {bore_um:g}; it must be positive")


def _layers(rows: int, voxel_um: float) -> np.ndarray:
    height = rows * voxel_um
    steel = (height - sum(_FULL_UM)) / 2
    if steel >= _LEAST_STEEL_UM:
        layers = np.array([steel, *_FULL_UM, steel])
    else:
        layers = np.rint(np.array(_FRACTIONS) * rows) * voxel_um
    needed = sum(_LEAST_VOXELS)
    if (np.rint(layers / voxel_um) < _LEAST_VOXELS).any():
        remedy = f"take at least {2 * needed} rows"
        if rows >= 2 * needed:  # it is the voxels that are too large
            remedy = "take smaller voxels, such as 2 µm: the thinnest layer needs some of them"
        raise ValueError(
            f"{rows} rows of {voxel_um:g} µm are too few for the layers of the cell; {remedy}"
        )
    return layers


# Places in the bore. In: a layout; out: random points, and what maps (y, x) say at points.


def at(field: np.ndarray, points_um: np.ndarray, voxel_um: float) -> np.ndarray:
    """Read a map (y, x) at the columns of points (n, 3), nearest voxel."""
    row, column = (
        np.clip(np.rint(points_um[:, k + 1] / voxel_um).astype(int), 0, field.shape[k] - 1)
        for k in range(2)
    )
    values: np.ndarray = field[row, column].astype(np.float64)
    return values


def in_bore(
    z_um: np.ndarray, layout: Layout, margin_um: np.ndarray | float, rng: np.random.Generator
) -> np.ndarray:
    """Draw points evenly over the bore at given heights.

    Parameters
    ----------
    z_um : ndarray, shape (n,)
        Heights.
    layout : Layout
        The bore.
    margin_um : ndarray or float
        Distance that each keeps from the wall.
    rng : Generator
        Source of the random numbers.

    Returns
    -------
    ndarray, shape (n, 3)
        z, y, x in µm.
    """
    radius = np.maximum(layout.bore_radius_um - margin_um, 0) * np.sqrt(rng.random(len(z_um)))
    azimuth = rng.uniform(0, 2 * np.pi, len(z_um))
    y = layout.axis[0] + layout.axis[2] * z_um + radius * np.sin(azimuth)
    x = layout.axis[1] + layout.axis[3] * z_um + radius * np.cos(azimuth)
    return np.column_stack([z_um, y, x])
