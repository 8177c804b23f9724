"""Surfaces without the bias of counting faces. In: voxel size; out: weights of directions.

The number of times that lines in a direction enter or leave a body, per area of their bundle, is
twice its projected area; its mean over directions is half of its surface (Cauchy and Crofton).
Legland, Kiêu & Devaux (2007), Image Anal. Stereol. 26, 83. doi:10.5566/ias.v26.p83-92
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

# The 13 directions to half of the 26 neighbors: z, y, x.
DIRECTIONS = np.array(
    [(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)]
)


def crofton_weights(voxel_size_um: Sequence[float] | np.ndarray) -> np.ndarray:
    """Give the surface that one crossing along each of the 13 directions stands for.

    Parameters
    ----------
    voxel_size_um : sequence of float
        Edges of a voxel along z, y and x.

    Returns
    -------
    ndarray, shape (13,)
        µm² for each of `DIRECTIONS`: a body's surface is the sum over its crossings.
    """
    size = np.asarray(voxel_size_um, float)
    steps = DIRECTIONS * size
    length = np.linalg.norm(steps, axis=1)
    unit = steps / length[:, None]
    both = scipy.spatial.SphericalVoronoi(np.concatenate([unit, -unit]))
    fraction = both.calculate_areas()[:13] / (2 * np.pi)
    return np.asarray(2 * fraction * np.prod(size) / length)
