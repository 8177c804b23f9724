"""Did the detector's offset drift, or the beam? In: a prepared sample, its axis; out: by how much.

Counts that were added since the darks were taken make line integrals smaller by these counts over
the light that is left: more, the less is left. So what the sample takes out of the beam, which is
the same at all angles, changes with time; and a view half a turn later is not the mirror image
about the axis, as no turn, no shift of the axis and no change of the beam explains. Both must say
the same.
"""

from __future__ import annotations

from math import hypot, sqrt
from typing import NamedTuple

import numpy as np
import scipy

from xct.preprocess.angles.half_turns import half_turns
from xct.preprocess.angles.whole import less_air
from xct.preprocess.center.sample import Sample

_LEAST_ROWS, _LEAST_COLUMNS, _LEAST_VIEWS = 3, 24, 24
_OPAQUE = 3.0  # line integral: rows with as much are photon-starved
_LEAST_CONTRAST = 0.3  # … and in rows with less nothing is told from the beam's change
_EDGE, _BENT = 5, 1.5  # columns about an edge, and bends that are one, in usual ones
_BLOCKS = 8  # of time
_BESIDE = np.array([1, 1, 0, 1, 1]) / 4
# Chosen on discs of seeds 0 and 1.
_SURE_SD, _ALSO_SD = 6.0, 2.5  # of what it takes out of the beam, and of mirror images
_LEAST = 0.008  # of the light, over the scan; darks 7 % too high seem to drift by 0.6 %
_TOLD_SD, _ALIKE = 3.0, 0.5  # of an offset that a changing beam does not explain as well
_AGREE_SD, _AGREE = 2.5, 0.1  # by which both may differ, and part of it


class ByMass(NamedTuple):
    """What the sample takes out of the beam changes by, each with its standard uncertainty.

    An offset of the detector takes from it the more, the less light a row lets through; a beam
    whose profile changes takes as much from all rows.

    Attributes
    ----------
    offset : (float, float)
        Of the light, if the beam is steady.
    beam : (float, float)
        Line integral that is added in the mean of the sample's columns, if the offset is steady.
    offset_beside_beam, beam_beside_offset : (float, float)
        The same where both may change.
    """

    offset: tuple[float, float]
    beam: tuple[float, float]
    offset_beside_beam: tuple[float, float]
    beam_beside_offset: tuple[float, float]


class DarkDrift(NamedTuple):
    """By how much the detector's offset rises over the scan, or the beam changes behind the sample.

    Attributes
    ----------
    by_mass : ByMass
        By what the sample takes out of the beam.
    mirrored, mirrored_sd : float
        The offset by views half a turn apart, of the light.
    """

    by_mass: ByMass
    mirrored: float
    mirrored_sd: float

    @property
    def of_light(self) -> float:
        """Of the light of the flats; negative where the offset falls."""
        return self.by_mass.offset[0]

    @property
    def brighter(self) -> float:
        """By which part the beam becomes brighter behind the sample than beside it."""
        return -self.by_mass.beam[0]

    @property
    def is_offset(self) -> bool:
        """Whether it is an offset, all agree on it, and it is large enough to matter."""
        beside, sd = self.by_mass.offset_beside_beam
        told = abs(beside) > _TOLD_SD * sd and _ALIKE < beside / self.of_light < 1 / _ALIKE
        return self._fits_offset and told

    @property
    def is_beam(self) -> bool:
        """Whether it is the beam, or the sample itself, and no offset."""
        beside, sd = self.by_mass.beam_beside_offset
        also = beside * np.sign(self.by_mass.beam[0]) > _ALSO_SD * sd
        return self._is_changed and also and not self.is_offset

    @property
    def is_sure(self) -> bool:
        """Whether the one or the other changed, for sure."""
        return self._fits_offset or self._is_changed

    @property
    def _fits_offset(self) -> bool:
        sd = self.by_mass.offset[1]
        amount, apart = abs(self.of_light), abs(self.of_light - self.mirrored)
        return bool(
            amount > max(_LEAST, _SURE_SD * sd)
            and self.mirrored * np.sign(self.of_light) > _ALSO_SD * self.mirrored_sd
            and apart < _AGREE_SD * hypot(sd, self.mirrored_sd) + _AGREE * amount
        )

    @property
    def _is_changed(self) -> bool:
        amount, sd = self.by_mass.beam
        return abs(amount) > max(_LEAST, _SURE_SD * sd)


def dark_drift_message(drift: DarkDrift) -> str:
    """Say how much, what it does, and what helps."""
    how, are = ("rises", "small") if drift.of_light > 0 else ("falls", "large")
    offset = (
        f"the detector's offset {how} by {abs(drift.of_light):.1%} (± "
        f"{drift.by_mass.offset[1]:.1%}) of the light over the scan"
    )
    if drift.is_offset:
        return (
            f"{offset}: line integrals half a turn apart differ as by counts that no dark holds. "
            f"The later ones are too {are}, the more so where they are large, and μ and state of "
            "charge are off by as much as half of that. Nothing is corrected: take darks before "
            "and after the scan, let the camera reach its temperature, or close the shutter for "
            "darks in between"
        )
    beam = (
        f"the beam becomes {'brighter' if drift.brighter > 0 else 'dimmer'} by "
        f"{abs(drift.brighter):.1%} behind the sample than beside it during the scan"
    )
    flats = "take flats before and after the scan, or in between"
    if drift.is_beam:
        return (
            f"{beam}, and no flat follows, or the sample itself changes: as much is lost in all "
            "rows, where an offset of the detector takes more, the less light they let through. "
            f"The later line integrals are off by as much. Nothing is corrected: {flats}, and let "
            "beam and sample settle"
        )
    return (
        f"{offset}, or {beam}, and neither a dark nor a flat follows: the rows are too much alike "
        "to tell both apart. The later line integrals are off by it. Nothing is corrected: "
        f"{flats}, and darks with them"
    )


def find_dark_drift(sample: Sample, center_px: float, time: np.ndarray) -> DarkDrift | None:
    """Find out whether the contrast of the sample changes with time.

    Parameters
    ----------
    sample : Sample
        Line integrals, ascending in angle.
    center_px : float
        Axis, in binned columns.
    time : ndarray, shape (angle,)
        When each view was taken, in parts of the scan.

    Returns
    -------
    DarkDrift or None
        None where the sample leaves the view, no views are half a turn apart, or rows say too
        little.
    """
    profile = sample.views.mean(axis=0)
    told = (profile.max(axis=1) < _OPAQUE) & (np.ptp(profile, axis=1) > _LEAST_CONTRAST)
    views = sample.views[:, told]
    whole = less_air(views) if told.any() else None
    if told.sum() < _LEAST_ROWS or len(views) < _LEAST_VIEWS or whole is None:
        return None
    mirrored = _of_mirror_images(sample, views, center_px, time)
    return None if mirrored is None else DarkDrift(_of_mass(whole.body, time), *mirrored)


def _of_mass(body: np.ndarray, time: np.ndarray) -> ByMass:
    """Fit the offset, and the beam, to what rows take out of it, less the air at both sides."""
    mass = body.sum(axis=-1, dtype=np.float64)
    grown = np.expm1(np.minimum(body, _OPAQUE)).sum(axis=-1, dtype=np.float64)
    # Of the views beside, whose noise is not in the mass.
    grown = scipy.ndimage.convolve1d(grown, _BESIDE, axis=0, mode="mirror")
    # What is true of all angles, and darks that are as wrong at all times.
    constant, steady = np.ones_like(grown), grown / grown.mean()
    basis = np.linalg.qr(np.stack([constant, steady], axis=-1).transpose(1, 0, 2))[0]

    def beside(values: np.ndarray) -> np.ndarray:
        rows = values.T
        amount = np.einsum("rap,ra->rp", basis, rows)
        return np.asarray(rows - np.einsum("rap,rp->ra", basis, amount))

    lost, by_offset = beside(mass), beside(-grown * time[:, None])
    by_beam = beside(np.broadcast_to(body.shape[-1] * time[:, None], mass.shape))
    return ByMass(
        _fitted(by_offset, lost),
        _fitted(by_beam, lost),
        _fitted(_less(by_offset, by_beam), _less(lost, by_beam)),
        _fitted(_less(by_beam, by_offset), _less(lost, by_offset)),
    )


def _less(values: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Take off what of the values is some factor of others."""
    return values - float(np.sum(values * other)) / max(float(np.sum(other**2)), 1e-30) * other


def _of_mirror_images(
    sample: Sample, views: np.ndarray, center_px: float, time: np.ndarray
) -> tuple[float, float] | None:
    """Fit the offset to what views half a turn apart differ by; None where there are none."""
    turns = half_turns(sample, views, center_px, _LEAST_COLUMNS)
    if turns is None:
        return None
    x, parts, rests = turns.x / turns.x.max(), [], []
    for one in turns.each:
        grown, away = _compared(one.early, one.late, one.on - one.early, turns.uneven, x)
        parts.append(grown * (time[one.partner] - time[one.start]))
        rests.append(away)
    return _fitted(np.concatenate(parts, axis=1), np.concatenate(rests, axis=1))


def _compared(
    early: np.ndarray, late: np.ndarray, rate: np.ndarray, uneven: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give what an offset adds, and by how much views differ, beside all else, (row, column)."""
    both = (early + late) / 2
    slope, even = np.gradient(both, axis=-1), np.ones_like(both)
    own = [slope, x * slope, rate, uneven, even, even * x, even * x**2, even * x**3]
    bends = scipy.ndimage.uniform_filter1d(np.abs(np.gradient(slope, axis=-1)), _EDGE, axis=-1)
    usual = np.median(bends, axis=-1, keepdims=True)
    weight = np.exp(-both / 2) / (1 + (bends / (_BENT * usual + 1e-12)) ** 2)  # noise, edges
    basis = np.linalg.qr(np.stack(own, axis=-1).astype(np.float64) * weight[..., None])[0]

    def beside(values: np.ndarray) -> np.ndarray:
        values = values * weight
        amount = np.einsum("rcp,rc->rp", basis, values)
        return np.asarray(values - np.einsum("rcp,rp->rc", basis, amount))

    return beside(np.exp(both)), beside(early - late)


def _fitted(grown: np.ndarray, away: np.ndarray) -> tuple[float, float]:
    """Fit one factor to (row, …); rows, and blocks of the rest, say how sure it is."""
    product, weight = grown * away, grown**2
    found = float(product.sum() / max(float(weight.sum()), 1e-30))
    sds = []
    for axis in (0, 1):
        parts = np.array_split(np.arange(grown.shape[axis]), min(grown.shape[axis], _BLOCKS))
        sums = [
            np.array([values.take(part, axis).sum() for part in parts])
            for values in (product, weight)
        ]
        without = (sums[0].sum() - sums[0]) / np.maximum(sums[1].sum() - sums[1], 1e-30)
        sds.append(sqrt((len(parts) - 1) * float(np.mean((without - without.mean()) ** 2))))
    return found, hypot(*sds)
