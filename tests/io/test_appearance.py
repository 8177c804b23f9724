"""Counts, transmission and line integrals are told by what they look like."""

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

from xct.io.appearance import appearance
from xct.io.frames import View
from xct.phantom.discs import project_discs

THETA = np.linspace(0, 180, 12)
COLUMNS = 160


class InMemory:
    """Frames that are there already."""

    whole_frames = False

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape, self.dtype = self.values.shape, self.values.dtype

    def read(self, frames, rows, columns):
        return self.values[frames][:, rows, columns]


def judged(values):
    frames, rows, columns = values.shape
    view = View(InMemory(values), np.arange(frames), (0, rows), (0, columns))
    return appearance(view).judged()


def transmission(strength, radius, seed, beam=20_000.0):
    """A disc with a denser one in it, with photon noise and flats that are off by 1 %."""
    rng = np.random.default_rng(seed)
    discs = np.array([[2.0, 1, radius, strength], [10, 5, 8, 5 * strength]])
    p = project_discs(discs, THETA, COLUMNS, 78.3)[:, None].repeat(3, 1)
    return rng.poisson(beam * np.exp(-p)) / beam * (1 + rng.normal(0, 0.01))


# 0.15 to 9 along the longest way; narrow, and nearly as wide as the view.
@pytest.mark.parametrize("strength", [0.001, 0.006, 0.05])
@pytest.mark.parametrize("radius", [30, 68])
@pytest.mark.parametrize("seed", range(3))
def test_air_beside_the_sample_tells_for_sure(strength, radius, seed):
    values = transmission(strength, radius, seed)
    assert judged(values) == ("transmission", True)
    assert judged(-np.log(np.maximum(values, 1e-5))) == ("line_integrals", True)
    assert judged(1000 + np.rint(20_000 * values))[0] == "counts"
    assert judged(300 + 20_000 * values * 1.01) == ("counts", True)


def test_without_air_nothing_is_said_for_sure_but_what_is_impossible():
    inside = transmission(0.004, 70, 0)[..., 50:110]
    quantity, sure = judged(inside)
    assert (quantity in (None, "transmission"), sure) == (True, False)
    quantity, sure = judged(-np.log(inside))
    assert (quantity in (None, "line_integrals"), sure) == (True, False)
    dense = -np.log(transmission(0.02, 70, 0)[..., 50:110])
    assert dense.min() > 1.5
    assert judged(dense) == ("line_integrals", True)


def test_few_photons_are_counts():
    assert judged(np.random.default_rng(0).poisson(4.0, (5, 6, 40)))[0] == "counts"


def test_frames_without_values_are_not_judged():
    frames = InMemory(np.full((3, 4, 20), np.nan))
    assert appearance(View(frames, np.arange(3), (0, 4), (0, 20))) is None


@pytest.fixture
def measured(test_data):
    """Give transmission of real data that did not serve to choose the limits."""

    def make(name):
        if name == "tooth":
            with h5py.File(test_data("aps_tooth/tooth.h5")) as file:
                counts, flats, darks = (
                    file["exchange"][part][()] for part in ("data", "data_white", "data_dark")
                )
            return (counts - darks.mean(0)) / (flats.mean(0) - darks.mean(0))
        if name == "diamond, 26 columns":
            with h5py.File(test_data("dls_k11_18014/k11-18014.nxs")) as file:
                keys = file["/entry/instrument/imaging/image_key"][()]
                counts = file["/entry/imaging/data"][()].astype(float)
            darks = counts[keys == 2].mean(0)
            return (counts[keys == 0] - darks) / (counts[keys == 1].mean(0) - darks)
        if name == "dendrites":
            path = test_data("dls_dendrite_sino/RealDataDend.mat")
            return np.exp(-scipy.io.loadmat(path)["sinoRD"].T[:, None] / 1000)
        path = test_data("neutron_360_sino/sinogram_360_neutron_image.tif")
        counts = tifffile.imread(path).astype(float)[:, None]
        return counts / counts[..., :30].mean(axis=-1, keepdims=True)

    return make


@pytest.mark.parametrize("name", ["tooth", "diamond, 26 columns", "dendrites", "neutrons"])
def test_measured_data_are_told(measured, name):
    values = measured(name)
    assert judged(values)[0] == "transmission"
    assert judged(-np.log(np.maximum(values, 1e-4)))[0] == "line_integrals"
