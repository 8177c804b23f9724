"""Pairs of random maps in a bore, with a correlation, spectra and noise that are put in."""

import numpy as np
from scipy.ndimage import gaussian_filter

from xct.study.codependence.smoothing import Samples

PITCH_UM = 20.0


def field(rng, n, length_um):
    """Draw a field of mean 0 and variance 1; the edges are far from where it is looked at."""
    drawn = gaussian_filter(rng.standard_normal((n, n)), length_um / PITCH_UM, mode="wrap")
    return (drawn - drawn.mean()) / drawn.std()


def pair(seed, radius_um, r, *, lengths_um=(60.0, 60.0), noise=1.5, kept=0.5):
    """Give samples of both layers: a few noisy ones of the cathode, lithium nearly everywhere.

    With two lengths the fields have other spectra, and r must be 0.
    """
    rng = np.random.default_rng(seed)
    n = int(4 * radius_um / PITCH_UM)  # the box has corners and seams, the bore in it has none
    first, other = (field(rng, n, length) for length in lengths_um)
    second = r * first + np.sqrt(1 - r**2) * other
    place = (np.arange(n) - (n - 1) / 2) * PITCH_UM
    y, x = np.meshgrid(place, place, indexing="ij")
    inside = np.hypot(y, x) < radius_um
    seen = inside & (rng.random((n, n)) < kept)
    cathode = first[seen] + noise * rng.standard_normal(seen.sum())
    anode = second[inside] + 0.1 * rng.standard_normal(inside.sum())
    return (
        Samples(y[seen], x[seen], cathode, np.full(seen.sum(), noise**2), "cathode"),
        Samples(y[inside], x[inside], anode, np.full(inside.sum(), 0.01), "lithium"),
    )
