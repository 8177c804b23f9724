"""Phase retrieval: propagation fringes become what absorption alone would show.

In and out: transmission, frame by frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import acosh, ceil, log, pi
from typing import Annotated, Any, Literal

import numpy as np
import scipy
from annotated_types import Ge, Gt, Le

from xct.errors import DataError
from xct.parallel.threads import over_ranges
from xct.physics.materials import wavelength_um
from xct.physics.phase import (
    refraction_beside,
    refraction_over_attenuation_um,
    retrieval_length_um,
)
from xct.preprocess.outline import Outline, fringe_of
from xct.preprocess.unsharp import reach_px, sharpened
from xct.stages import stage

# The filter is cut where less than this part of it lies beyond.
_BEYOND = 1e-4
# An opaque body ends where the filter would leave this many times the light that came, as a mean
# over all angles, and this much of the beam: no refracted light passes it, and its shadow is not to
# be filled. From the first of these on, what came counts; from the second on, alone.
_LEAK, _LEAKED, _RIM_PX = (1.3, 2.5), 5e-4, 3

# The fringe at the outline is that of the material around, if it is as strong within this factor.
_ALIKE = 2.5
_SMOOTH_PX = 2.0  # to guess what absorption leaves beside the outline

Method = Literal["generalized", "paganin"]


def reach_rows(known: Mapping[str, Any]) -> int:
    """Rows on which the answer depends: the filter is cut where 1e-4 of it lies beyond.

    Parameters
    ----------
    known : mapping
        Settings of `phase_retrieval`, and the facts of the scan that it takes.

    Raises
    ------
    DataError
        If the settings name no material, or facts are missing.
    """
    # Twice: to find shadows, and to average beside them.
    once = _reach_px(_length_px(**{name: known.get(name) for name in _TOLD}))
    sigma, amount = known.get("unsharp_sigma_px") or 1.0, known.get("unsharp_amount") or 0.0
    return 2 * once + _RIM_PX + 1 + reach_px(sigma, amount)


_TOLD = (
    "material", "density", "within", "within_density", "delta_over_beta",
    "energy_kev", "distance_mm", "pixel_size_um",
)  # fmt: skip


def _reach_px(length_px: float) -> int:
    """Where the filter, which falls as exp(-x arcosh(1 + 1 / 2 l²)), may be cut."""
    return max(2, ceil(log(1 / _BEYOND) / acosh(1 + 0.5 / length_px**2)))


def _length_px(
    *,
    material: str | None,
    density: float | None,
    within: str | None,
    within_density: float | None,
    delta_over_beta: float | None,
    energy_kev: float | None,
    distance_mm: float | None,
    pixel_size_um: float | None,
) -> float:
    """Give √(z δ/μ) in pixels."""
    facts = {"energy_kev": energy_kev, "distance_mm": distance_mm, "pixel_size_um": pixel_size_um}
    for name, value in facts.items():
        if value is None or not value > 0:
            raise DataError(f"{name} = {value!r}; give scan.{name}, a positive number")
    assert energy_kev is not None and distance_mm is not None and pixel_size_um is not None  # noqa: PT018
    if (material is None) == (delta_over_beta is None):
        raise DataError(
            f"material = {material!r} and delta_over_beta = {delta_over_beta!r}; give one of the "
            "two: what the sample is made of, such as {material: ncm811, within: lpscl}, or the "
            "ratio of refraction to absorption, such as {delta_over_beta: 400}"
        )
    if delta_over_beta is not None:
        ratio = delta_over_beta * wavelength_um(energy_kev) / (4 * pi)
    else:
        assert material is not None
        ratio = refraction_over_attenuation_um(
            material, energy_kev, density=density, within=within, within_density=within_density
        )
    return retrieval_length_um(ratio, distance_mm) / pixel_size_um


@stage(gives="transmission", cut=("row",), overlap=reach_rows)
def phase_retrieval(
    transmission: np.ndarray,
    outline: Outline | None = None,
    row_px: np.ndarray | None = None,
    *,
    energy_kev: float,
    distance_mm: float,
    pixel_size_um: float,
    material: str | None = None,
    density: Annotated[float, Gt(0)] | None = None,
    within: str | None = None,
    within_density: Annotated[float, Gt(0)] | None = None,
    delta_over_beta: Annotated[float, Gt(0)] | None = None,
    method: Method = "generalized",
    unsharp_amount: Annotated[float, Ge(0), Le(10)] = 0.0,
    unsharp_sigma_px: Annotated[float, Gt(0), Le(20)] = 1.0,
) -> np.ndarray:
    """Turn intensity with propagation fringes into the transmission right behind the sample.

    Where refraction and absorption are in one ratio everywhere, the transport of intensity is
    undone by the filter ``1 / (1 + 4 π² l² f²)`` with ``l² = z δ / μ`` [1]_: of one material, or
    of one within another that is about as thick everywhere, with the differences of δ and μ [2]_.
    Borders of other materials keep a fringe, or are smeared. Before the logarithm.

    Parameters
    ----------
    transmission : ndarray, shape (angle, row, column)
        Dimensionless; dead pixels filled. Beyond its edges a frame is taken to be like its edge.
    outline : Outline, optional
        Round outline of the sample against the air, see `find_outline`. The fringe that the
        material around leaves there is taken off: of a border with air it is not the filter's.
    row_px : ndarray, shape (row,), optional
        Numbers of the rows, from 0 on unless given.
    energy_kev, distance_mm, pixel_size_um : float
        Photon energy, sample to detector, width of a (binned) pixel.
    material : str, optional
        What the sample, or the part of it that matters, is made of: a name such as ``ncm811``, or
        a chemical formula with its density.
    density : float, optional
        g/cm³ of the material; the table's unless given.
    within : str, optional
        What it lies in, such as ``lpscl``; air unless given.
    within_density : float, optional
        g/cm³ of that.
    delta_over_beta : float, optional
        δ/β in place of materials.
    method : {"generalized", "paganin"}, optional
        The filter for pixels, ``4 sin²(π f)`` in place of ``4 π² f²``, which leaves fine detail
        sharper [3]_; or the original.
    unsharp_amount : float, optional
        Afterwards, this many times what a Gaussian blur takes away is added: edges become steeper,
        noise stronger, grey values within 4 standard deviations of an edge are no longer true.
        As ``unsharp_coeff`` of nabu; of ImageJ's weight w it is w / (1 - w). 0 leaves it out.
    unsharp_sigma_px : float, optional
        Standard deviation of that blur.

    Returns
    -------
    ndarray of float32, shape (angle, row, column)
        Transmission, dimensionless. Its mean is that of what came.

    Raises
    ------
    DataError
        If neither material nor δ/β is given or both are, a material is not known, facts are
        missing, or the transmission holds NaN.

    References
    ----------
    .. [1] Paganin et al. (2002), J. Microsc. 206, 33. doi:10.1046/j.1365-2818.2002.01010.x
    .. [2] Beltran et al. (2010), Opt. Express 18, 6423. doi:10.1364/OE.18.006423
    .. [3] Paganin et al. (2020), J. Opt. 22, 115607. doi:10.1088/2040-8986/abbab9
    """
    length_px = _length_px(
        material=material,
        density=density,
        within=within,
        within_density=within_density,
        delta_over_beta=delta_over_beta,
        energy_kev=energy_kev,
        distance_mm=distance_mm,
        pixel_size_um=pixel_size_um,
    )
    if transmission.ndim != 3:
        raise DataError(
            f"transmission has shape {transmission.shape}; it must be (angle, row, column)"
        )
    frames = np.asarray(transmission, np.float32)
    if outline is not None and within is not None:
        assert material is not None  # or the length had refused
        left = refraction_beside(
            material, energy_kev, density=density, within=within, within_density=within_density
        )
        strength = distance_mm * 1e3 * left / pixel_size_um
        if 1 / _ALIKE < outline.strength / strength < _ALIKE:
            rows = np.arange(frames.shape[1]) if row_px is None else np.asarray(row_px)
            frames = _without_outline(frames, outline, rows, strength)
    return _filtered(frames, length_px, method, (unsharp_sigma_px, unsharp_amount))


def _without_outline(
    frames: np.ndarray, outline: Outline, rows: np.ndarray, strength: float
) -> np.ndarray:
    """Take off what refraction at the outline moved; each row for itself."""
    made = np.empty_like(frames)

    def some(first: int, stop: int) -> None:
        for number in range(first, stop):
            frame = frames[number]
            smooth = scipy.ndimage.gaussian_filter1d(frame, _SMOOTH_PX, axis=1, mode="nearest")
            moved = fringe_of(outline, number, rows, np.minimum(smooth, 1.0))
            made[number] = frame - strength * moved

    over_ranges(some, len(frames))
    return made


def _filtered(
    frames: np.ndarray, length_px: float, method: Method, unsharp: tuple[float, float]
) -> np.ndarray:
    """Filter every frame; rows depend on no others than those within reach, to rounding."""
    rows, columns = frames.shape[1:]
    reach = _reach_px(length_px)
    size = tuple(scipy.fft.next_fast_len(n + 2 * reach, real=True) for n in (rows, columns))
    response = _response(size, length_px, reach, method)
    margins = [(reach, total - n - reach) for total, n in zip(size, (rows, columns), strict=True)]
    inner = slice(reach, reach + rows), slice(reach, reach + columns)
    made = np.empty_like(frames)

    def averaged(frame: np.ndarray) -> np.ndarray:
        spectrum = scipy.fft.rfft2(np.pad(frame, margins, mode="edge"))
        spectrum *= response
        return np.asarray(scipy.fft.irfft2(spectrum, size, overwrite_x=True)[inner])

    shadow = _shadow(frames, averaged)
    lit = 1 - shadow
    seen = np.maximum(averaged(lit), np.float32(_BEYOND))

    def some(first: int, stop: int) -> None:
        for number in range(first, stop):
            frame = frames[number]
            made[number] = averaged(lit * frame) / seen
            if shadow.any():
                made[number] = lit * made[number] + shadow * frame
            if unsharp[1]:
                made[number] = sharpened(made[number], lit, *unsharp)
            if not np.isfinite(made[number]).all():
                _refuse_nan(frame, number)

    over_ranges(some, len(frames))
    return made


def _shadow(frames: np.ndarray, averaged: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Weigh how much a pixel is the rim of a shadow into which the filter would spread light.

    Where a layer of steel ends, say; the same at all angles. Dark fringes are no shadows: they are
    a pixel or two wide.
    """
    mean = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
    filtered = averaged(np.nan_to_num(mean))
    from_here, full = _LEAK
    wide = (filtered > _LEAKED) & (
        full * scipy.ndimage.maximum_filter(mean, 3, mode="nearest") < filtered
    )
    near = scipy.ndimage.maximum_filter(wide, 2 * _RIM_PX + 1, mode="nearest")
    leak = filtered / np.maximum(mean, np.float32(1e-6))
    weight = np.clip((leak - from_here) / (full - from_here), 0, 1)
    return np.asarray(np.where(near, weight, 0), np.float32)


def _refuse_nan(frame: np.ndarray, number: int) -> None:
    bad = np.argwhere(~np.isfinite(frame))
    raise DataError(
        f"the transmission of frame {number} holds {len(bad)} values that are no numbers, first at "
        f"row {bad[0][0]}, column {bad[0][1]}; phase_retrieval spreads them over the frame: put "
        "fill_dead_pixels before it"
    )


@lru_cache(maxsize=4)
def _response(size: tuple[int, int], length_px: float, reach: int, method: Method) -> np.ndarray:
    """Give the filter in Fourier space, of a kernel that ends `reach` rows from its middle."""
    rows, columns = size
    finer = scipy.fft.next_fast_len(8 * reach + 16)
    squared = _squared(scipy.fft.fftfreq(finer), method)[:, None] + _squared(
        scipy.fft.rfftfreq(columns), method
    )
    kernel = scipy.fft.ifft(1 / (1 + length_px**2 * squared), axis=0).real
    # Even light stays as it is, though the kernel is cut.
    total = kernel[: reach + 1, 0].sum() + kernel[-reach:, 0].sum()
    cut = np.zeros((rows, squared.shape[1]))
    cut[: reach + 1], cut[-reach:] = kernel[: reach + 1] / total, kernel[-reach:] / total
    return np.asarray(scipy.fft.fft(cut, axis=0).real, np.float32)


def _squared(frequency: np.ndarray, method: Method) -> np.ndarray:
    if method == "paganin":
        return np.asarray((2 * pi * frequency) ** 2)
    return np.asarray((2 * np.sin(pi * frequency)) ** 2)
