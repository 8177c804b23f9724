"""Where mirrored views agree: spectra in, the most likely rotation axis with its sd out.

A view half a turn later is the mirror image about the axis: p(θ + 180°, c) = p(θ, 2 c0 - c).
In Fourier space the mirror image is ``exp(-2iκ c0)`` times the complex conjugate, so what two
views do not share is, at frequency κ, ``power - 2 Re(cross · exp(2iκ c0))`` for every c0 at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy

from xct.parallel.threads import thread_count

# Spectra of views under a smooth window. In: views; out: their Fourier transform by column.


def window(columns: int, center_px: float, half_px: float) -> np.ndarray:
    """Weight of each column: 1 near the center, smoothly to 0 at `half_px` from it."""
    distance = np.abs(np.arange(columns) - center_px) / half_px
    edge = np.clip((1.0 - distance) / 0.15, 0.0, 1.0)
    return np.asarray(np.sin(edge * np.pi / 2) ** 2, dtype=np.float32)


def spectra(views: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fourier transform views along their columns, padded to twice the width.

    Parameters
    ----------
    views : ndarray, shape (…, column)
        Line integrals.
    weight : ndarray, shape (column,)
        As `window` gives it.

    Returns
    -------
    kappa : ndarray, shape (frequency,)
        Radians per pixel.
    spectrum : ndarray of complex64, shape (…, frequency)
        Of the weighted views.
    """
    padded = scipy.fft.next_fast_len(2 * views.shape[-1], real=True)
    kappa = 2 * np.pi * np.arange(padded // 2 + 1) / padded
    spectrum = scipy.fft.rfft(views * weight, n=padded, axis=-1, workers=thread_count())
    return kappa, spectrum


def usable(kappa: np.ndarray, half_px: float, *, cut: bool) -> np.ndarray:
    """Frequencies that are compared: not those of the window itself where the sample is cut off."""
    lowest = 4 * np.pi / half_px if cut else 0.0
    return (kappa > lowest) & (kappa < 0.95 * np.pi)


def independent(weight: np.ndarray, kappa: np.ndarray) -> float:
    """Independent numbers per frequency: padding and window correlate neighbours."""
    return float(np.sum(weight**2)) / (2.0 * (kappa.size - 1))


COARSE_PX = 0.25  # step of the first search
VALLEYS_PX = 12.0
LEAST_COUNT = 24  # complex numbers in a band of frequencies: its noise is known to 20 %


@dataclass(frozen=True)
class Agreement:
    """What mirrored views share, for rows, kinds of comparison, and frequencies.

    Attributes
    ----------
    kappa : ndarray, shape (frequency,)
        Radians per pixel.
    power : ndarray, shape (row, kind, frequency)
        Power of all views that are compared.
    cross : ndarray of complex, shape (row, kind, frequency)
        Their cross spectrum.
    count : ndarray, shape (kind, frequency)
        Independent complex numbers in each entry of a row.
    """

    kappa: np.ndarray
    power: np.ndarray
    cross: np.ndarray
    count: np.ndarray

    def summed(self) -> Agreement:
        """All rows as one."""
        return Agreement(
            self.kappa,
            self.power.sum(axis=0, keepdims=True),
            self.cross.sum(axis=0, keepdims=True),
            self.count * len(self.power),
        )

    def bands(self) -> list[Band]:
        """Cut each kind into bands of at least `LEAST_COUNT` complex numbers, at most 64."""
        return [
            Band(kind, first, stop, float(self.count[kind, first:stop].sum()))
            for kind in range(len(self.count))
            for first, stop in _ranges(self.count[kind])
        ]


@dataclass(frozen=True)
class Band:
    """A half-open range of frequencies of one kind, over which the noise is taken as one."""

    kind: int
    first: int
    stop: int
    count: float


@dataclass(frozen=True)
class Estimate:
    """One method's answer: the axis, its standard deviation, and how clearly it stands out.

    `lead` is the logarithm of the likelihood ratio to the best place elsewhere; noise alone
    gives 1 to 3.
    """

    center_px: float
    sd_px: float
    lead: float


def most_likely(agreement: Agreement, low: float, high: float) -> Estimate | None:
    """Find the axis between two columns.

    The noise of every band of frequencies is taken from what mirrored views do *not* share
    there, so stripes, drift or zingers cost only the frequencies that they spoil.

    Parameters
    ----------
    agreement : Agreement
        Of the views.
    low, high : float
        Ends of the search range, in columns.

    Returns
    -------
    Estimate or None
        None where there is nothing to compare.
    """
    together = agreement.summed()
    if not together.bands() or not together.power.any():
        return None
    centers = np.arange(low, high + COARSE_PX, COARSE_PX)
    misfit = _scanned(together, centers)
    first = int(np.argmin(misfit))
    center, sd = _refined(agreement if agreement.bands() else together, float(centers[first]))
    # Elsewhere begins where the profile has left the valley of the best place.
    elsewhere = np.abs(centers - centers[first]) > max(3.0, 6 * sd)
    slope, bend = _slopes(together, float(centers[first]))
    overdispersion = max(1.0, float(np.sum(slope**2)) / bend) if bend > 0 else np.inf
    behind = (misfit - misfit[first]) / overdispersion
    lead = behind[elsewhere].min() if elsewhere.any() else 0.0
    # A profile with several valleys is less certain than the curvature of its deepest one.
    near = np.abs(centers - centers[first]) <= VALLEYS_PX
    likely = np.exp(-behind[near])
    rms = np.sqrt(np.average((centers[near] - centers[first]) ** 2, weights=likely))
    return Estimate(center, max(sd, float(rms)), float(lead))


def _ranges(count: np.ndarray) -> list[tuple[int, int]]:
    total = np.cumsum(count)
    parts = min(64, int(total[-1] / LEAST_COUNT)) if total.size else 0
    if parts == 0:
        return []
    inner = np.searchsorted(total, total[-1] * np.arange(1, parts) / parts) + 1
    edges = np.unique(np.concatenate([[0], inner, [total.size]]))
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def _unshared(power: np.ndarray, shared: np.ndarray) -> np.ndarray:
    # A floor, since perfect data would leave nothing and make its band infinitely certain.
    return np.asarray(power - 2 * shared + 1e-5 * power + 1e-30)


def _misfit(agreement: Agreement, centers: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the likelihood at each center, summed over rows and bands."""
    misfit = np.zeros(centers.size)
    bands = agreement.bands()
    for part in range(0, centers.size, 512):
        turn = np.exp(2j * np.outer(agreement.kappa, centers[part : part + 512]))
        for band in bands:
            where = (slice(None), band.kind, slice(band.first, band.stop))
            shared = (agreement.cross[where] @ turn[where[2]]).real
            power = agreement.power[where].sum(axis=-1, keepdims=True)
            misfit[part : part + 512] += band.count * np.log(_unshared(power, shared)).sum(axis=0)
    return misfit


def _scanned(agreement: Agreement, centers: np.ndarray) -> np.ndarray:
    """`_misfit` at many centers, `COARSE_PX` from each other: by one transform for each band."""
    kappa = agreement.kappa
    if kappa.size < 2:
        return _misfit(agreement, centers)
    # Frequencies are multiples of one step, of which the transform has as many as fit its length.
    step = (kappa[-1] - kappa[0]) / (kappa.size - 1)
    length = round(np.pi / (step * COARSE_PX))
    number = np.rint(kappa / step).astype(np.intp)
    turned = agreement.cross * np.exp(2j * kappa * centers[0])
    misfit = np.zeros(centers.size)
    for band in agreement.bands():
        where = (slice(None), band.kind, slice(band.first, band.stop))
        spectrum = np.zeros((len(turned), length // 2 + 1), np.complex128)
        spectrum[:, number[where[2]]] = turned[where]
        shared = scipy.fft.irfft(spectrum, length)[:, : centers.size] * (length / 2)
        power = agreement.power[where].sum(axis=-1, keepdims=True)
        misfit += band.count * np.log(_unshared(power, shared)).sum(axis=0)
    return misfit


def _slopes(agreement: Agreement, center: float) -> tuple[np.ndarray, float]:
    """Slope of the misfit in each band of each row, and its curvature, summed."""
    kappa = agreement.kappa
    turned = agreement.cross * np.exp(2j * kappa * center)
    slopes, bends = [], 0.0
    for band in agreement.bands():
        where = (slice(None), band.kind, slice(band.first, band.stop))
        inside, own = kappa[where[2]], turned[where]
        left = _unshared(agreement.power[where].sum(axis=-1), own.real.sum(axis=-1))
        slope = 4 * (own.imag @ inside) / left
        bend = 8 * (own.real @ inside**2) / left
        slopes.append(band.count * slope)
        bends += band.count * float(np.sum(bend - slope**2))
    return np.concatenate(slopes), bends


def _refined(agreement: Agreement, center: float) -> tuple[float, float]:
    """Follow the misfit to its minimum near `center`; also its standard deviation.

    The sd is the larger of the one that white noise would give and the one that the scatter of
    the bands gives (the sandwich estimator): correlated noise does not make it optimistic.
    """
    near = center + np.arange(-1.5, 1.51, 0.05)
    center = float(near[np.argmin(_misfit(agreement, near))])
    for _ in range(4):
        slope, bend = _slopes(agreement, center)
        if bend <= 0:
            return center, np.inf
        center -= float(np.clip(slope.sum() / bend, -0.05, 0.05))
    return center, max(bend**-0.5, float(np.sqrt(np.sum(slope**2)) / bend))
