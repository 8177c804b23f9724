"""How small an inclusion may be to be found. In: a measured volume; out: a table, sizes at half.

Empty bodies of known size are planted into the electrolyte as it was measured, with its noise and
blur, and looked for again by the rules that label low grey.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from xct.geometry import CellGeometry, Label, Surface
from xct.normalize.grey_scale import Ratios
from xct.normalize.reference import ElectrolyteReference
from xct.parallel.blocks import Voxels
from xct.parallel.executors import map_blocks
from xct.physics.optics import FWHM_PER_SIGMA
from xct.preprocess.fringes import refuse_fringes
from xct.quantity import Number, Quantity, Table
from xct.segment.connected import label_pieces
from xct.segment.denoise import Triple, gaussian
from xct.segment.material.columns import Columns, find_columns
from xct.segment.material.sharpened import blur_um
from xct.segment.material.thresholds import (
    SMOOTH_PX,
    certain_below,
    low_below,
    smoothing_px,
)
from xct.segment.particle.separation import triple
from xct.stages import stage

if TYPE_CHECKING:
    import pandas as pd

_PLACES, _TRIES = 32, 400
_HALF_BOX = (8, 12, 12)  # voxels about a place, along z, y and x
_LEAST_PLACES = 8
_PURE = 0.98  # of a box is electrolyte by its labels; noise may have taken some
_STEP = 1.25
_SIZES = tuple(0.5 * _STEP**k for k in range(13))  # of a body, in widths of the point spread
_PLATE = 7.0  # voxels: radius of a plate, a crack that ends within the box
_FINE = 3  # parts of a voxel in which a body is drawn
_DRAWS = 200


def detection_numbers(detection_limits: pd.DataFrame) -> Iterator[tuple[str, Number]]:
    """Give the size of each kind of body at which half are found, by a bootstrap over places."""
    limits = detection_limits
    for kind in limits["body"].unique():
        own = limits[limits["body"] == kind]
        found, sizes = own["found"].to_numpy(), own["size_um"].to_numpy()
        planted = int(own["planted"].max())
        size = _at_half(sizes, found / planted)
        rng = np.random.default_rng(0)
        drawn = [
            _at_half(sizes, rng.binomial(planted, found / planted) / planted)
            for _ in range(_DRAWS)
        ]  # fmt: skip
        sd = float(np.nanstd(drawn)) if np.isfinite(drawn).sum() > _DRAWS / 2 else float("nan")
        if not ((found > 0) & (found < planted)).any():  # all is known is between which sizes
            sd = size * (_STEP - 1) / np.sqrt(12)
        note = "half of those that were planted into the measured electrolyte are found"
        yield f"inclusion_detection_um.{kind}", Number(size, "µm", sd, planted, note=note)


@stage(
    gives=Quantity(
        "detection_limits",
        unit="table of planted bodies, and how many of them are found",
        store=Table(),
        numbers=detection_numbers,
    ),
    measures=True,
    rests_on=(
        "bore_not_found",
        "implausible_blur",
    ),
)
def detection_limits(
    volume: Voxels,
    labels: Voxels,
    cell: CellGeometry,
    surfaces: Mapping[str, Surface],
    reference: ElectrolyteReference,
    uncorrected_fringes: str | None = None,
    *,
    least_psf_volumes: Annotated[float, Ge(0)] = 3.0,
    seed: Annotated[int, Ge(0)] = 0,
) -> pd.DataFrame | None:
    """Plant empty spheres and plates into the measured electrolyte, and look for them again.

    Parameters
    ----------
    volume : Voxels, shape (z, y, x)
        Linear attenuation, 1/cm; some boxes of it are read.
    labels : Voxels, shape (z, y, x)
        What `materials` gave: bodies are planted where nearly all is electrolyte.
    cell : CellGeometry
        Where the cell lies.
    surfaces : mapping of str to Surface
        Height maps.
    reference : Reference
        The electrolyte's attenuation by height and radius, the noise, and the blur.
    uncorrected_fringes : str, optional
        How propagation fringes are known of that no step dealt with; then nothing is measured.
    least_psf_volumes : float, optional
        As of `inclusions`.
    seed : int, optional
        Of the places.

    Returns
    -------
    DataFrame or None
        ``body`` (``sphere``, ``plate``: a flat disc 14 voxels wide, as a crack), ``size_um`` (its
        diameter; its thickness), ``planted``, ``found``. None where hardly any electrolyte is in
        view.

    Raises
    ------
    ValueError
        If there are fringes.
    """
    import pandas as pd

    refuse_fringes(uncorrected_fringes)
    ratios, columns = Ratios(volume, cell, reference), find_columns(cell, surfaces)
    boxes = _boxes(ratios, labels, columns, seed)
    if len(boxes) < _LEAST_PLACES:
        return None
    blur, voxel = blur_um(reference, cell.voxel_size_um), np.array(cell.voxel_size_um)
    smooth_px, smooth_sd = _smoothing(boxes)
    look = _Look(
        float(low_below(smooth_sd)),
        float(certain_below(smooth_sd)),
        smooth_px,
        triple(blur / FWHM_PER_SIGMA / voxel),
        max(2.0, least_psf_volumes * np.pi / 6 * blur**3 / float(voxel.prod())),
        voxel,
    )
    planted = [(body, size * blur) for body in ("sphere", "plate") for size in _SIZES]
    found = map_blocks(_found, planted, boxes, look, seed)
    rows = [(*task, len(boxes), count) for task, count in zip(planted, found, strict=True)]
    return pd.DataFrame(rows, columns=["body", "size_um", "planted", "found"])


@dataclass(frozen=True)
class _Look:
    """How low grey is looked for, in multiples of the electrolyte and voxels."""

    low: float
    certain: float
    smooth_px: float
    psf_sigma_px: Triple
    least_voxels: float
    voxel_um: np.ndarray


def _boxes(ratios: Ratios, labels: Voxels, columns: Columns, seed: int) -> list[np.ndarray]:
    """Read boxes at random places where nearly all is electrolyte."""
    rng, found = np.random.default_rng(seed), []
    depth, height, width = ratios.shape
    half = np.array(_HALF_BOX)
    low, high = columns.rows(columns.lithium, columns.front, depth)
    if high - low < 2 * half[0] + 1 or min(height, width) < 2 * half[1] + 1:
        return []
    for _ in range(_TRIES):
        z, y, x = (
            int(rng.integers(a, b))
            for a, b in zip((low + half[0], half[1], half[2]),
                            (high - half[0], height - half[1], width - half[2]), strict=True)
        )  # fmt: skip
        rows, across = slice(z - half[0], z + half[0] + 1), slice(x - half[2], x + half[2] + 1)
        strip = slice(y - half[1], y + half[1] + 1)
        between = [columns.height(edge) for edge in (rows.start, rows.stop)]
        clear = columns.lithium[strip, across].max() < min(between)
        clear &= columns.front[strip, across].min() > max(between)
        if clear and np.mean(labels[rows, strip, across] == Label.ELECTROLYTE) >= _PURE:
            found.append(ratios[rows, strip, across])
        if len(found) == _PLACES:
            break
    return found


def _inner(box: np.ndarray) -> tuple[slice, ...]:
    """Leave out the rim, which smoothing has made of what lies beyond."""
    return tuple(slice(2, n - 2) for n in box.shape)


def _smoothing(boxes: list[np.ndarray]) -> tuple[float, float]:
    """Choose how wide boxes are smoothed, as for the labels; give what scatter is left."""
    width = SMOOTH_PX
    sd = _scatter([gaussian(box, width)[_inner(box)] for box in boxes])
    if (wider := smoothing_px(sd)) > width:
        width, sd = wider, _scatter([gaussian(box, wider)[_inner(box)] for box in boxes])
    return width, sd


def _scatter(values: list[np.ndarray]) -> float:
    """Give the standard deviation of the electrolyte, from its quartiles."""
    low, high = np.quantile(np.concatenate([v.ravel() for v in values]), (0.25, 0.75))
    return float(high - low) / 1.349


def _found(task: tuple[str, float], boxes: list[np.ndarray], look: _Look, seed: int) -> int:
    """Plant a body into each box, and count how many are found."""
    body, size_um = task
    rng = np.random.default_rng((seed, round(1000 * size_um), len(body)))
    return sum(_is_found(box, _drawn(body, size_um, box.shape, look, rng), look) for box in boxes)


def _drawn(
    body: str, size_um: float, shape: tuple[int, ...], look: _Look, rng: np.random.Generator
) -> np.ndarray:
    """Draw which part of each voxel a body fills, blurred by the point spread."""
    offsets = [
        ((np.arange(_FINE * n) + 0.5) / _FINE - 0.5 - (n - 1) / 2 - rng.uniform(-0.5, 0.5)) * s
        for n, s in zip(shape, look.voxel_um, strict=True)
    ]
    z, y, x = np.meshgrid(*offsets, indexing="ij", sparse=True)
    if body == "sphere":
        inside = z**2 + y**2 + x**2 <= (size_um / 2) ** 2
    else:
        normal = rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        away = z * normal[0] + y * normal[1] + x * normal[2]
        radius = _PLATE * float(look.voxel_um.min())
        inside = (np.abs(away) <= size_um / 2) & (z**2 + y**2 + x**2 - away**2 <= radius**2)
    fine = (shape[0], _FINE, shape[1], _FINE, shape[2], _FINE)
    filled = inside.reshape(fine).mean(axis=(1, 3, 5)).astype(np.float32)
    return gaussian(filled, look.psf_sigma_px)


def _is_found(box: np.ndarray, filled: np.ndarray, look: _Look) -> bool:
    """Whether low grey of enough voxels, in more than one slice, is where a body was planted."""
    smooth = gaussian(box - filled, look.smooth_px)
    pieces, count = label_pieces(smooth < look.low)
    for number in range(1, count + 1):
        piece = pieces == number
        large = np.count_nonzero(piece) >= look.least_voxels and piece.any(axis=(1, 2)).sum() > 1
        if large and (smooth[piece] < look.certain).any() and filled[piece].max() > 0.1:
            return True
    return False


def _at_half(sizes: np.ndarray, part: np.ndarray) -> float:
    """Interpolate the size beyond which more than half are found; NaN where it is not in range."""
    below = np.flatnonzero(part < 0.5)
    if not below.size or below[-1] + 1 >= sizes.size:
        return float("nan")
    k = int(below[-1])
    return float(sizes[k] + (0.5 - part[k]) / (part[k + 1] - part[k]) * (sizes[k + 1] - sizes[k]))
