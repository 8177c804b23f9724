"""fbp: types, windows, the detector's edges, batches and memory."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.reconstruct.conftest import PIXEL_UM, inside, make_example
from xct.parallel.threads import limit_threads
from xct.phantom import draw_discs, project_discs
from xct.reconstruct import fbp
from xct.reconstruct.filters import Window

WINDOWS = Window.__args__


@pytest.fixture(scope="module")
def slab():
    """Seventeen different rows, 64 columns, 90 angles."""
    rng = np.random.default_rng(0)
    return rng.normal(1, 0.3, (90, 17, 64)).astype(np.float32)


THETA = np.linspace(0, 180, 90, endpoint=False)


def volume_of(rows, **settings):
    return fbp(rows, THETA, 31.7, pixel_size_um=PIXEL_UM, **settings)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ">f4"])
def test_other_floats_are_worked_on_as_float32(slab, dtype):
    as_given = slab.astype(dtype)
    np.testing.assert_allclose(
        volume_of(as_given), volume_of(as_given.astype(np.float32)), atol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint8])
def test_whole_numbers_are_worked_on_as_float32(slab, dtype):
    whole = np.rint(100 * slab).clip(0).astype(dtype)
    np.testing.assert_allclose(volume_of(whole), volume_of(whole.astype(np.float32)), atol=1e-6)


@pytest.mark.parametrize("order", ["read-only", "row first", "reversed"])
def test_the_layout_in_memory_does_not_matter(slab, order):
    given = slab.copy()
    if order == "read-only":
        given.flags.writeable = False
    elif order == "row first":
        given = np.ascontiguousarray(slab.transpose(1, 0, 2)).transpose(1, 0, 2)
    else:
        given = np.ascontiguousarray(slab[:, :, ::-1])[:, :, ::-1]
    np.testing.assert_array_equal(volume_of(given), volume_of(slab))


@pytest.mark.parametrize("engine", ["fourier", "astra"])
def test_the_input_stays_as_it_was(slab, engine):
    if engine == "astra":
        pytest.importorskip("astra")
    given = slab[:, :2].copy()
    volume_of(given, engine=engine)
    np.testing.assert_array_equal(given, slab[:, :2])


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 9, 16, 17])
def test_a_row_does_not_depend_on_the_rows_beside_it(slab, rows):
    whole = volume_of(slab)
    np.testing.assert_allclose(
        volume_of(slab[:, :rows]), whole[:rows], atol=1e-6 * abs(whole).max()
    )


def test_batches_at_multiples_of_sixteen_give_the_same_bits(slab):
    whole = volume_of(np.concatenate([slab[:, :16], slab[:, 1:17]], axis=1))
    np.testing.assert_array_equal(volume_of(slab[:, :16]), whole[:16])
    np.testing.assert_array_equal(volume_of(slab[:, 1:17]), whole[16:])


def test_one_sinogram_is_one_slice(slab):
    np.testing.assert_array_equal(volume_of(slab[:, 0]), volume_of(slab[:, :1]))


def test_the_number_of_threads_does_not_change_a_bit(slab):
    expected = volume_of(slab)
    for threads in (1, 3):
        with limit_threads(threads):
            np.testing.assert_array_equal(volume_of(slab), expected)


def test_several_threads_may_call_at_once(slab):
    expected = volume_of(slab)
    with ThreadPoolExecutor(4) as pool:
        for volume in pool.map(volume_of, [slab] * 8):
            np.testing.assert_array_equal(volume, expected)


_PEAKS = """
import tracemalloc

import numpy as np

from xct.reconstruct import fbp
from xct.reconstruct.gridding.workspace import release

slab = np.random.default_rng(0).normal(1, 0.3, (400, 17, 128)).astype(np.float32)
theta = np.linspace(0, 180, 400, endpoint=False)


def measured(memory_gib):
    release()
    tracemalloc.start()
    volume = fbp(slab, theta, 63.2, pixel_size_um=1.3, memory_gib=memory_gib)
    peak = tracemalloc.get_traced_memory()[1] / 2**30
    tracemalloc.stop()
    return volume, peak


measured(None)  # compiled, and the geometry kept
volume, peak = measured(None)
ceiling = 0.6 * peak
measured(ceiling)  # what smaller batches need is compiled, too
smaller, small_peak = measured(ceiling)
print(ceiling, small_peak, float(np.abs(smaller - volume).max()))
"""


def test_less_memory_means_smaller_batches_and_the_same_result():
    """In a process of its own: nothing that runs beside it takes part in what is measured."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAKS],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=True,
    )
    ceiling, peak, difference = (float(number) for number in done.stdout.split())
    assert peak < ceiling
    assert difference < 1e-5


@pytest.mark.parametrize("engine", ["fourier", "astra"])
def test_too_little_memory_is_refused_with_what_is_needed(slab, engine):
    if engine == "astra":
        pytest.importorskip("astra")
    with pytest.raises(ValueError, match=r"memory_gib=0\.0001 is too small.*fewer rows"):
        volume_of(slab, engine=engine, memory_gib=1e-4)


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_keep_the_mean_and_smooth_the_noise(slab, window):
    example = make_example(64, 90)
    picture = fbp(example.line_integrals, THETA, 31.5, pixel_size_um=PIXEL_UM, window=window)[0]
    circle = inside(64)
    assert picture[circle].mean() == pytest.approx(example.truth[circle].mean(), rel=0.02)
    if window != "ramp":
        assert volume_of(slab, window=window).std() < 0.9 * volume_of(slab).std()


def test_windows_smooth_in_the_order_of_their_list(slab):
    noise = [volume_of(slab, window=window).std() for window in WINDOWS]
    assert noise == sorted(noise, reverse=True)


def test_nothing_finer_than_the_cutoff_is_left():
    rows = project_discs(np.array([[3.0, 2.0, 1.5, 1.0]]), THETA, 64, 31.5)
    picture = fbp(rows, THETA, 31.5, pixel_size_um=PIXEL_UM, cutoff=0.5, size=64)[0]
    power = abs(np.fft.fft2(picture)) ** 2
    frequency = np.hypot(np.fft.fftfreq(64, 0.5), np.fft.fftfreq(64, 0.5)[:, None])
    assert power[frequency > 0.7].sum() < 1e-3 * power.sum()


@pytest.mark.parametrize("engine", ["fourier", "astra"])
def test_windows_and_engines_agree(engine):
    pytest.importorskip("astra")
    example = make_example()
    pictures = [
        fbp(
            example.line_integrals,
            example.theta_deg,
            example.center_px,
            pixel_size_um=PIXEL_UM,
            window="hann",
            cutoff=0.8,
            engine=name,
        )[0]
        for name in ("auto", engine)
    ]
    difference = (pictures[0] - pictures[1])[inside(128)] / example.truth.max()
    assert np.sqrt(np.mean(difference**2)) < 0.004


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_an_object_beyond_the_detector_has_no_bright_rim(noise):
    disc = np.array([[4.0, -2.0, 120.0, 0.01]])
    theta = np.linspace(0, 180, 200, endpoint=False)
    rows = project_discs(disc, theta, 128, 63.5)
    rows += np.random.default_rng(0).normal(0, noise * 0.1, rows.shape)
    picture = fbp(rows, theta, 63.5, pixel_size_um=PIXEL_UM, window="hann")[0]
    within = picture[inside(128, 0.5)].mean()
    rim = picture[inside(128, 0.97) & ~inside(128, 0.9)].mean()
    # Zeros beyond the detector would make the rim several times as bright as the inside.
    assert 0.6 * within < rim < 1.05 * within
    assert within == pytest.approx(0.01, rel=0.1)


def test_padding_changes_nothing_when_the_object_fits():
    disc = np.array([[4.0, -2.0, 40.0, 1.0]])
    theta = np.linspace(0, 180, 200, endpoint=False)
    narrow = fbp(project_discs(disc, theta, 100, 49.5), theta, 49.5, pixel_size_um=PIXEL_UM)[0]
    wide = fbp(
        project_discs(disc, theta, 300, 149.5), theta, 149.5, pixel_size_um=PIXEL_UM, size=100
    )[0]
    circle = inside(100)
    assert abs((narrow - wide)[circle]).max() < 1e-2
    assert abs((narrow - wide)[circle].mean()) < 3e-4
    assert abs((narrow - draw_discs(disc, 100))[inside(100, 0.6)].mean()) < 2e-3
