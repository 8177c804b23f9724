"""Numbers read in the wrong byte order, or without their sign, are refused; noisy ones are not."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xct.io.volume_files.volume import ForeignVolume
from xct.pipeline.checks.misread import misread, roughness

STAGES = ["electrolyte_reference"]


def cell(noise, seed=0):
    """Electrolyte at 5, lithium at 0.5, grains at 30, steel at 110 1/cm; blurred, with noise."""
    rng = np.random.default_rng(seed)
    values = np.full((7, 64, 64), 5.0)
    values[1:3], values[6] = 0.5, 110
    values[4:6] = np.where(gaussian_filter(rng.normal(size=(2, 64, 64)), (0, 3, 3)) > 0, 30, 5)
    return gaussian_filter(values, 0.7) + rng.normal(0, noise, values.shape)


def said(values):
    volume = ForeignVolume(values, (2.0, 2.0, 2.0), (Path("v.raw"),), "raw values")
    return misread(volume, "v.raw", STAGES)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("dtype", "scale"), [("f4", 1), ("f8", 1), ("u2", 300), ("i2", 100), ("u4", 1e6)]
)
def test_swapped_bytes_are_seen(dtype, scale, seed):
    offset = 4000 if dtype == "u2" else 10_000_000 if dtype == "u4" else 0
    values = (scale * cell(0.8, seed) + offset).astype(dtype)
    assert said(values) == []
    [text] = said(values.byteswap())
    assert "big_endian: true" in text


@pytest.mark.parametrize("seed", [0, 1])
def test_a_lost_sign_is_seen(seed):
    values = np.rint(100 * cell(0.8, seed)).astype("i2")
    [text] = said(values.view("u2"))
    assert "save it as int16" in text


@pytest.mark.parametrize("seed", [0, 1])
def test_sixteen_bits_cut_to_their_last_byte_are_seen_and_windows_are_not(seed):
    values = cell(0.8, seed)
    wide = np.rint((values + 25) / 150 * 4095)
    [text] = said((wide % 256).astype("u1"))
    assert "cut to their last byte" in text
    for low, high in ((-25, 125), (-8, 70), (0, 30)):
        assert said(np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype("u1")) == []


@pytest.mark.parametrize("noise", [0.0, 0.8, 4.0, 40.0])
@pytest.mark.parametrize("seed", [2, 3])
def test_what_is_read_rightly_is_let_pass_whatever_its_noise(noise, seed):
    values = cell(noise, seed)
    low, high = values.min(), values.max()
    full = np.rint((values - low) / (high - low) * 65535)
    for right in (values.astype("f4"), full.astype("u2"), (full - 32768).astype("i2")):
        assert said(right) == []
    assert said(full.astype("u2").astype("f4")) == []


def test_other_recipes_take_what_there_is():
    values = cell(0.8).astype("f4").byteswap()
    volume = ForeignVolume(values, (2.0, 2.0, 2.0), (Path("v.raw"),), "raw values")
    assert misread(volume, "v.raw", ["phases"]) == []


def test_roughness_is_a_third_of_noise_and_none_of_a_constant():
    assert roughness(np.random.default_rng(0).random((50, 400))) == pytest.approx(1 / 3, abs=0.01)
    assert roughness(np.ones((5, 40))) == 0
