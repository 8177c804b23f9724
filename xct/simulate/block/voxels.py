"""Ionic current through voxels. In: which voxels conduct; out: potential, conductivity, tortuosity.

The unknowns are potentials in the middles of voxels; what flows through a face is κ times the
difference over the distance: the lowest-order mixed elements (Raviart–Thomas) with their mass
lumped, on the labels as they are. What goes in comes out to the tolerance of the solver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xct.errors import RunError, XctError

_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Faces:
    """Faces between voxels that conduct and their neighbors.

    Attributes
    ----------
    one, other : ndarray of int, shape (face,)
        Flat indices of the voxels on both sides.
    area_over_length_um : ndarray, shape (face,)
        Area of the face over the distance of the middles, µm.
    """

    one: np.ndarray
    other: np.ndarray
    area_over_length_um: np.ndarray


def faces_between(
    first: np.ndarray, second: np.ndarray, voxel_um: tuple[float, float, float]
) -> Faces:
    """List the faces between voxels of one kind and of another, shape (z, y, x) each.

    Where both are the same kind, each face is listed once.
    """
    index = np.arange(first.size, dtype=np.int32).reshape(first.shape)
    ones, others, factors = [], [], []
    for axis in range(3):
        low: list[slice] = [slice(None)] * 3
        high: list[slice] = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(low), tuple(high)
        factor = float(np.prod(voxel_um)) / voxel_um[axis] ** 2
        pairs = [(a, b)] if first is second else [(a, b), (b, a)]
        for here, there in pairs:
            found = first[here] & second[there]
            ones.append(index[here][found])
            others.append(index[there][found])
            factors.append(np.full(len(ones[-1]), factor))
    return Faces(np.concatenate(ones), np.concatenate(others), np.concatenate(factors))


@dataclass(frozen=True)
class Flow:
    """Current through voxels at 1 V.

    Attributes
    ----------
    potential_v : ndarray, shape (z, y, x)
        Where current flows; NaN elsewhere.
    into_sink_a : ndarray, shape (face,)
        Current through each face of the sink, A.
    sink : Faces
        These faces: `one` conducts, `other` is the sink.
    from_source_a : float
        Current out of the source, A.
    left_out : float
        Part of what conducts that reaches one side or none.
    islands : int
        In how many pieces.
    """

    potential_v: np.ndarray
    into_sink_a: np.ndarray
    sink: Faces
    from_source_a: float
    left_out: float
    islands: int


def flow(
    conducts: np.ndarray, sink: np.ndarray, source: np.ndarray, kappa_s_m: np.ndarray | float,
    voxel_um: tuple[float, float, float],
) -> Flow:  # fmt: skip
    """Solve for the current from a source at 1 V to a sink at 0 V.

    Parameters
    ----------
    conducts, sink, source : ndarray of bool, shape (z, y, x)
        What each voxel is.
    kappa_s_m : ndarray, shape (z, y, x), or float
        κ of what conducts.
    voxel_um : tuple of float
        Edges of a voxel.

    Raises
    ------
    XctError
        If nothing conducts from one to the other.
    """
    joined, islands = _joined(conducts, sink, source)
    if not joined.any():
        raise XctError(
            "there is no way through the electrolyte between lithium and active particles"
        )
    kappa = np.broadcast_to(np.asarray(kappa_s_m, float), conducts.shape).ravel()
    number = np.full(conducts.size, -1, np.int32)
    number[joined.ravel()] = np.arange(int(joined.sum()), dtype=np.int32)
    inner = faces_between(joined, joined, voxel_um)
    both = kappa[inner.one], kappa[inner.other]
    conductance = inner.area_over_length_um * 2e-6 * both[0] * both[1] / (both[0] + both[1])
    ends = [faces_between(joined, kind, voxel_um) for kind in (sink, source)]
    halves = [2e-6 * kappa[end.one] * end.area_over_length_um for end in ends]
    size = int(joined.sum())
    diagonal = np.zeros(size)
    for face, value in ((inner.one, conductance), (inner.other, conductance)):
        diagonal += np.bincount(number[face], value, minlength=size)
    for end, value in zip(ends, halves, strict=True):
        diagonal += np.bincount(number[end.one], value, minlength=size)
    right = np.bincount(number[ends[1].one], halves[1], minlength=size)
    values = solve_network(network_matrix(number, inner, conductance, diagonal), right)
    potential = np.full(conducts.shape, np.nan)
    potential[joined] = values
    into = halves[0] * values[number[ends[0].one]]
    out = float((halves[1] * (1 - values[number[ends[1].one]])).sum())
    left_out = 1 - size / int(conducts.sum())
    return Flow(potential, into, ends[0], out, left_out, islands)


def current_density(
    potential_v: np.ndarray,
    ends: tuple[tuple[np.ndarray, float], ...],
    kappa_s_m: np.ndarray | float,
    voxel_um: tuple[float, float, float],
) -> np.ndarray:
    """Give the current density in the middles of voxels, the mean of what both faces let through.

    Parameters
    ----------
    potential_v : ndarray, shape (z, y, x)
        Where current flows; NaN elsewhere.
    ends : tuple of (ndarray of bool, float)
        Voxels of source and sink, each with its potential, V.
    kappa_s_m : ndarray, shape (z, y, x), or float
        κ of what conducts.
    voxel_um : tuple of float
        Edges of a voxel.

    Returns
    -------
    ndarray, shape (3, z, y, x)
        Along z, y and x, A/m²; NaN where no current flows.
    """
    carries = np.isfinite(potential_v)
    kappa = np.where(carries, kappa_s_m, 0.0)
    potential, given = np.where(carries, potential_v, 0.0), np.zeros(carries.shape, bool)
    for end, value in ends:
        given |= end
        potential = np.where(end, value, potential)
    found = np.zeros((3, *carries.shape))
    for axis in range(3):
        low: list[slice] = [slice(None)] * 3
        high: list[slice] = [slice(None)] * 3
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(low), tuple(high)
        # Half a voxel each; what is given has its potential on the face.
        resist = [
            np.where(given[part], 0.0, 0.5 / np.where(kappa[part] > 0, kappa[part], np.inf))
            for part in (a, b)
        ]
        open_ = (carries[a] & (carries[b] | given[b])) | (given[a] & carries[b])
        total = np.where(open_, resist[0] + resist[1], np.inf) * voxel_um[axis] * 1e-6
        flux = (potential[a] - potential[b]) / total
        found[axis][a] += flux / 2
        found[axis][b] += flux / 2
    found[:, ~carries] = np.nan
    return found


def network_matrix(
    number: np.ndarray, inner: Faces, conductance: np.ndarray, diagonal: np.ndarray
) -> Any:
    """Give the matrix of potentials, from the conductance of inner faces and what else each has."""
    from scipy.sparse import coo_matrix, diags

    size = len(diagonal)
    one, other = number[inner.one], number[inner.other]
    upper = coo_matrix((-conductance, (one, other)), shape=(size, size)).tocsr()
    return (upper + upper.T + diags(diagonal)).tocsr()


def _joined(conducts: np.ndarray, sink: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, int]:
    """Mark what hangs together by faces and touches both sides; count the other pieces."""
    import cc3d

    pieces, count = cc3d.connected_components(conducts, connectivity=6, return_N=True)
    touches = []
    for kind in (sink, source):
        touched = np.zeros(count + 1, bool)
        touched[pieces.ravel()[faces_between(conducts, kind, (1.0, 1.0, 1.0)).one]] = True
        touches.append(touched)
    both = touches[0] & touches[1]
    both[0] = False
    return both[pieces], int(count - both.sum())


def import_pyamg() -> Any:
    """Import the solver of blocks, or say how it is installed."""
    try:
        import pyamg
    except ImportError:
        raise ImportError(
            "a block in three dimensions needs the package pyamg: pip install 'xct[simulate]'"
        ) from None
    return pyamg


def solve_network(matrix: Any, right: np.ndarray) -> np.ndarray:
    """Solve by conjugate gradients, preconditioned by algebraic multigrid."""
    pyamg = import_pyamg()
    if matrix.shape[0] < 2000:
        from scipy.sparse.linalg import spsolve

        return np.asarray(spsolve(matrix.tocsc(), right))
    levels = pyamg.smoothed_aggregation_solver(matrix, symmetry="symmetric", max_coarse=500)
    residuals: list[float] = []
    found = levels.solve(right, tol=_TOLERANCE, maxiter=200, accel="cg", residuals=residuals)
    if not residuals[-1] <= 10 * _TOLERANCE * residuals[0]:
        raise RunError(
            f"the current did not converge: its residual is {residuals[-1] / residuals[0]:.1g} of "
            "the first; a smaller block.voxels may help"
        )
    return np.asarray(found)


@dataclass(frozen=True)
class Effective:
    """What a part of a cell conducts from end to end.

    Attributes
    ----------
    ratio : float
        Effective conductivity over that of what conducts.
    fraction : float
        Part of the volume that conducts.
    left_out : float
        Part of that which reaches one end or none.
    """

    ratio: float
    fraction: float
    left_out: float

    @property
    def tortuosity(self) -> float:
        """Fraction over ratio: the tortuosity factor."""
        return self.fraction / self.ratio


def effective_conductivity(
    conducts: np.ndarray,
    voxel_um: tuple[float, float, float] = (1.0, 1.0, 1.0),
    kappa: np.ndarray | float = 1.0,
) -> Effective:
    """Find what voxels conduct along z, over what their material would, sides closed.

    Parameters
    ----------
    conducts : ndarray of bool, shape (z, y, x)
        What conducts.
    voxel_um : tuple of float, optional
        Edges of a voxel.
    kappa : ndarray, shape (z, y, x), or float, optional
        Its conductivity; the ratio is to 1.

    Raises
    ------
    XctError
        If nothing conducts from end to end.
    """
    ends = np.pad(conducts, ((1, 1), (0, 0), (0, 0)))
    sink, source = np.zeros(ends.shape, bool), np.zeros(ends.shape, bool)
    sink[0], source[-1] = True, True
    values = np.broadcast_to(np.asarray(kappa, float), conducts.shape)
    padded = np.pad(values, ((1, 1), (0, 0), (0, 0)), mode="edge")
    found = flow(ends, sink, source, padded, voxel_um)
    length, area = conducts.shape[0] * voxel_um[0], conducts.shape[1] * conducts.shape[2]
    area_um2 = area * voxel_um[1] * voxel_um[2]
    ratio = found.from_source_a * length / (area_um2 * 1e-6)
    return Effective(float(ratio), float(conducts.mean()), found.left_out)
