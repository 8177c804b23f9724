"""The axis from the double wedge. In: line integrals of some rows; out: two estimates."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import scipy

from xct.parallel.kernels import njit
from xct.parallel.threads import over_ranges, thread_count
from xct.preprocess.center.mirror_symmetry import (
    Agreement,
    Estimate,
    independent,
    most_likely,
    spectra,
    usable,
)
from xct.preprocess.center.sample import median_step

# Angular harmonics beyond the wedge at which another kind of noise may begin: drift first.
BEYOND_WEDGE = (0, 8, 40, 200)


def wedge_symmetry(
    views: np.ndarray,
    theta_deg: np.ndarray,
    weight: np.ndarray,
    half_px: float,
    search: tuple[float, float],
    *,
    cut: bool = False,
) -> tuple[Estimate | None, Estimate | None]:
    """Find the axis about which the sinogram and its mirror image make one object.

    Over a full turn, an object within `half_px` of the axis has no angular harmonics beyond
    ``half_px · κ`` at frequency κ: its spectrum fills a double wedge [1]_. A half turn is
    completed by its mirror image, whose seam throws power out of the wedge unless the axis is
    right. What fixed stripes could cause (in the completed sinogram a square wave in angle) is
    projected out, and gives a second answer of its own: the symmetry of the static profile.

    Parameters are those of `register`.

    Returns
    -------
    moving, static : Estimate or None
        The axis from what moves with the angle, and from what does not.

    References
    ----------
    .. [1] Vo, Drakopoulos, Atwood & Reinhard (2014), Opt. Express 22, 19078.
       doi:10.1364/OE.22.019078
    """
    halves = [h for h in half_turns(theta_deg) if h.stop - h.start >= 8]
    found = [_outside(views[h], theta_deg[h], weight, half_px, cut=cut) for h in halves]
    moving, static = (_joined([pair[kind] for pair in found]) for kind in (0, 1))
    return most_likely(moving, *search), most_likely(static, *search)


def _joined(parts: list[Agreement]) -> Agreement:
    """Several half turns, as if they were further rows."""
    return Agreement(
        parts[0].kappa,
        np.concatenate([part.power for part in parts]),
        np.concatenate([part.cross for part in parts]),
        np.min([part.count for part in parts], axis=0),
    )


def half_turns(theta_deg: np.ndarray) -> list[slice]:
    """Cut ascending angles into half turns; what is left over at the end is not used."""
    step = median_step(theta_deg)
    turns = max(1, int((theta_deg[-1] - theta_deg[0] + 1.5 * step) // 180.0))
    edges = theta_deg[0] + 180.0 * np.arange(turns + 1) - 0.25 * step
    cuts = np.searchsorted(theta_deg, edges)
    return [slice(int(a), int(b)) for a, b in pairwise(cuts)]


def on_circle(theta_deg: np.ndarray) -> scipy.sparse.csr_array:
    """Weights (grid angle, view) that put half a turn on an even grid over the full circle.

    Linear between neighbors; across the ends, half of the interpolation is left to the mirror
    image. The grid has as many angles per half turn as there would be views without a gap.
    """
    step = median_step(theta_deg)
    half = max(theta_deg.size, round(180.0 / step))
    grid = theta_deg[0] + np.arange(2 * half) * (180.0 / half)
    nodes = np.concatenate([theta_deg, theta_deg + 180.0, theta_deg[:1] + 360.0])
    after = np.clip(np.searchsorted(nodes, grid + 1e-9, side="right"), 1, nodes.size - 1)
    fraction = (grid - nodes[after - 1]) / np.maximum(nodes[after] - nodes[after - 1], 1e-9)
    fraction = np.where(np.minimum(fraction, 1 - fraction) < 0.02, fraction.round(), fraction)
    view = np.concatenate([after - 1, after]) % (2 * theta_deg.size)
    part = np.concatenate([1 - fraction, fraction])
    at = np.tile(np.arange(grid.size), 2)
    own = (view < theta_deg.size) & (part > 0)
    shape = (grid.size, theta_deg.size)
    return scipy.sparse.csr_array((part[own].astype(np.float32), (at[own], view[own])), shape=shape)


def _outside(
    views: np.ndarray, theta_deg: np.ndarray, weight: np.ndarray, half_px: float, *, cut: bool
) -> tuple[Agreement, Agreement]:
    """Power outside the wedge and its cross spectrum with the mirror image; the static part."""
    circle = on_circle(theta_deg)
    half = circle.shape[0] // 2
    kappa = spectra(views[0, 0], weight)[0]
    numbers = independent(weight, kappa)
    reach = kappa * half_px
    first = np.ceil(reach + 3 * np.cbrt(reach) + 5).astype(np.intp)
    keep = usable(kappa, half_px, cut=cut)
    kappa, first = kappa[keep], np.minimum(first[keep], half)
    beyond = np.minimum(first + np.array(BEYOND_WEDGE)[:, None], half)
    count = np.diff(beyond, axis=0, append=half) * numbers
    power = np.zeros((views.shape[1], *count.shape))
    cross = np.zeros(power.shape, np.complex128)
    static = np.zeros((views.shape[1], kappa.size), np.complex128)
    stripe = scipy.fft.fft(np.asarray(circle.sum(axis=1))).astype(np.complex64)
    for row in range(views.shape[1]):
        full = circle @ spectra(views[:, row], weight)[1][:, keep]
        harmonics = scipy.fft.fft(full, axis=0, overwrite_x=True, workers=thread_count())
        job = partial(_gather, harmonics, stripe, beyond, power[row], cross[row], static[row])
        over_ranges(job, kappa.size, least=64)
    moving = Agreement(kappa, power, cross, count)
    alone = Agreement(
        kappa,
        2 * np.abs(static[:, None]) ** 2,
        static[:, None] ** 2,
        np.where(first < half, numbers, 0.0)[None],
    )
    return moving, alone


@njit(cache=True, nogil=True)
def _gather(
    harmonics: np.ndarray,
    stripe: np.ndarray,
    beyond: np.ndarray,
    power: np.ndarray,
    cross: np.ndarray,
    static: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Sum over the harmonics outside the wedge, less the part that has the form of a stripe."""
    total = harmonics.shape[0]
    kinds = beyond.shape[0]
    size = stop - start
    fixed = np.zeros(size, np.complex128)
    norm = np.zeros(size)
    for m in range(1, total // 2, 2):
        form = stripe[m]
        square = form.real**2 + form.imag**2
        for i in range(size):
            if m >= beyond[0, start + i]:
                k = start + i
                fixed[i] += np.conj(form) * harmonics[m, k] + form * harmonics[total - m, k]
                norm[i] += 2 * square
    for i in range(size):
        if norm[i] > 0:
            static[start + i] = fixed[i] / np.sqrt(norm[i])
            fixed[i] /= norm[i]
    kind = np.full(size, -1)
    for m in range(1, total // 2):
        odd = m % 2 == 1
        form = stripe[m] if odd else np.complex64(0)
        for i in range(size):
            k = start + i
            while kind[i] + 1 < kinds and m >= beyond[kind[i] + 1, k]:
                kind[i] += 1
            if kind[i] >= 0:
                a = harmonics[m, k] - fixed[i] * form
                b = harmonics[total - m, k] - fixed[i] * np.conj(form)
                power[kind[i], k] += a.real**2 + a.imag**2 + b.real**2 + b.imag**2
                product = a * b
                cross[kind[i], k] += product if odd else -product
