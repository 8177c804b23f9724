import h5py
import numpy as np
import pytest

from tests.scans import counts, line_integrals, write_dxchange
from xct import read_scan
from xct.io.scans.repeats import groups_of_repeats, turned_within


@pytest.mark.parametrize("jitter", [0.0, 0.02])
@pytest.mark.parametrize("times", [2, 3, 8])
def test_frames_of_one_angle_are_one_group(times, jitter):
    theta = np.repeat(3.0 * np.arange(20), times) + jitter * np.sin(np.arange(20 * times))
    groups = groups_of_repeats(theta)
    assert [group.tolist() for group in groups] == np.arange(20 * times).reshape(20, -1).tolist()


@pytest.mark.parametrize(
    "theta",
    [
        np.linspace(0, 180, 181),
        np.r_[np.zeros(8), np.linspace(0, 180, 181)],  # a stage that starts late
        np.r_[np.linspace(0, 180, 181), 180.0, 90.0, 0.0],
        np.full(50, 90.0),
        111.246117975 * np.arange(200) % 180,
        np.r_[np.linspace(0, 180, 91), np.linspace(0, 180, 91)],
    ],
)
def test_other_angles_are_no_repeats(theta):
    assert groups_of_repeats(theta) is None


def test_repeats_are_averaged_with_their_times_and_said(dxchange, numbered):
    frames = numbered(12, 10)
    frames[1::2] += 50
    path = dxchange(
        {"/exchange/data": frames, "/exchange/theta": np.repeat(15.0 * np.arange(6), 2)}
    )
    scan = read_scan(path)
    pairs = frames.reshape(6, 2, 4, 6).mean(axis=1)
    np.testing.assert_allclose(scan.projections.read(), pairs)
    np.testing.assert_allclose(
        scan.projections.read(slice(1, 5, 2), slice(1, 3)), pairs[1:5:2, 1:3]
    )
    np.testing.assert_array_equal(scan.theta_deg, 15.0 * np.arange(6))
    assert any("exposed 2 times" in note and "6 projections" in note for note in scan.notes)


def test_binned_repeats_are_sums_of_means(dxchange, numbered):
    path = dxchange({"/exchange/theta": np.repeat(15.0 * np.arange(6), 2)})
    binned = read_scan(path, bin=2).projections.read()
    pairs = numbered(12, 10).reshape(6, 2, 4, 6).mean(axis=1)
    np.testing.assert_allclose(binned, pairs.reshape(6, 2, 2, 3, 2).sum(axis=(2, 4)))


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("beam", [500.0, 20_000.0])
def test_a_slow_encoder_is_told_from_repeats(tmp_path, times, beam):
    """Frames between which the sample turned are none of one angle, whatever the encoder says."""
    exact = line_integrals(rows=9, columns=96, angles=60)
    for still in (True, False):
        path = write_dxchange(tmp_path / f"{still}.h5")
        with h5py.File(path, "a") as file:
            data = np.repeat(exact[::times], times, axis=0) if still else exact
            del file["exchange/data"], file["exchange/theta"]
            file["exchange/data"] = counts(data, beam)
            file["exchange/theta"] = np.repeat(3.0 * times * np.arange(60 // times), times)
            for name in ("data_white", "data_dark"):
                del file[f"exchange/{name}"]
        frames = read_scan(path).projections.frames
        assert frames.shape[0] == 60 // times
        assert turned_within(frames) is not still
