"""The user's own mask: nothing lies outside of it, in any engine, or it is refused."""

import importlib.util

import numpy as np
import pytest
import tifffile
import zarr

import xct
from tests.reconstruct.conftest import PIXEL_UM
from tests.scans import write_dxchange
from xct.errors import ConfigError, DataError
from xct.phantom import draw_discs, project_discs
from xct.reconstruct import iterative

SIZE, CENTER = 48, 23.5
THETA = np.linspace(0, 180, 40, endpoint=False)
DISCS = [[6.0, -4.0, 9.0, 1.0], [8.0, -6.0, 3.0, 1.0]]  # x, y, radius, value: off the axis
ASTRA = importlib.util.find_spec("astra") is not None
needs_astra = pytest.mark.skipif(not ASTRA, reason="the ASTRA toolbox is not installed")
WAYS = [
    pytest.param({"method": "tv"}),
    pytest.param({"method": "cgls"}),
    pytest.param({"method": "tv", "engine": "astra"}, marks=needs_astra),
    pytest.param({"method": "cgls", "engine": "astra"}, marks=needs_astra),
    pytest.param({"method": "sirt"}, marks=needs_astra),
]


def disc(x, y, radius):
    position = np.arange(SIZE) - (SIZE - 1) / 2
    return np.hypot(position - x, position[:, None] - y) <= radius


@pytest.fixture(scope="module")
def seen():
    exact = project_discs(np.array(DISCS), THETA, SIZE, CENTER)
    noise = np.random.default_rng(0).normal(0, 0.3, (len(THETA), 2, SIZE))
    return (exact[:, None] + noise).astype(np.float32)


def solve(values, mask=None, **settings):
    return iterative(
        values, THETA, CENTER, mask, pixel_size_um=PIXEL_UM, iterations=30, stop_change=5e-3,
        **settings,
    )  # fmt: skip


@pytest.mark.parametrize("settings", WAYS)
def test_nothing_lies_outside_of_the_mask_and_what_is_inside_is_nearer_to_the_truth(seen, settings):
    within = disc(6, -4, 10.5)
    mask = np.stack([within, np.ones_like(within)])  # each row has its own
    masked, free = solve(seen, mask, **settings)
    truth = draw_discs(np.array(DISCS), SIZE) * 1e4 / PIXEL_UM
    assert not masked[~within].any()
    assert free[~within].any()
    assert np.std((masked - truth)[within]) < 1.05 * np.std((free - truth)[within])
    assert masked[within].sum() == pytest.approx(truth.sum(), rel=0.05)


def test_a_circle_about_the_axis_is_a_mask(seen):
    diameter = 36.0
    found = solve(seen, circle_um=diameter * PIXEL_UM)
    assert not found[:, ~disc(0, 0, diameter / 2)].any()
    assert found[0][disc(6, -4, 8)].mean() == pytest.approx(1e4 / PIXEL_UM, rel=0.15)


def test_a_mask_beyond_which_something_attenuates_is_refused(seen):
    wrong = np.stack([disc(-6, 4, 10.5)] * 2)  # mirrored
    with pytest.raises(DataError, match="would be put inside: the mask is too small, turned"):
        solve(seen, wrong)
    with pytest.raises(DataError, match="outside of the mask or the circle"):
        solve(seen, circle_um=12 * PIXEL_UM)


def test_a_mask_of_another_size_is_refused_with_both(seen):
    with pytest.raises(DataError, match=r"40 × 40 pixels a slice, but the slices have 48 × 48"):
        solve(seen, np.ones((2, 40, 40), bool))


def run(folder, pipeline="iterative", **scan):
    file = folder / "scan.h5"
    if not file.exists():
        write_dxchange(file)
    output = str(folder / f"o{len(list(folder.iterdir()))}")
    text = {"scan": {"file": str(file), **scan}, "pipeline": pipeline, "output": output}
    return xct.run(text | {"run": {"figures": "none"}})


@pytest.mark.filterwarnings("ignore:.*angles for.*")
def test_a_file_of_labels_is_kept_to_in_a_run_by_its_rows(tmp_path):
    size, few = 192, {"row": [0, 4]}
    position = np.arange(size) - (size - 1) / 2
    labels = np.zeros((4, size, size), np.uint8)
    labels[:, np.hypot(position, position[:, None]) < 0.42 * size] = 2
    labels[0] = 1  # everything, in the first row
    stored = zarr.create_array(tmp_path / "mask.zarr", shape=labels.shape, dtype="u1")
    stored[:] = labels
    masked = np.asarray(run(tmp_path, mask=str(tmp_path / "mask.zarr"), roi=few).volume[:])
    assert not masked[labels == 0].any()
    assert masked[0][labels[-1] == 0].any()
    assert masked[1:].max() > 0
    tifffile.imwrite(tmp_path / "one.tif", labels[-1])  # one slice for all rows
    one = np.asarray(run(tmp_path, mask=str(tmp_path / "one.tif"), roi=few).volume[:])
    assert not one[:, labels[-1] == 0].any()
    np.testing.assert_allclose(one[1:], masked[1:], atol=0.01 * masked.max())


def test_a_mask_that_does_not_fit_is_refused_before_a_run(tmp_path):
    write_dxchange(tmp_path / "scan.h5")
    tifffile.imwrite(tmp_path / "m.tif", np.ones((5, 20, 24), np.uint8))
    with pytest.raises(ConfigError, match=r"mask: .*holds 5 slices of 20 × 24 pixels"):
        run(tmp_path, mask=str(tmp_path / "m.tif"))
    tifffile.imwrite(tmp_path / "m.tif", np.ones((24, 24), np.uint8))
    with pytest.raises(ConfigError, match="only the step iterative keeps to a mask"):
        run(tmp_path, "reconstruct", mask=str(tmp_path / "m.tif"))
