"""Profiles: along any direction, with edges and openings that are true within their sd."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from xct.analyze.profiles import crack_opening, profile_edges, profile_of_roi, thick_profile
from xct.analyze.roi.shapes import roi_from_line
from xct.geometry import CellGeometry

VOXEL = (1.3, 1.3, 1.3)


def slab(normal, faces_um, *, inside=20_000.0, outside=22_100.0, shape=(60, 64, 68), noise=0.0,
         voxel=VOXEL, seed=0):  # fmt: skip
    """A layer between two planes, edges drawn as if voxels were small, then blurred."""
    normal = np.array(normal, float) / np.linalg.norm(normal)
    at = [np.arange(n) * v for n, v in zip(shape, voxel, strict=True)]
    center = np.array([(n - 1) / 2 * v for n, v in zip(shape, voxel, strict=True)])
    z, y, x = np.meshgrid(*at, indexing="ij")
    along = sum(n * (p - c) for n, p, c in zip(normal, (z, y, x), center, strict=True))
    reach = 0.5 * sum(abs(n) * v for n, v in zip(normal, voxel, strict=True))
    low, high = (np.clip((along - f) / (2 * reach) + 0.5, 0, 1) for f in faces_um)
    volume = outside + (inside - outside) * (low - high)
    volume = gaussian_filter(volume, 0.85)
    volume += noise * np.random.default_rng(seed).normal(size=shape)
    return volume.astype(np.float32), center / np.array(voxel), normal


@pytest.mark.parametrize("normal", [(1, 0, 0), (0, 1, 0), (1, 2, -1), (-3, 1, 2)])
def test_edges_lie_where_they_were_drawn_in_any_direction(normal):
    volume, center, direction = slab(normal, (-8.0, 9.5), noise=300)
    half = 24 * direction / 1.3
    profile = thick_profile(volume, center - half, center + half, voxel_size_um=VOXEL, width_um=14)
    edges = profile_edges(profile)
    assert len(edges) == 2
    off = edges["position_um"] - [24 - 8.0, 24 + 9.5]
    assert (off.abs() < 0.25).all()
    assert (off.abs() < 4 * edges["position_sd_um"]).all()
    np.testing.assert_allclose(edges["step"], [-2100, 2100], rtol=0.05)


def test_unequal_edges_of_a_voxel_are_minded():
    voxel = (0.7, 1.3, 2.0)
    volume, center, direction = slab((1, 1, 1), (-6.0, 6.0), voxel=voxel)
    half = 13 * direction / np.array(voxel)
    profile = thick_profile(volume, center - half, center + half, voxel_size_um=voxel, width_um=9)
    np.testing.assert_allclose(profile_edges(profile)["position_um"], [7.0, 19.0], atol=0.3)


def test_the_sd_is_that_of_the_mean_though_noise_is_correlated():
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.normal(size=(80, 80, 80)), (0, 0.6, 0.6), mode="wrap")
    volume = 22_100 + 900 * noise / noise.std()
    profile = thick_profile(volume, (5, 40, 40), (74, 40, 40), voxel_size_um=(1, 1, 1), width_um=20)
    scatter = (profile["grey_value"] - 22_100).std()
    assert profile["grey_value_sd"].mean() == pytest.approx(scatter, rel=0.25)
    assert profile["n"].iloc[0] == pytest.approx(np.pi * 100, rel=0.05)


@pytest.mark.parametrize("opening", [0.3, 0.8, 2.0, 4.0])
def test_the_opening_of_a_crack_is_known_below_a_voxel(opening):
    volume, center, direction = slab((1, 3, 1), (-opening / 2, opening / 2), noise=200)
    half = 15 * direction / 1.3
    profile = thick_profile(volume, center - half, center + half, voxel_size_um=VOXEL, width_um=20)
    found, sd = crack_opening(profile, grey_low=20_000)
    assert 0 < sd < 0.15
    assert found == pytest.approx(opening, abs=3 * sd + 0.03)


def test_no_crack_opens_by_nothing():
    openings = []
    for seed in range(20):
        volume, center, direction = slab(
            (1, 0, 0), (0, 0), noise=600, shape=(40, 20, 20), seed=seed
        )
        half = 15 * direction / 1.3
        profile = thick_profile(
            volume, center - half, center + half, voxel_size_um=VOXEL, width_um=12
        )
        openings.append(crack_opening(profile, grey_low=20_000))
    found, sd = np.array(openings).T
    assert (np.abs(found) < 2 * sd).sum() >= 16


def test_noise_has_no_edges():
    volume = np.random.default_rng(1).normal(22_100, 900, (50, 50, 50)).astype(np.float32)
    profile = thick_profile(volume, (2, 25, 25), (47, 25, 25), voxel_size_um=VOXEL, width_um=9)
    assert len(profile_edges(profile)) == 0


def test_a_roi_gives_the_profile_between_its_ends():
    volume, center, direction = slab((0, 0, 1), (-8, 8))
    cell = CellGeometry(volume.shape, VOXEL, 40.0, 44.0, bore_radius_um=38)
    half = 24 * direction / 1.3
    roi = roi_from_line(cell, "S6", center - half, center + half, 9.1)
    ends = thick_profile(volume, center - half, center + half, voxel_size_um=VOXEL, width_um=9.1)
    pd.testing.assert_frame_equal(profile_of_roi(volume, cell, roi), ends)


def test_what_leaves_the_volume_has_no_value():
    volume = np.full((20, 20, 20), 7.0, np.float32)
    profile = thick_profile(volume, (10, 10, 10), (10, 10, 30), voxel_size_um=(1, 1, 1), width_um=3)
    assert profile["grey_value"].iloc[:10].eq(7).all()
    assert profile["grey_value"].iloc[-5:].isna().all()
    assert profile["n"].iloc[-1] == 0


@pytest.mark.parametrize(
    ("start", "stop", "error"),
    [((1, 1, 1), (1, 1, 1), "0 µm"), ((90, 1, 1), (99, 1, 1), "outside of the volume of 20 × 20")],
)
def test_lines_without_a_profile_are_refused(start, stop, error):
    volume = np.zeros((20, 20, 20), np.float32)
    with pytest.raises(ValueError, match=error):
        thick_profile(volume, start, stop, voxel_size_um=VOXEL, width_um=3)


def test_a_crack_brighter_than_its_sides_is_refused():
    s = np.arange(20.0)
    profile = pd.DataFrame({"distance_um": s, "grey_value": 5 + 0 * s, "grey_value_sd": 1 + 0 * s})
    with pytest.raises(ValueError, match="not above that within, 9"):
        crack_opening(profile, grey_low=9)


def stacked(*layers, noise=30.0, blur=1.5, seed=0):
    """A profile of layers, thickness in µm and grey value, at steps of 1 µm, and its edges."""
    grey = np.concatenate([np.full(int(thick), value) for thick, value in layers])
    rng = np.random.default_rng(seed)
    grey = gaussian_filter1d(grey.astype(float), blur, mode="nearest")
    grey += rng.normal(0, noise, grey.size)
    edges = np.cumsum([thick for thick, _ in layers])[:-1] - 0.5
    s = np.arange(grey.size, dtype=float)
    return pd.DataFrame({"distance_um": s, "grey_value": grey, "grey_value_sd": noise}), edges


STEEL, LITHIUM, SE, COMPOSITE = 66_000, 20_040, 22_100, 29_000


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("thick", [12, 20, 60])
def test_lithium_is_found_between_steel_and_steel(seed, thick):
    layers = ((15, STEEL), (thick, LITHIUM), (80, SE), (60, COMPOSITE), (30, SE), (15, STEEL))
    profile, edges = stacked(*layers, seed=seed)
    found = profile_edges(profile)
    assert len(found) == len(edges)
    np.testing.assert_allclose(found["position_um"], edges, atol=0.35)


@pytest.mark.parametrize("seed", range(3))
def test_a_face_that_crosses_the_line_at_an_angle_is_found_beside_steel(seed):
    # Across the line an oblique face scatters more than its step is high in the noise of a mean.
    z, y = np.meshgrid(np.arange(60), np.arange(40) - 19.5, indexing="ij")
    oblique = gaussian_filter(np.where(z < 10, 110.0, np.where(z - 19 < 1.3 * y, 0.2, 5.0)), 1.2)
    volume = np.repeat(oblique[:, :, None], 40, axis=2)
    volume = volume + 1.2 * np.random.default_rng(seed).normal(size=volume.shape)
    profile = thick_profile(volume, (3, 19, 20), (57, 19, 20), voxel_size_um=(2, 2, 2), width_um=12)
    assert profile["grey_value_sd"].max() > 0.6  # at the oblique face; 0.2 beside it
    edges = profile_edges(profile)
    np.testing.assert_allclose(edges["position_um"], [13.0, 31.0], atol=1.0)


def test_a_crack_beside_lithium_is_refused_rather_than_given_an_opening_below_nothing():
    profile, _ = stacked((40, SE), (2, LITHIUM), (30, SE), (40, LITHIUM))
    with pytest.raises(ValueError, match=r"begins at grey value 22.* ends at 20.* leaves"):
        crack_opening(profile, grey_low=20_000)
    with pytest.raises(ValueError, match="begins at grey value 20"):
        crack_opening(profile[::-1].assign(distance_um=profile["distance_um"].to_numpy()),
                      grey_low=20_000, grey_electrolyte=SE)  # fmt: skip


def test_a_line_across_a_particle_is_no_crack():
    profile, _ = stacked((40, SE), (8, 38_000), (40, SE))
    with pytest.raises(ValueError, match="brighter than they are"):
        crack_opening(profile, grey_low=20_000)
