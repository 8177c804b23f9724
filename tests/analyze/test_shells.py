import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from tests.parallel.pickling import Pickling
from xct.analyze import particle_shells
from xct.analyze.shell_fit import fit_layers
from xct.analyze.shells import shells_in_slabs
from xct.geometry import CellGeometry, Label
from xct.parallel.executors import executed_by

VOXEL = 0.2  # µm
SE, NCM = 5.0, 43.0  # 1/cm
SPHERES = [(26, 26, 26, 13.0), (26, 72, 30, 15.0), (68, 28, 66, 14.0), (70, 72, 70, 12.0)]
FINE = 2  # parts of a voxel in which spheres are drawn


# Three that touch, and one alone.
TOUCHING = [(30, 30, 30, 13.0), (30, 58.5, 30, 15.0), (57, 44, 30, 14.0), (70, 72, 70, 12.0)]


class Flat:
    blur_um, noise_per_cm, air = 0.4, 0.3, 0.0
    per_cm, mu_known = 1.0, True

    def mu_per_cm(self, z_um, r_um):
        return np.full(np.broadcast(z_um, r_um).shape, SE)


def drawn(
    *,
    gap_um=0.0,
    shell_um=0.0,
    depth=0.0,
    blur_um=0.4,
    noise=0.3,
    cavity=False,
    spheres=SPHERES[:2],
    seed=0,
):
    """Draw spheres in gaps and shells; μ, numbers, table, cell, labels."""
    reach = np.max([np.array(place) + r for *place, r in spheres], axis=0)
    shape, hollow = tuple((reach + 14).astype(int).tolist()), 4.0 if cavity else -1.0
    numbers = np.zeros(shape, np.uint32)
    fine = [(np.arange(n * FINE) + 0.5) / FINE - 0.5 for n in shape]
    z, y, x = np.meshgrid(*fine, indexing="ij", sparse=True)
    mu = np.full([n * FINE for n in shape], SE, np.float32)
    off = [np.sqrt((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2) - r for a, b, c, r in spheres]
    for away in off:
        mu[away * VOXEL < gap_um + shell_um] = SE * (1 - depth)
        mu[away * VOXEL < gap_um] = 0
    for away, (*_, radius) in zip(off, spheres, strict=True):
        mu[(away < 0) & (away > hollow - radius)] = NCM
    mu = mu.reshape(shape[0], FINE, shape[1], FINE, shape[2], FINE).mean(axis=(1, 3, 5))
    z, y, x = np.indices(shape, sparse=True)
    for number, (a, b, c, r) in enumerate(spheres, 1):
        away = np.sqrt((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2) - r
        numbers[(away < 0) & (away > hollow - r)] = number
    # The voxel is a part of the point spread.
    mu = gaussian_filter(mu, np.sqrt((blur_um / 2.3548 / VOXEL) ** 2 - 1 / 12))
    mu += noise * np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    cell = CellGeometry(shape, (VOXEL,) * 3, 9.7, 9.5, 100.0)
    table = pd.DataFrame({"particle": np.arange(1, len(spheres) + 1)})
    labels = np.where(numbers > 0, Label.ACTIVE_MATERIAL, Label.ELECTROLYTE).astype(np.uint8)
    return mu.astype(np.float32), (numbers, table), cell, labels


@pytest.fixture(scope="module")
def shelled():
    return drawn(shell_um=1.0, depth=0.3, spheres=SPHERES)


@pytest.fixture(scope="module")
def found(shelled):
    mu, particles, cell, _ = shelled
    return particle_shells(mu, *particles, cell, Flat(), reach_um=3.0)


def test_thickness_and_depth_of_shells_are_those_drawn(found):
    assert found["shell_resolved"].all()
    assert not found["gap_resolved"].any()
    np.testing.assert_allclose(found["shell_um"], 1.0, atol=0.1)
    np.testing.assert_allclose(found["shell_depth"], 0.3, atol=0.03)
    assert (found["n"] > 1000).all()


def test_stated_sd_covers_the_error(found):
    assert (np.abs(found["shell_um"] - 1) < 2 * found["shell_sd_um"]).all()
    assert (np.abs(found["shell_depth"] - 0.3) < 2 * found["shell_depth_sd"]).all()
    assert (found["shell_sd_um"] < 0.1).all()


def test_a_shell_so_narrow_that_it_looks_like_a_gap_is_neither():
    mu, particles, cell, _ = drawn(shell_um=0.5, depth=0.5)
    found = particle_shells(mu, *particles, cell, Flat(), reach_um=3.0)
    assert not found["shell_resolved"].any()
    assert not found["gap_resolved"].any()


@pytest.mark.parametrize("cavity", [False, True])
def test_spheres_without_a_shell_have_none_and_a_cavity_is_not_one(cavity):
    mu, particles, cell, _ = drawn(cavity=cavity)
    found = particle_shells(mu, *particles, cell, Flat(), reach_um=3.0)
    assert not found["shell_resolved"].any()
    assert not found["gap_resolved"].any()
    assert found[["gap_um", "gap_sd_um", "shell_um", "shell_depth"]].isna().all(axis=None)


@pytest.mark.parametrize("shell_um", [0.0, 1.0])
def test_neighbors_that_touch_make_no_shell_and_hide_none(shell_um):
    mu, particles, cell, _ = drawn(shell_um=shell_um, depth=0.3, spheres=TOUCHING)
    found = particle_shells(mu, *particles, cell, Flat(), reach_um=3.0)
    assert not found["gap_resolved"].any()
    assert (found["shell_resolved"] == (shell_um > 0)).all()
    np.testing.assert_allclose(found["shell_um"], shell_um or np.nan, atol=0.15)


def test_a_gap_is_measured_by_what_is_missing():
    mu, particles, cell, _ = drawn(gap_um=0.5)
    found = particle_shells(mu, *particles, cell, Flat(), reach_um=3.0)
    assert found["gap_resolved"].all()
    assert not found["shell_resolved"].any()
    np.testing.assert_allclose(found["gap_um"], 0.5, atol=0.06)


@pytest.fixture(scope="module")
def both():
    mu, particles, cell, _ = drawn(gap_um=0.6, shell_um=1.0, depth=0.4, noise=1.0)
    return particle_shells(mu, *particles, cell, Flat(), reach_um=3.0)


def test_a_gap_and_the_shell_around_it_are_distinguished(both):
    np.testing.assert_allclose(both["gap_um"], 0.6, atol=0.08)
    np.testing.assert_allclose(both["shell_um"], 1.0, atol=0.15)
    np.testing.assert_allclose(both["shell_depth"], 0.4, atol=0.05)


@pytest.fixture(scope="module")
def standardized():
    """Errors over sds of gaps and shells of any width and depth, drawn anew in each volume."""
    z = {"shell_um": [], "shell_depth": [], "gap_um": []}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        true = {"shell_um": rng.uniform(0.8, 1.3), "depth": rng.uniform(0.25, 0.5)}
        true["gap_um"] = rng.uniform(0.5, 0.8) if seed % 3 else 0.0
        spheres = np.array(SPHERES) + rng.uniform(-1, 1, (len(SPHERES), 4))
        noise = 1.0 if seed % 3 else 0.3
        mu, particles, cell, _ = drawn(**true, noise=noise, spheres=spheres.tolist(), seed=seed)
        found = particle_shells(mu, *particles, cell, Flat(), reach_um=3.0)
        z["shell_um"] += list((found["shell_um"] - true["shell_um"]) / found["shell_sd_um"])
        z["shell_depth"] += list((found["shell_depth"] - true["depth"]) / found["shell_depth_sd"])
        if true["gap_um"]:
            z["gap_um"] += list((found["gap_um"] - true["gap_um"]) / found["gap_sd_um"])
    return {name: np.array(values) for name, values in z.items()}


# Most of what is stated is for faces made of voxels, which these spheres hardly need.
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("shell_um", 0.55, 1.5), ("shell_depth", 0.55, 1.6), ("gap_um", 0.5, 1.3)],
)
def test_errors_of_gaps_and_shells_are_as_large_as_stated(standardized, name, low, high):
    z = standardized[name]
    assert np.isfinite(z).sum() >= 16
    assert low < np.sqrt(np.nanmean(np.square(z))) < high


def test_what_fills_gaps_may_be_other_than_air():
    mu, particles, cell, _ = drawn(shell_um=0.8, depth=0.8)
    as_air = particle_shells(mu, *particles, cell, Flat(), reach_um=3.0)
    as_filled = particle_shells(mu, *particles, cell, Flat(), reach_um=3.0, gap_ratio=0.2)
    assert as_filled["gap_resolved"].all()
    np.testing.assert_allclose(as_filled["gap_um"], 0.8, atol=0.08)
    assert (as_air["gap_um"] < as_filled["gap_um"]).all()


def test_what_is_narrower_than_half_the_point_spread_is_not_given_a_number():
    mu, particles, cell, _ = drawn(gap_um=0.2, blur_um=0.8)
    # The blur of this volume is not that of the reference: it is given.
    found = particle_shells(mu, *particles, cell, Flat(), reach_um=4.0, blur_um=0.8)
    assert not found["gap_resolved"].any()
    assert found["gap_um"].isna().all()
    assert (found["least_um"] > 0.4).all()


@pytest.mark.parametrize("rows", [7, 64])
def test_where_the_volume_is_cut_changes_nothing(shelled, found, rows):
    mu, particles, cell, _ = shelled
    with executed_by(Pickling()):
        again = shells_in_slabs(mu, *particles, cell, Flat(), reach_um=3.0, rows=rows)
    pd.testing.assert_frame_equal(again, found)


def test_other_materials_near_a_particle_do_not_count(shelled, found):
    mu, particles, cell, labels = shelled
    mu, labels = mu.copy(), labels.copy()
    mu[:6], labels[:6] = 110.0, Label.COLLECTOR
    again = particle_shells(mu, *particles, cell, Flat(), labels, reach_um=3.0)
    np.testing.assert_allclose(again["shell_um"], 1.0, atol=0.1)
    assert again["n"].sum() < found["n"].sum()


def test_an_unknown_point_spread_is_refused(shelled):
    mu, particles, cell, labels = shelled
    unknown = Flat()
    unknown.blur_um = float("nan")
    with pytest.raises(ValueError, match="give its full width"):
        particle_shells(mu, *particles, cell, unknown)
    with pytest.raises(ValueError, match=r"labels have shape \(95, 101, 96\)"):
        particle_shells(mu, *particles, cell, Flat(), labels[1:])


def test_layers_of_an_exact_profile_are_those_it_was_made_of():
    s, sigma = np.linspace(-1, 4, 60), 0.2
    edges, levels = (0.05, 0.5, 1.6), (8.0, 0.0, 0.7, 1.0)
    grey = levels[0] + sum(
        (b - a) * ndtr((s - e) / sigma)
        for e, a, b in zip(edges, levels[:-1], levels[1:], strict=True)
    )
    found = fit_layers(s, grey, np.full(s.size, 0.003), sigma, 0.0)
    np.testing.assert_allclose(found.edges_um, edges, atol=1e-4)
    np.testing.assert_allclose(found.levels, levels, atol=1e-4)
