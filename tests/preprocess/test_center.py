"""The rotation axis: right to a fraction of a pixel, and sure only when it is right."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

from xct.errors import RunError
from xct.phantom.discs import project_discs, random_discs
from xct.preprocess.center.answer import center_number
from xct.preprocess.center.rotation_axis import Center, find_center
from xct.preprocess.center.sample import Sample
from xct.preprocess.center.still import find_still
from xct.segment.basis import stage_unsteady
from xct.stages import STAGES

HALF_TURN = np.linspace(0, 180, 301)
FULL_TURN = np.arange(360.0)


def measured(
    discs, theta_deg, columns, center_px, *, rows=2, peak=1.5, counts=10_000, stripes=0.01, seed=0
):
    """Noisy line integrals (angle, row, column): Poisson counts, a gain error by column."""
    rng = np.random.default_rng(seed)
    exact = project_discs(discs, theta_deg, columns, center_px)
    exact = np.repeat((exact * peak / exact.max())[:, None], rows, axis=1)
    gain = 1 + rng.normal(0, stripes, (rows, columns))
    return -np.log(np.maximum(rng.poisson(counts * gain * np.exp(-exact)), 1) / counts)


def drawn_case(seed):
    """One simulated scan as a beamline may give it; the truth is the third value."""
    rng = np.random.default_rng(seed)
    columns, angles = int(rng.integers(192, 513)), int(rng.integers(180, 601))
    full = rng.random() < 0.35
    span, angles = (360.0, max(angles, 360)) if full else (180.0, angles)
    offset = rng.uniform(-0.15, 0.15) * columns
    center = (columns - 1) / 2 + offset
    last = {0: span, 1: span * (1 - 1 / angles), 2: span - rng.uniform(0.3, 1.5)}
    theta = rng.uniform(-90, 90) + np.linspace(0, last[int(rng.integers(3))], angles)
    discs = random_discs(int(rng.integers(10, 60)), int(columns - 2 * abs(offset)), seed=seed)
    sinogram = measured(
        discs,
        theta,
        columns,
        center,
        rows=int(rng.integers(1, 4)),
        peak=rng.uniform(0.8, 2.0),
        counts=rng.uniform(5000, 20000),
        seed=seed,
    )
    return (sinogram[::-1], theta[::-1], center) if seed % 3 == 0 else (sinogram, theta, center)


def errors(seeds):
    cases = [(find_center(s, t), truth) for s, t, truth in map(drawn_case, seeds)]
    found = [answer for answer, _ in cases]
    error = np.array([answer.center_px - truth for answer, truth in cases])
    return found, error


def test_the_axis_is_as_uncertain_as_its_sd_says():
    deviations = []
    for seed in range(36):
        center = 79.5 + np.random.default_rng(seed).uniform(-8, 8)
        theta = np.linspace(0, 180, 121)
        discs = random_discs(20, int(160 - 2 * abs(center - 79.5)), seed=seed)
        answer = find_center(measured(discs, theta, 160, center, counts=3000, seed=seed), theta)
        deviations.append((answer.center_px - center) / answer.sd_px)
    assert 0.6 < np.sqrt(np.mean(np.square(deviations))) < 1.3


@pytest.mark.slow
def test_axis_is_right_in_noisy_scans_of_all_kinds_and_its_sd_is_honest():
    found, error = errors(range(36))
    assert np.median(np.abs(error)) < 0.03
    assert np.abs(error).max() < 0.25
    deviation = np.sqrt(np.mean((error / [answer.sd_px for answer in found]) ** 2))
    assert 0.4 < deviation < 1.5
    assert np.mean([answer.confidence > 0.8 for answer in found]) > 0.8


@pytest.mark.parametrize("center", [128.0, 127.5, 127.13, 141.77])
def test_axis_at_any_fraction_of_a_pixel_from_perfect_data(center):
    sinogram = project_discs(random_discs(30, 200, seed=1), HALF_TURN, 256, center)
    answer = find_center(sinogram / sinogram.max(), HALF_TURN)
    assert answer.center_px == pytest.approx(center, abs=0.03)
    assert answer.confidence > 0.9


def test_axis_stays_with_its_column_when_columns_are_binned():
    theta = np.linspace(0, 180, 400, endpoint=False)
    center = 1501.3
    sinogram = measured(random_discs(40, 2500, seed=2), theta, 2800, center, rows=1)
    assert find_center(sinogram, theta).center_px == pytest.approx(center, abs=0.25)


@pytest.mark.parametrize("kind", ["descending", "shuffled", "uneven", "radian offset", "0-200"])
def test_order_start_and_spacing_of_angles_do_not_matter(kind):
    rng = np.random.default_rng(3)
    theta = {
        "descending": HALF_TURN[::-1],
        "shuffled": rng.permutation(HALF_TURN),
        "uneven": np.sort(rng.uniform(0, 180, 400)),
        "radian offset": 16740.4 + HALF_TURN,
        "0-200": np.linspace(0, 200, 401),
    }[kind]
    sinogram = measured(random_discs(30, 280, seed=3), theta, 300, 155.4)
    answer = find_center(sinogram, theta)
    assert answer.center_px == pytest.approx(155.4, abs=0.2)
    assert answer.confidence > 0.8


@pytest.mark.parametrize("apart", [0.0, 0.001])
def test_a_scan_that_is_there_twice_has_the_axis_of_one(apart):
    theta = np.concatenate([HALF_TURN, HALF_TURN + apart])
    sinogram = measured(random_discs(30, 280, seed=3), theta, 300, 155.4)
    answer = find_center(sinogram, theta)
    assert answer.center_px == pytest.approx(155.4, abs=0.2)
    assert answer.confidence > 0.8


def test_scan_that_ends_long_before_half_a_turn_has_no_pairs_and_an_axis():
    theta = np.linspace(0, 175, 350)
    sinogram = measured(random_discs(30, 280, seed=4), theta, 300, 155.4, rows=3)
    answer = find_center(sinogram, theta)
    assert "opposite" not in answer.by_method
    assert answer.center_px == pytest.approx(155.4, abs=0.5)


def test_axis_far_off_the_middle_is_found_where_the_sample_is_in_view():
    sinogram = measured(random_discs(20, 180, seed=5), FULL_TURN, 500, 110.3)
    answer = find_center(sinogram, FULL_TURN)
    assert answer.center_px == pytest.approx(110.3, abs=0.2)
    assert not answer.at_edge


def test_strong_stripes_do_not_pull_the_axis_to_the_middle_of_the_detector():
    sinogram = measured(random_discs(30, 250, seed=6), HALF_TURN, 300, 165.8, stripes=0.05)
    assert find_center(sinogram, HALF_TURN).center_px == pytest.approx(165.8, abs=0.25)


def test_outliers_left_over_do_not_move_the_axis():
    sinogram = measured(random_discs(30, 270, seed=7), HALF_TURN, 300, 150.2)
    clean = find_center(sinogram, HALF_TURN)
    hit = np.random.default_rng(7).random(sinogram.shape) < 1e-3
    struck = find_center(np.where(hit, sinogram - 2, sinogram), HALF_TURN)
    assert struck.center_px == pytest.approx(clean.center_px, abs=0.05)
    assert struck.confidence > 0.8


@pytest.mark.parametrize("theta", [HALF_TURN, FULL_TURN], ids=["180", "360"])
def test_axis_in_a_sample_wider_than_the_field_of_view(theta):
    sinogram = measured(random_discs(200, 900, seed=8), theta, 300, 163.4, rows=4, peak=2)
    answer = find_center(sinogram, theta)
    assert answer.center_px == pytest.approx(163.4, abs=0.5)
    assert set(answer.by_method) == {"opposite", "wedge"}


def test_sample_a_little_wider_than_the_field_of_view_is_not_pulled_to_its_middle():
    theta = np.linspace(0, 360, 177)
    discs = random_discs(150, 210, seed=812, radius=(0.1, 0.4))
    answer = find_center(measured(discs, theta, 148, 65.8, peak=3.3), theta)
    assert answer.confidence < 0.8 or answer.center_px == pytest.approx(65.8, abs=0.5)
    assert abs(answer.center_px - 65.8) < 4 * answer.sd_px


def test_centered_cylinder_has_an_axis_though_nothing_moves():
    cylinder = np.array([[0.0, 0.0, 100.0, 0.006]])
    answer = find_center(measured(cylinder, HALF_TURN, 300, 155.37), HALF_TURN)
    assert answer.center_px == pytest.approx(155.37, abs=0.2)


@pytest.mark.parametrize("columns", [40, 300])
@pytest.mark.parametrize("stripes", [0.0, 0.02])
@pytest.mark.parametrize("theta", [HALF_TURN, FULL_TURN], ids=["180", "360"])
def test_noise_and_an_empty_beam_give_no_confidence(columns, stripes, theta):
    rng = np.random.default_rng(9)
    noise = rng.normal(0, 0.02, (len(theta), 3, columns)) + rng.normal(0, stripes, (3, columns))
    assert find_center(noise, theta).confidence < 0.5


def test_axis_beyond_the_search_range_is_not_confirmed():
    sinogram = measured(random_discs(30, 280, seed=10), HALF_TURN, 400, 150.2)
    answer = find_center(sinogram, HALF_TURN, search_px=20)
    assert answer.confidence < 0.5 or answer.at_edge
    assert answer.search_px == 20
    inside = find_center(sinogram, HALF_TURN, search_px=60)
    assert inside.center_px == pytest.approx(150.2, abs=0.2)
    assert not inside.at_edge


@pytest.mark.parametrize("peak", [0.3, 1.0, 3.0])
def test_transmission_is_refused_and_its_logarithm_is_not(peak):
    sinogram = measured(random_discs(30, 260, seed=11), HALF_TURN, 300, 152.3, peak=peak)
    with pytest.raises(ValueError, match=r"look like transmission.*stage line_integrals"):
        find_center(np.exp(-sinogram), HALF_TURN)
    assert find_center(sinogram, HALF_TURN).center_px == pytest.approx(152.3, abs=0.3)


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.9])
@pytest.mark.parametrize("seed", [12, 13])
def test_the_axis_of_a_half_acquisition_is_found_by_what_half_turns_share(fraction, seed):
    center = fraction * 400
    size = int(1.9 * max(center, 400 - center))
    sinogram = measured(random_discs(40, size, seed=seed), FULL_TURN, 400, center)
    found = find_center(sinogram, FULL_TURN)
    assert found.method == "overlap"
    assert found.center_px == pytest.approx(center, abs=0.1)
    assert found.confidence > 0.8


def test_an_axis_on_the_side_where_the_sample_does_not_leave_the_view_is_not_trusted():
    """Over a full turn the sample reaches as far to either side of the axis."""
    sinogram = measured(random_discs(40, 220, seed=14), FULL_TURN, 400, 2.0)
    assert find_center(sinogram, FULL_TURN).confidence < 0.5


@pytest.mark.parametrize("turn", [180, 360])
def test_what_stands_still_in_the_beam_is_named_with_its_columns(turn):
    theta = np.linspace(0, turn, turn + 1)
    discs = random_discs(30, 100, seed=3)
    views = np.stack([project_discs(discs, theta, 128, 64.7)] * 3, axis=1)
    views = views / views.max() + np.random.default_rng(0).normal(0, 0.01, views.shape)
    rod = 0.2 * np.sqrt(np.clip(36 - (np.arange(128) - 30.0) ** 2, 0, None))
    found = find_center(views + rod, theta)
    assert "overlap" not in found.by_method  # with itself
    assert found.confidence < 0.8
    assert (found.still.first, found.still.last) == pytest.approx((25, 35), abs=1)
    with pytest.raises(RunError, match="something stands still in the beam before columns"):
        center_number(replace(found, confidence=0.1), 3)
    assert find_center(views, theta).still is None


def test_nothing_stands_still_where_every_column_is_weaker_than_its_mirror_image():
    theta = np.linspace(0, 180, 61)
    views = np.repeat(np.linspace(0, 2, 61, dtype=np.float32)[:, None, None], 128, axis=2)
    assert find_still(Sample(views, theta, views, theta, 1, 0.01), 63.5) is None


def bad(change):
    sinogram = np.zeros((181, 2, 64))
    return change(sinogram, np.arange(181.0))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (lambda s, t: (s[:, 0, 0], t), r"shape \(181,\); expected \(angle, row, column\)"),
        (lambda s, t: (s[..., :8], t), r"at least 16 columns.*scan.center_px"),
        (lambda s, t: (s, t[:-1]), r"shape \(180,\).*holds 181 angles"),
        (lambda s, t: (s[:7], t[:7] * 30), r"7 different angles.*at least 8.*scan.center_px"),
        (lambda s, t: (s, t / 2), r"cover 90.5°, but.*150°.*scan.center_px"),
        (lambda s, t: (s, np.deg2rad(t)), r"cover 3.159° \(are they radians"),
        (lambda s, t: (s, np.where(t == 5, np.nan, t)), r"1 of 181 angles.*not finite"),
        (lambda s, t: (np.where(s == 0, np.nan, s), t), r"23168 of 23168.*fill_nonpositive"),
    ],
)
def test_what_cannot_work_is_refused_with_its_remedy(case, message):
    with pytest.raises(ValueError, match=message):
        find_center(*bad(case))


def test_stage_gives_the_center_from_a_sample_of_rows():
    declared = STAGES["find_center"]
    assert (declared.gives, declared.cut, declared.sample) == (("center_px",), (), True)
    assert declared.settings().search_px is None
    with pytest.raises(ValueError, match="greater than 0"):
        declared.settings(search_px=0)


def test_tooth(test_data):
    with h5py.File(test_data("aps_tooth/tooth.h5")) as file:
        data, white, dark, theta = (
            file[f"exchange/{name}"][:] for name in ("data", "data_white", "data_dark", "theta")
        )
    dark = dark.mean(axis=0)
    answer = find_center(-np.log((data - dark) / (white.mean(axis=0) - dark)), theta)
    assert isinstance(answer, Center)
    assert 295.5 < answer.center_px < 296.5
    assert answer.confidence > 0.8


def test_dendrite_with_strong_rings(test_data):
    file = scipy.io.loadmat(test_data("dls_dendrite_sino/RealDataDend.mat"))
    answer = find_center(file["sinoRD"].T / 1000, np.rad2deg(file["anglesRad"].ravel()))
    assert answer.center_px == pytest.approx(629.5, abs=0.5)


def test_neutron_full_turn(test_data):
    sinogram = tifffile.imread(test_data("neutron_360_sino/sinogram_360_neutron_image.tif"))
    transmission = sinogram / sinogram[:, :30].mean()
    transmission[transmission <= 0] = transmission.mean()
    answer = find_center(-np.log(transmission), np.linspace(0, 360, 459))
    assert 244.75 < answer.center_px < 245.1
    assert answer.confidence > 0.8


def test_crop_of_26_columns_is_not_trusted(test_data):
    with h5py.File(test_data("dls_k11_18014/k11-18014.nxs")) as file:
        frames = file["entry/imaging/data"][:].astype(np.float32)
        key = file["entry/instrument/imaging/image_key"][:]
        theta = file["entry/imaging/gts_theta_value"][:]
    dark = frames[key == 2].mean(axis=0)
    transmission = (frames[key == 0] - dark) / (frames[key == 1].mean(axis=0) - dark)
    assert find_center(-np.log(transmission), theta[key == 0]).confidence < 0.5


def heights_of(centers, seed=0):
    """Rows of five heights, three each, whose axes seem to lie at these columns."""
    rows = [
        measured(random_discs(24, 128, seed=seed + n), HALF_TURN, 160, center, rows=3, seed=n)
        for n, center in enumerate(centers)
    ]
    row_px = np.concatenate([np.arange(first, first + 3) for first in (6, 22, 38, 54, 70)])
    return np.concatenate(rows, axis=1), row_px


def test_heights_at_which_no_lean_puts_the_axis_do_not_decide_it():
    """Steel about a tilted face, with fringes, seems to turn about an axis far aside."""
    views, row_px = heights_of((60.0, 82.1, 82.1, 82.1, 100.0))
    found = find_center(views, HALF_TURN, row_px=row_px, frame_shape=(80, 160))
    assert found.center_px == pytest.approx(82.1, abs=0.1)
    assert found.confidence > 0.8
    assert find_center(views, HALF_TURN).confidence < 0.8


def test_what_other_answers_contradict_is_withheld_where_the_axis_is_not_sure():
    sure = find_center(*drawn_case(1)[:2])
    apart = {"opposite": sure.center_px + 7.4, "mass": sure.center_px}
    unsure = replace(
        sure, confidence=0.6, by_method=apart, by_method_sd={"opposite": 0.1, "mass": 0.1}
    )
    with pytest.warns(UserWarning, match=r"differ by 7\.4 px.*scan\.center_px"):
        numbers = {"center_px": center_number(unsure, 2).entry()}
    assert "differ by 7.4 px" in stage_unsteady(numbers)
    one_of_three = replace(
        unsure,
        by_method=apart | {"wedge": sure.center_px},
        by_method_sd={name: 0.1 for name in ("opposite", "mass", "wedge")},
    )
    assert one_of_three.apart_px == 0
    near = replace(unsure, by_method={"opposite": sure.center_px + 0.6, "mass": sure.center_px})
    with pytest.warns(UserWarning, match="not sure"):
        assert stage_unsteady({"center_px": center_number(near, 2).entry()}) is None
    assert stage_unsteady({"center_px": center_number(sure, 2).entry()}) is None


def test_a_round_wall_about_the_axis_is_not_where_a_half_acquisition_turns():
    """It stands still in all views, and is its own mirror image about where it is seen."""
    theta, center = np.linspace(0, 360, 301), 34.2
    wall = np.array([[0, 0, 80, 1.0], [0, 0, 74, -0.8]])
    grains = random_discs(30, 128, seed=3) * (1, 1, 1, 0.02)
    scan = {"peak": 0.9, "stripes": 0.003, "counts": 400_000}
    plain = measured(wall, theta, 160, center, rows=6, **scan)
    turning = measured(np.vstack([wall, grains]), theta, 160, center, rows=2, **scan)
    found = find_center(np.concatenate([plain, turning], axis=1), theta)
    assert found.method == "overlap"
    assert found.center_px == pytest.approx(center, abs=0.25)
