"""Stated standard deviations of what is read from grey values: errors over sds scatter by 1.

Truths are drawn anew many times; a wrong factor of 2 in any sd fails.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from tests.analyze.test_charge import CELL, SHAPE, THIN, table
from tests.segment.spheres import MU, Flat
from xct.analyze import (
    GreyBins,
    RoiCounts,
    charge_contrast,
    crack_opening,
    homogeneity,
    profile_edges,
    state_of_charge,
    thick_profile,
    void_fraction,
)
from xct.analyze.roi.grey_statistics import Known, statistics_of
from xct.geometry import Label

BINS = GreyBins(15_000, 45_000, 150)
KNOWN = Known(22_100, 600)


def scatter(z):
    """Root mean square of errors over their sds."""
    return float(np.sqrt(np.mean(np.square(z))))


def is_about_one(z):
    return 0.7 < scatter(z) < 1.4


def blocks_of(seed, *, blocks=40, alike=1, name="C"):
    """Count voxels of electrolyte, active material, mixtures and a dark tail; blocks differ.

    Neighbors in groups of `alike` are of one composition.
    """
    rng = np.random.default_rng(seed)
    counts = []
    for number in range(blocks):
        if number % alike == 0:
            shift = 150 * rng.standard_normal()
            fraction = 0.25 * np.exp(0.3 * rng.standard_normal())
            dark = 0.02 * np.exp(0.3 * rng.standard_normal())
        kind, mixed = rng.random((2, 600))
        values = 22_100 + shift + 600 * rng.standard_normal(600)
        pure, part, tail = (
            kind < fraction,
            (kind >= fraction) & (kind < 1.5 * fraction),
            kind > 1 - dark,
        )
        values[pure] += 16_000
        values[part] += 16_000 * mixed[part]
        values[tail] -= 1_500 + 2_100 * mixed[tail]
        inside = np.clip(values, BINS.low + 1, BINS.high - 1)
        counts.append(np.histogram(inside, BINS.count, (BINS.low, BINS.high))[0])
    places = np.zeros((blocks, 3))
    return RoiCounts(name, np.array(counts, np.int32), places, 0, 1.0, (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def rois():
    """Statistics of ROIs of one composition, compared with a pristine one drawn anew too."""
    rows = []
    for seed in range(20):
        pristine = blocks_of(1000 + seed)
        means = pristine.blocks @ BINS.grey_value / pristine.blocks.sum(axis=1)
        mean_sd = means.std(ddof=1) / np.sqrt(len(means))
        known = Known(22_100, 600, pristine.total, pristine_mean_sd=float(mean_sd))
        rows.append(statistics_of(blocks_of(seed), BINS, known, resamples=24, seed=seed))
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def free():
    """Statistics of ROIs of which neither the electrolyte nor its noise is known."""
    return pd.DataFrame(
        [statistics_of(blocks_of(k), BINS, None, resamples=8, seed=k) for k in range(16)]
    )


@pytest.mark.parametrize(
    "name",
    [
        "peak", "width", "mean", "sd", "skewness", "percentile_0_1", "percentile_99_9",
        "tail_fraction", "shift", "wasserstein", "model_b", "model_weight_a", "model_weight_b",
        "model_weight_ab", "model_fraction_b",
    ],
)  # fmt: skip
def test_numbers_of_a_roi_scatter_as_stated(rois, name):
    z = (rois[name] - rois[name].mean()) / np.sqrt((rois[f"{name}_sd"] ** 2).mean())
    assert 0.65 < scatter(z) < 1.5
    half = (rois[f"{name}_high"] - rois[f"{name}_low"]) / 2
    assert (half / rois[f"{name}_sd"]).median() == pytest.approx(1.96, rel=0.25)


@pytest.mark.parametrize("name", ["model_a", "model_b", "model_sd_a", "model_fraction_b"])
def test_numbers_of_a_mixture_that_is_fitted_freely_scatter_as_stated(free, name):
    z = (free[name] - free[name].mean()) / np.sqrt((free[f"{name}_sd"] ** 2).mean())
    assert 0.65 < scatter(z) < 1.5


def test_the_variance_factor_widens_intervals_where_blocks_are_alike():
    rows = [
        statistics_of(blocks_of(seed, alike=4), BINS, KNOWN, factor=4.0, resamples=24, seed=seed)
        for seed in range(12)
    ]
    found = pd.DataFrame(rows)
    assert 0.65 < found["mean"].std() / found["mean_sd"].mean() < 1.5


def test_the_difference_between_rois_scatters_as_stated():
    z = []
    for seed in range(40):
        rois = [blocks_of(2 * seed + k, name=f"C-{k + 1}") for k in range(2)]
        row = homogeneity(rois, BINS, draws=20, seed=seed).iloc[0]
        z.append(row.largest_difference / row.largest_difference_sd)
    assert is_about_one(z)  # of two, the largest is the only one: half of a normal distribution


def test_void_fractions_scatter_as_stated():
    found, stated = [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        field = gaussian_filter(rng.standard_normal((30, 60, 60)), 1.2, mode="wrap")
        labels = np.full(field.shape, Label.ELECTROLYTE, np.uint8)
        labels[field > 1.3 * field.std()] = Label.LOW_GREY
        labels[:8] = Label.ACTIVE_MATERIAL
        voids = void_fraction(
            labels, Label.ACTIVE_MATERIAL, voxel_size_um=2.0, step_um=4.0, farthest_um=40.0,
            resamples=60, seed=seed,
        )  # fmt: skip
        found.append(voids["void_fraction"])
        stated.append(voids["void_fraction_sd"])
    z = (np.array(found) - np.mean(found, axis=0)) / np.sqrt(np.mean(np.square(stated)))
    assert is_about_one(z)


@pytest.mark.parametrize("correlated", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("width", [7, 16])
def test_points_of_a_profile_scatter_as_stated_however_noise_is_correlated(correlated, width):
    z = []
    for seed in range(3):
        noise = np.random.default_rng(seed).standard_normal((60, 40, 40))
        noise = gaussian_filter(noise, correlated, mode="wrap")
        volume = 22_100 + 900 * noise / noise.std()
        profile = thick_profile(
            volume, (5, 19.3, 20.7), (54, 19.3, 20.7), voxel_size_um=(1, 1, 1), width_um=width
        )
        z.append((profile["grey_value"] - 22_100) / profile["grey_value_sd"])
    assert is_about_one(z)


def crossed(rng, gap_um, *, sd=60.0, known=True):
    """A profile across a gap about 30 µm from its start."""
    s = np.arange(60.0)
    middle = 30 + rng.uniform(-0.5, 0.5)
    blurred = ndtr((s - middle + gap_um / 2) / 1.5) - ndtr((s - middle - gap_um / 2) / 1.5)
    grey = 22_100 - 2_100 * blurred + sd * rng.standard_normal(s.size)
    columns = {"distance_um": s, "grey_value": grey, "grey_value_sd": sd if known else np.nan}
    return pd.DataFrame(columns), middle


def test_edges_scatter_as_stated():
    places, steps = [], []
    for seed in range(60):
        profile, middle = crossed(np.random.default_rng(seed), 20.0)
        edges = profile_edges(profile)
        assert len(edges) == 2
        places += list(
            (edges["position_um"] - [middle - 10, middle + 10]) / edges["position_sd_um"]
        )
        steps += list((edges["step"] - [-2_100, 2_100]) / edges["step_sd"])
    assert is_about_one(places)
    assert is_about_one(steps)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("beside", [None, 22_100.0])
def test_openings_of_cracks_scatter_as_stated(known, beside):
    z = []
    for seed in range(100):
        profile, _ = crossed(np.random.default_rng(seed), 2.0, known=known)
        opening, sd = crack_opening(profile, grey_low=20_000, grey_electrolyte=beside)
        z.append((opening - 2.0) / sd)
    assert is_about_one(z)


def read(mu, core_sd, transmission, glare_sd, scale_sd=0.01, **columns):
    particles = table(mu, sd=core_sd).assign(**columns)
    given = {"energy_kev": 25.0, "glare_sd": glare_sd, "scale_sd": scale_sd}
    charge = state_of_charge(
        THIN,
        particles,
        CELL,
        Flat(),
        plane_transmission=pd.DataFrame({"transmission": transmission}),
        **given,
    )
    return charge, particles


def with_glare(transmission, glare):
    """By what a plane's μ is wrong if glare remains."""
    return np.log(transmission + glare) / np.log(transmission)


@pytest.mark.parametrize(
    ("transmission", "glare_sd", "core_sd"), [(0.3, 1e-3, 50), (0.02, 1e-3, 5), (0.3, 0.0, 500)]
)
def test_attenuations_of_particles_scatter_as_stated(transmission, glare_sd, core_sd):
    z, noise = [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        wrong = with_glare(transmission, glare_sd * rng.standard_normal())
        wrong *= 1 + 0.01 * rng.standard_normal()
        own = core_sd * MU[2] / 2_100 * rng.standard_normal(3)
        planes = np.full(SHAPE[0], transmission)
        charge, _ = read(48 * wrong + own, core_sd, planes, glare_sd)
        z += list((charge["mu_per_cm"] - 48) / charge["mu_per_cm_sd"])
        noise += list((charge["mu_per_cm"] - 48 * wrong) / charge["mu_per_cm_noise_sd"])
    assert is_about_one(z)
    assert is_about_one(noise)


@pytest.mark.parametrize(
    ("far", "near", "glare_sd", "drifted"),
    [(0.3, 0.3, 0.0, 3), (0.3, 0.3, 0.0, 20), (0.3, 0.03, 1e-3, 8), (0.1, 0.03, 1e-3, 8)],
)
def test_the_difference_of_drifted_particles_scatters_as_stated(far, near, glare_sd, drifted):
    z = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        glare = glare_sd * rng.standard_normal()
        # The scale of distant planes may differ, as far as their transmission does.
        scale = 1 + 0.01 * (1 - near / far) * rng.standard_normal()
        own = 50 * MU[2] / 2_100 * rng.standard_normal(drifted + 60)
        mu = np.repeat(
            [48 * with_glare(far, glare) * scale, 48 * with_glare(near, glare)], [drifted, 60]
        )
        is_far = np.arange(mu.size) < drifted
        planes = np.where(np.arange(SHAPE[0]) < 15, far, near)
        charge, particles = read(
            mu + own, 50, planes, glare_sd,
            drifted=is_far, attached=~is_far, z_um=np.where(is_far, 10.0, 60.0),
        )  # fmt: skip
        contrast = charge_contrast(charge, particles)
        z.append(contrast.difference / contrast.sd)
    assert is_about_one(z)
