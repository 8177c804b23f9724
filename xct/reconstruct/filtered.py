"""Filtered back-projection. In: line integrals and angles; out: slices in 1/cm."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from xct.reconstruct.engines import EngineName, find_engine
from xct.reconstruct.filters import Window
from xct.reconstruct.inputs import check_request
from xct.stages import stage


@stage(gives="volume", cut=("row",), engine=lambda settings: find_engine(settings["engine"]))
def fbp(
    line_integrals: np.ndarray,
    theta_deg: np.ndarray,
    center_px: float | np.ndarray,
    *,
    pixel_size_um: float,
    window: Window = "ramp",
    cutoff: Annotated[float, Gt(0), Le(1)] = 1.0,
    size: Annotated[int, Ge(1), Le(65536)] | None = None,
    engine: Annotated[str, EngineName()] = "auto",
    memory_gib: Annotated[float, Gt(0)] | None = None,
) -> np.ndarray:
    """Reconstruct slices by filtered back-projection [1]_.

    A point x, y voxels from the axis is seen on column ``center_px + x cos θ - y sin θ``. The
    filter is the band-limited ramp, so mean values are right. Projections are weighted by the
    gaps between their angles modulo 180°: any start, order and spacing will do. The half turns
    of a full turn about an axis near one edge (half acquisition) are stitched first. Where the
    object reaches beyond the detector, each projection is continued with its edge values.

    Parameters
    ----------
    line_integrals : ndarray, shape (angle, row, column) or (angle, column)
        -ln(transmission), without NaN. Worked on as float32.
    theta_deg : ndarray, shape (angle,)
        Angle of each projection, degrees.
    center_px : float or ndarray, shape (row,)
        Column of the rotation axis; 0 is the middle of the first pixel.
    pixel_size_um : float
        Size of a (binned) pixel at the sample, µm.
    window : {"ramp", "shepp-logan", "cosine", "hamming", "hann", "parzen"}, optional
        Window on the ramp filter: from sharpest to smoothest.
    cutoff : float, optional
        Highest frequency kept, as a fraction of the Nyquist frequency.
    size : int, optional
        Width and height of the slices in pixels; the number of columns if not given.
    engine : {"auto", "fourier", "astra"} or str, optional
        What back-projects: `fourier` (gridding, the fastest here; also `auto`), `astra`, or an
        engine of another package, see `xct.reconstruct.engines`.
    memory_gib : float, optional
        Memory that may be allocated in GiB, the slices included; as needed if not given.

    Returns
    -------
    ndarray of float32, shape (row, y, x)
        Attenuation coefficient in 1/cm. The axis is at (size - 1) / 2; 0 outside the circle
        that touches the edges of the slice. With an axis off the middle, the rim of that circle
        is seen from some of the angles only.

    Raises
    ------
    DataError
        If shapes do not fit, values are not finite, the axis is outside the detector, there is
        no such engine, or the memory does not suffice.
    ImportError
        If the engine is not installed.

    Warns
    -----
    UserWarning
        If a wedge of angles is missing, or a half acquisition shows more than the slices hold.

    References
    ----------
    .. [1] Kak & Slaney (1988), Principles of Computerized Tomographic Imaging, ch. 3.
       doi:10.1137/1.9780898719277
    """
    chosen = find_engine(engine)
    request = check_request(
        line_integrals,
        theta_deg,
        center_px,
        pixel_size_um=pixel_size_um,
        window=window,
        cutoff=cutoff,
        size=size,
        memory_gib=memory_gib,
    )
    if reason := chosen.unavailable():
        raise ImportError(f"engine={engine!r} cannot be used: {reason}")
    return chosen.reconstruct(request)
