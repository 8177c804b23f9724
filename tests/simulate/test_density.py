"""κ goes by the electrolyte's density, where grey values tell it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.simulate.exact import slab
from xct.errors import XctError
from xct.geometry import GreyScale, Label
from xct.simulate.block.block import _kappa
from xct.simulate.block.reading import Block
from xct.simulate.case import solve_case
from xct.simulate.geometry.density import (
    density_at,
    density_note,
    known_density,
    relative_density,
)
from xct.simulate.geometry.domain import Material
from xct.simulate.geometry.plane import with_density
from xct.simulate.settings import SimulateSection


def test_a_mean_of_the_electrolyte_alone_finds_its_density_through_the_noise():
    """Two halves of another density, and a slab of something dense between them."""
    rng = np.random.default_rng(3)
    shape, voxel = (40, 30, 30), (2.0, 2.0, 2.0)
    true = np.where(np.arange(40) < 18, 0.9, 1.05)[:, None, None] * np.ones(shape)
    electrolyte = np.ones(shape, bool)
    electrolyte[17:21] = False
    ratio = true + rng.normal(0, 0.25, shape)
    ratio[15:23] += np.where(electrolyte[15:23], 0.5, 17.0)  # blurred into its neighbors
    found = relative_density(ratio, electrolyte, voxel)
    assert np.nanmean(found[:8]) == pytest.approx(0.9, abs=0.01)
    assert np.nanmean(found[32:]) == pytest.approx(1.05, abs=0.01)
    assert np.nanstd(found[:8]) < 0.03
    alone = relative_density(ratio, electrolyte & (np.arange(40) < 2)[:, None, None], voxel)
    assert np.isnan(alone[20:]).all()


def test_a_part_has_the_density_that_it_has_in_the_whole():
    """Whatever is read at once: what lies around counts, too."""
    rng = np.random.default_rng(4)
    labels = np.full((30, 24, 26), Label.ELECTROLYTE, np.uint8)
    labels[:5], labels[12:15, 8:12, 8:12] = Label.LITHIUM, Label.ACTIVE_MATERIAL
    scale = GreyScale()
    result = SimpleNamespace(
        cell=SimpleNamespace(voxel_size_um=(4.0, 4.0, 4.0), shape=labels.shape),
        grey_values=scale.grey_value(1 + rng.normal(0, 0.2, labels.shape)).astype(np.float32),
        labels=lambda name: labels,
        grey_scale=scale,
        path="result",
    )
    whole = density_at(result, (slice(0, 30), slice(0, 24), slice(0, 26)))
    part = density_at(result, (slice(7, 11), slice(3, 24), slice(10, 11)))
    assert np.allclose(part, whole[7:11, 3:24, 10:11], atol=1e-5, equal_nan=True)


def test_a_result_without_grey_values_is_said():
    class Bare:
        cell = SimpleNamespace(voxel_size_um=(4.0,) * 3, shape=(9, 9, 9))
        path = "result"

        @property
        def grey_values(self):
            raise XctError("there is no reference")

    with pytest.raises(XctError, match="density_exponent: result has no normalized grey values"):
        density_at(Bare(), (slice(0, 3),) * 3)


def test_layers_of_another_density_lose_what_bruggeman_says():
    domain = slab(48.0, 32.0, lithium_um=40.0, particle_um=8.0)
    layered = replace(domain, density=lambda p: np.where(p[:, 1] < 24, 0.8, 1.1))
    wanted = SimulateSection(ideal={}, electrolyte={"conductivity_s_m": 0.3})
    by_density = wanted.electrolyte.model_copy(update={"density_exponent": 1.5})
    drops = [
        solve_case(layered, frozenset(), settings, 8.0, 8.0).conduction.cathode_v
        for settings in (wanted, wanted.model_copy(update={"electrolyte": by_density}))
    ]
    assert drops[0] == pytest.approx(100 * 32e-6 / 0.3, rel=1e-9)
    assert drops[1] == pytest.approx(100 * 16e-6 / 0.3 * (0.8**-1.5 + 1.1**-1.5), rel=1e-9)
    material = np.zeros((4, 4, 4), np.uint8)
    density = np.where(np.arange(4)[:, None, None] < 2, 0.8, np.nan) * np.ones((4, 4, 4))
    block = Block(material, material, (1.0,) * 3, (0.0,) * 3, 2, 1, density)
    settings = wanted.model_copy(update={"electrolyte": by_density})
    assert _kappa(block, settings)[:, 0, 0] == pytest.approx([0.3 * 0.8**1.5] * 2 + [0.3] * 2)
    coarse = block.coarser(2)
    assert coarse.density[:, 0, 0] == pytest.approx([0.8, np.nan], nan_ok=True)


def test_where_the_density_is_not_known_that_is_said_and_it_is_that_of_the_reference():
    assert known_density(np.array([np.nan, 0.9, -0.1])) == pytest.approx([1, 0.9, 0.05])
    assert density_note("separator", np.array([1.0, 1.0, np.nan])) == []
    [note] = density_note("composite", np.array([1.0, np.nan, np.nan]))
    assert "the density of 67% of the electrolyte in the composite is not known" in note
    labels = np.full((6, 4), Label.ELECTROLYTE, np.uint8)
    values = np.where(np.arange(6)[:, None] < 3, np.nan, 0.9) * np.ones((6, 4))
    domain = replace(slab(48.0, 32.0, lithium_um=40.0, particle_um=8.0), composite_um=24.0)
    found = with_density(domain, values, labels)
    assert found.density(np.array([[16.0, 4.0], [16.0, 44.0]])) == pytest.approx([1, 0.9])
    assert len(found.notes) == 1
    assert Material.LITHIUM in dict(found.levels)
