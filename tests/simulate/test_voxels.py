"""Voxels that conduct, against exact answers."""

import sys

import numpy as np
import pytest

from xct.errors import XctError
from xct.simulate.block.block import _composite
from xct.simulate.block.reading import Block, with_flat_lithium
from xct.simulate.block.smooth import smooth_conductivity
from xct.simulate.block.voxels import current_density, effective_conductivity, flow
from xct.simulate.geometry.domain import Material
from xct.simulate.settings import load_settings

SHAPE = (20, 12, 16)


def test_laminates_conduct_as_in_series_and_in_parallel():
    layers = np.where(np.arange(SHAPE[0]) % 4 < 2, 1.0, 0.1)
    kappa = np.broadcast_to(layers[:, None, None], SHAPE)
    whole = np.ones(SHAPE, bool)
    series = effective_conductivity(whole, (2.0, 1.0, 1.0), kappa)
    assert series.ratio == pytest.approx(1 / np.mean(1 / layers), rel=1e-8)
    rows = np.where(np.arange(SHAPE[2]) % 8 < 3, 1.0, 0.1)
    parallel = effective_conductivity(whole, kappa=np.broadcast_to(rows, SHAPE))
    assert parallel.ratio == pytest.approx(rows.mean(), rel=1e-8)


def test_straight_channels_have_no_tortuosity_and_dead_ends_do_not_count():
    channels = np.zeros(SHAPE, bool)
    channels[:, 2:6] = True
    channels[3:5, 6:9, 4] = True  # a dead end
    channels[9, 11, 15] = True  # an island
    found = effective_conductivity(channels)
    assert found.ratio == pytest.approx(4 / 12, rel=0.01)
    assert found.left_out == pytest.approx(1 / channels.sum())


def test_a_bent_channel_is_as_long_as_it_is():
    """Down, across, down: n − 1 steps between middles, and half a step at each end."""
    path = np.zeros((11, 3, 11), bool)
    path[:6, 1, 0], path[5, 1, :], path[5:, 1, 10] = True, True, True
    found = effective_conductivity(path)
    steps = 5 + 10 + 5 + 1
    assert found.ratio == pytest.approx((1 / steps) * 11 / 33, rel=1e-8)


def test_mirrors_and_turns_conduct_alike():
    rng = np.random.default_rng(3)
    volume = rng.random((14, 14, 14)) < 0.75
    one = effective_conductivity(volume).ratio
    assert effective_conductivity(volume[::-1]).ratio == pytest.approx(one, rel=1e-7)
    assert effective_conductivity(volume.swapaxes(1, 2)).ratio == pytest.approx(one, rel=1e-7)


def test_what_goes_in_comes_out():
    rng = np.random.default_rng(4)
    conducts = rng.random((24, 20, 20)) < 0.7
    sink, source = np.zeros_like(conducts), np.zeros_like(conducts)
    sink[:2], source[-3:] = True, True
    found = flow(conducts & ~sink & ~source, sink, source, 0.3, (1.5, 1.0, 1.0))
    assert found.into_sink_a.sum() == pytest.approx(found.from_source_a, rel=1e-9)
    current = current_density(found.potential_v, ((sink, 0.0), (source, 1.0)), 0.3, (1.5, 1.0, 1.0))
    through = np.nansum(current[0, 3:-4], axis=(1, 2)) * 1e-12  # each voxel is 1 µm wide
    assert through == pytest.approx(-found.from_source_a, rel=1e-8)
    assert np.isnan(current[:, ~np.isfinite(found.potential_v)]).all()


def test_no_way_through_is_said():
    blocked = np.ones(SHAPE, bool)
    blocked[10] = False
    with pytest.raises(XctError, match="no way through the electrolyte"):
        effective_conductivity(blocked)


def test_without_pyamg_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyamg", None)
    with pytest.raises(ImportError, match=r"pip install 'xct\[simulate\]'"):
        effective_conductivity(np.ones((4, 4, 4), bool))


def test_coarser_voxels_are_of_what_fills_most_of_them():
    material = np.full((4, 4, 4), Material.ELECTROLYTE, np.uint8)
    material[:2, :2, 2:] = Material.PARTICLE
    material[2:, 2:, :1] = Material.VOID
    block = Block(material, np.zeros((4, 4, 4), int), (1.0,) * 3, (9.0, 0.0, 0.0), 2, -1).coarser(2)
    assert block.material[0, 0, 1] == Material.PARTICLE
    assert (block.material == Material.PARTICLE).sum() == 1
    assert block.voxel_um == (2.0, 2.0, 2.0)
    assert block.first_um == (8.5, 0.5, 0.5)
    assert block.composite == 1


def test_a_tortuosity_below_1_is_left_out_and_said():
    """Grains of one voxel: what is smoothed away is no obstacle any more."""
    conducts = np.random.default_rng(0).random((7, 30, 30)) < 0.84
    assert conducts.mean() / smooth_conductivity(conducts) < 1
    none = np.zeros(conducts.shape, int)
    block = Block(none.astype(np.uint8), none, (10.0,) * 3, (0.0,) * 3, 0)
    wanted, warnings = load_settings({"simulate": {"block": {"result": "x"}}}).simulate, []
    numbers = _composite(conducts, block, wanted, warnings)
    assert numbers["composite_tortuosity"].value > 1
    assert "composite_tortuosity_smooth" not in numbers
    assert "less than 1, as particles are hardly larger than a voxel of 10 µm" in warnings[0]


@pytest.mark.parametrize("sign", [1, -1])
def test_flat_lithium_ends_at_the_height_of_its_face_and_electrolyte_fills_what_was_beyond(sign):
    material = np.full((8, 3, 3), Material.ELECTROLYTE, np.uint8)
    material[0], material[1:3] = Material.STEEL, Material.LITHIUM
    material[3:5, 0] = Material.LITHIUM
    material[2, 2, 2], material[6:] = Material.VOID, Material.PARTICLE
    block = Block(material, (material == Material.PARTICLE) * 7, (2.0,) * 3, (50.0, 0, 0), 6, sign)
    # Faces of voxels lie 1 µm from their middles: 3 planes end at 50 + 5.
    flat = with_flat_lithium(block, 50.0 + sign * 5.2)
    assert (flat.material[0] == Material.STEEL).all()
    assert (flat.material[1:3] == Material.LITHIUM).all()
    assert (flat.material[3:6] == Material.ELECTROLYTE).all()
    assert (flat.particle[6:] == 7).all()
    assert material[3, 0, 0] == Material.LITHIUM  # the block as it was measured stays
