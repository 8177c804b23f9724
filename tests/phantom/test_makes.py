"""The other make: what it differs in, and that its truth is true."""

import numpy as np
import pytest

from xct.geometry import Label
from xct.phantom.cell.bodies import _by_rays, _of_caps, facet_library
from xct.phantom.cell.cell import draw_cell
from xct.phantom.cell.interfaces import Bend
from xct.phantom.cell.makes import MAKES
from xct.phantom.truth.tables import tables_of

SHAPE = (96, 112, 112)


@pytest.fixture(scope="module")
def cell():
    return draw_cell("ncm-50-filaments", shape=SHAPE, seed=1, make="scattered")


@pytest.fixture(scope="module")
def slab(cell):
    return cell.slab(0, SHAPE[0])


def test_scattered_particles_keep_their_volume_and_do_not_overlap(cell, slab):
    table = tables_of(cell)["particles"]
    voxels = np.bincount(slab.particles.ravel(), minlength=len(table) + 1)[1:]
    large = (table["equivalent_diameter_um"] > 9) & ~table["touches_border"]
    ratio = 8 * voxels[large] / table["volume_um3"][large]
    assert large.sum() > 50
    assert ratio.median() == pytest.approx(1.03, abs=0.05)
    assert ratio.min() > 0.75


def test_scattered_particles_lie_between_the_faces_of_the_cathode(cell):
    bodies, faces = cell.contents.bodies, cell.interfaces.faces
    attached = ~cell.contents.facts["released"]
    row, column = np.rint(bodies.center[attached, 1:] / 2).astype(int).T
    assert (bodies.center[attached, 0] > faces[3][row, column]).all()
    assert (bodies.center[attached, 0] < faces[4][row, column]).all()


def test_filaments_touch_what_the_truth_says(cell, slab):
    table = tables_of(cell)["inclusions"]
    wires = table[table["kind"] == "filament"]
    assert list(wires["class"]) == ["bridging", "at_lithium", "enclosed"]
    assert (wires["tortuosity"] >= 1).all()
    for row in wires.to_dict("records"):
        at = np.argwhere(slab.inclusions == row["inclusion"])
        assert len(at) * 8 == pytest.approx(row["volume_um3"], rel=0.35)
        grown = slab.labels[tuple(np.maximum(at - (1, 0, 0), 0).T)]
        assert (grown == Label.LITHIUM).any() == (row["class"] != "enclosed")


def test_faces_are_bent_by_what_was_asked_for(cell):
    layout = cell.layout
    bent = Bend(4.0, 3.0, 0.0).over(layout)
    y, x = (round(middle / 2) for middle in layout.middle_axis)
    reach = int(layout.bore_radius_um / 2)
    assert bent[y, x] - (bent[y - reach, x] + bent[y + reach, x]) / 2 == pytest.approx(4, abs=0.3)
    assert (bent[y, x + reach] - bent[y, x - reach]) / 2 == pytest.approx(3, abs=0.2)
    assert not Bend().over(layout).any()


def test_volumes_of_facetted_shapes_by_rays_are_those_by_caps():
    exact = facet_library()
    for one, other in zip(_by_rays(exact.planes), _of_caps(exact.planes), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3)


def test_fractal_pores_fill_as_much_and_lie_in_clusters():
    made = [draw_cell("ncm-0", shape=SHAPE, seed=2, make=make) for make in sorted(MAKES)]
    low, high = 60.0, 130.0
    even, fractal = (cell.pores[0].between(low, high, cell.layout, cell.seed) for cell in made)
    volume = [np.sum(pores[:, 3].astype(float) ** 3) for pores in (even, fractal)]
    assert volume[1] == pytest.approx(volume[0], rel=0.4)

    def clumping(pores):
        """Variance of counts in cubes over their mean: 1 by chance."""
        count, _ = np.histogramdd(pores[:, :3], bins=(2, 8, 8))
        inner = count[:, 2:6, 2:6]
        return inner.var() / inner.mean()

    assert clumping(fractal) > 2 * clumping(even)


def test_an_unknown_make_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"make = 'other'.*pressed, scattered"):
        draw_cell("ncm-0", shape=SHAPE, make="other")


def test_too_many_scattered_particles_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"no place was found.*smaller volume fraction"):
        draw_cell("ncm-0", shape=(64, 64, 64), make="scattered", ncm_fraction=0.75)
