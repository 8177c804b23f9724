"""Labels as materials. In: labels of a plane; out: levels with smooth boundaries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from xct.geometry import Label
from xct.simulate.geometry.domain import Domain, Frame, Material
from xct.simulate.geometry.pieces import Pieces, pieces_of
from xct.simulate.geometry.sampled import Sampled
from xct.simulate.mesh.cutting import Level

SMOOTHING_PX = 0.7  # steps of voxels are gone, and a particle of ten loses 1 % of its diameter

_MATERIAL_OF: Mapping[Label, Material] = {
    Label.LITHIUM: Material.LITHIUM,
    Label.ELECTROLYTE: Material.ELECTROLYTE,
    Label.ACTIVE_MATERIAL: Material.PARTICLE,
    Label.STEEL: Material.STEEL,
}  # everything else carries nothing, and is empty


def domain_of_labels(
    labels: np.ndarray,
    particles: np.ndarray,
    voxel_um: tuple[float, float],
    *,
    name: str = "labels",
    composite_um: float = 0.0,
    frame: Frame | None = None,
    anode: dict[Material, Level] | None = None,
) -> Domain:
    """Give the materials of labels, with boundaries that are smooth.

    Each material's mask is smoothed with a Gaussian of 0.7 voxels; a material ends where another
    one's smoothed mask is as large, and particles and voids grow until they have the area of their
    voxels. Faces of lithium and steel that were measured between voxels
    are taken from there.

    Parameters
    ----------
    labels : ndarray of uint8, shape (height, across)
        `Label` of each voxel, the cathode's end first.
    particles : ndarray of int, shape (height, across)
        Number of the particle; 0 for none.
    voxel_um : tuple of float
        Edges of a voxel along the height and across.
    name : str, optional
        For titles.
    composite_um : float, optional
        Height of the composite cathode.
    frame : Frame, optional
        Where the plane lies in its volume.
    anode : mapping of Material to Level, optional
        Lithium and steel by the heights of their faces, in place of their labels.
    """
    material = materials_of(labels)
    labelled_um2 = {
        each: float((material == each).sum() * voxel_um[0] * voxel_um[1]) for each in Material
    }
    if anode:
        material = _with_faces(material, anode, voxel_um)
    levels = _levels(material, voxel_um) | (anode or {})
    unknown = float((np.asarray(labels) == Label.UNKNOWN).mean())
    notes = [f"{unknown:.1%} of the plane is unknown, and taken for empty"] if unknown else []
    return Domain(
        name=name,
        width_um=material.shape[1] * voxel_um[1],
        height_um=material.shape[0] * voxel_um[0],
        levels=[(each, levels[each]) for each in _ORDER if each in levels],
        distance_um=_distance(material, voxel_um),
        particle_at=_nearest_particle(
            np.where(material == Material.PARTICLE, particles, 0), voxel_um
        ),
        centers_um=_centers(np.asarray(particles), voxel_um),
        composite_um=composite_um,
        frame=frame,
        voxel_um=max(voxel_um),
        pieces=_pieces(material, np.asarray(particles), voxel_um),
        labelled_um2=labelled_um2,
        notes=notes,
    )


def _pieces(
    material: np.ndarray, particles: np.ndarray, voxel_um: tuple[float, float]
) -> dict[Material, Pieces]:
    """Find particles, by their numbers, and voids that hang together, also by corners."""
    from scipy.ndimage import label

    void, particle = (material == each for each in (Material.VOID, Material.PARTICLE))
    numbers = {
        Material.PARTICLE: (np.where(particle, particles, 0), particle),
        Material.VOID: (label(void, np.ones((3, 3)))[0], void),
    }
    return {
        each: pieces_of(number, inside, voxel_um)
        for each, (number, inside) in numbers.items()
        if number.any()
    }


def _with_faces(
    material: np.ndarray, anode: Mapping[Material, Level], voxel_um: tuple[float, float]
) -> np.ndarray:
    """Draw lithium and steel by their faces; what was labelled so elsewhere is electrolyte."""
    rows, columns = (
        (np.arange(n) + 0.5) * e for n, e in zip(material.shape, voxel_um, strict=True)
    )
    points = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    drawn = np.where(np.isin(material, list(anode)), Material.ELECTROLYTE, material)
    for code, level in anode.items():
        drawn[(level(points) > 0).reshape(material.shape)] = code
    return drawn.astype(np.uint8)


def materials_of(labels: np.ndarray) -> np.ndarray:
    """Turn labels into materials: what is neither of them is empty."""
    codes = np.full(256, Material.VOID, np.uint8)
    for label, material in _MATERIAL_OF.items():
        codes[label] = material
    return np.asarray(codes[np.asarray(labels)])


_ORDER = (Material.STEEL, Material.LITHIUM, Material.PARTICLE, Material.VOID)


def _levels(material: np.ndarray, voxel_um: tuple[float, float]) -> dict[Material, Level]:
    from scipy.ndimage import gaussian_filter

    present = [each for each in Material if (material == each).any()]
    smooth = {
        each: gaussian_filter((material == each).astype(np.float32), SMOOTHING_PX, mode="nearest")
        for each in present
    }
    # A smoothed step falls by this much in a µm where it is steepest.
    slope_um = SMOOTHING_PX * np.sqrt(np.pi / 2) * min(voxel_um)
    levels: dict[Material, Level] = {}
    for each in present:
        others = [smooth[other] for other in present if other != each]
        ahead = smooth[each] - np.maximum.reduce(others) if others else smooth[each]
        levels[each] = Sampled(ahead * slope_um, voxel_um)
    return levels


def _distance(material: np.ndarray, voxel_um: tuple[float, float]) -> Sampled:
    """Give the distance from the nearest boundary of materials."""
    from scipy.ndimage import distance_transform_edt

    edge = np.zeros(material.shape, bool)
    for axis in (0, 1):
        differs = np.diff(material, axis=axis) != 0
        first, second = [slice(None)] * 2, [slice(None)] * 2
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        edge[tuple(first)] |= differs
        edge[tuple(second)] |= differs
    if not edge.any():
        return Sampled(np.full(material.shape, np.inf), voxel_um)
    away = distance_transform_edt(~edge, sampling=voxel_um)
    return Sampled(np.maximum(away - max(voxel_um), 0), voxel_um)


def _nearest_particle(particles: np.ndarray, voxel_um: tuple[float, float]) -> Level:
    """Give a function that names the particle nearest to points."""
    from scipy.ndimage import distance_transform_edt

    if not particles.any():
        return lambda points: np.zeros(len(points), np.int64)
    at = distance_transform_edt(
        particles == 0, sampling=voxel_um, return_distances=False, return_indices=True
    )
    filled = particles[tuple(at)]

    def particle_at(points: np.ndarray) -> np.ndarray:
        row = np.clip((points[:, 1] / voxel_um[0]).astype(int), 0, filled.shape[0] - 1)
        column = np.clip((points[:, 0] / voxel_um[1]).astype(int), 0, filled.shape[1] - 1)
        return np.asarray(filled[row, column])

    return particle_at


def _centers(particles: np.ndarray, voxel_um: tuple[float, float]) -> dict[int, np.ndarray]:
    rows, columns = np.nonzero(particles)
    numbers, where, count = np.unique(
        particles[rows, columns], return_inverse=True, return_counts=True
    )
    x = np.bincount(where, (columns + 0.5) * voxel_um[1]) / count
    y = np.bincount(where, (rows + 0.5) * voxel_um[0]) / count
    return {int(n): np.array(p) for n, p in zip(numbers, zip(x, y, strict=True), strict=True)}
