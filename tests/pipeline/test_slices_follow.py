"""Slices of a given volume that come again, lie elsewhere, or step in brightness are noticed."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter, rotate, shift

import xct
from xct.errors import DataError, RunError
from xct.io.volume_files.blank_blocks import packed
from xct.normalize.given.continuity import slice_moves
from xct.pipeline.given.slice_order import check_order, said_of, slice_means
from xct.pipeline.given.slice_scale import check_scales, slice_levels

LAYERS = ((60, 10), (0.5, 6), (5, 30), (15, 20), (60, 10))  # 1/cm, slices


@pytest.fixture(scope="module")
def volume():
    """Layers of a cell, one of them grains, blurred by half a voxel, with noise."""
    rng = np.random.default_rng(5)
    levels = np.repeat([mu for mu, _ in LAYERS], [n for _, n in LAYERS])
    values = np.broadcast_to(levels[:, None, None], (len(levels), 48, 48)).copy()
    y, x = np.mgrid[:48, :48] - 23.5
    values[:, np.hypot(y, x) > 20] = 1.5  # the wall of the bore
    values[46:66] += np.where(rng.random((20, 48, 48)) < 0.4, 25, -5)
    return (gaussian_filter(values, 0.5) + rng.normal(0, 0.3, values.shape)).astype(np.float32)


def said(values, rows=17):
    notes = {}
    for first in range(0, len(values), rows):
        before = min(first, 1)
        seen = values[first - before : first + rows]
        notes[first] = {
            "means": packed(slice_means(seen[before:])),
            "follows": packed(slice_moves(seen, before)),
        }
    return said_of(check_order(notes).turns_in(values))


def test_a_cell_as_it_was_scanned_is_in_order(volume):
    assert said(volume) == []
    crack = volume.copy()
    crack[30] = 0  # of one slice, through the whole bore
    assert said(gaussian_filter(crack, (0.5, 0, 0))) == []
    lost = volume.copy()
    lost[40:43] = np.nan
    lost[30] = 0
    assert said(lost[:, ::-1]) == []


def test_slices_that_were_sorted_as_text_or_are_of_another_volume_are_refused(volume):
    names = sorted(range(len(volume)), key=str)
    with pytest.raises(DataError, match="sorted as text"):
        said(volume[names])
    foreign = volume.copy()
    foreign[30] = volume[3]
    with pytest.raises(DataError, match="slices 30 are unlike"):
        said(foreign)


def test_slices_that_come_again_are_refused_and_twins_are_not(volume):
    with pytest.raises(DataError, match="slices 40 to 49 are slices 30 to 39 once more"):
        said(np.concatenate([volume[:40], volume[30:]]))
    assert said(np.repeat(volume, 2, axis=0)) == []  # every slice twice is said elsewhere


@pytest.mark.parametrize(("step", "seen"), [(0.008, 0), (0.03, 1), (0.2, 1)])
def test_a_step_within_the_electrolyte_is_said_with_its_size(volume, step, seen):
    factor = np.where(np.arange(len(volume)) < 30, 1, 1 + step).astype(np.float32)
    found = said(volume * factor[:, None, None])
    assert len(found) == seen
    if seen:
        assert "between the slices 29 and 30" in found[0]
        assert float(found[0].split("%")[0].split()[-1]) == pytest.approx(100 * step, abs=1)


def test_a_part_that_is_shifted_and_slices_that_jitter_are_said(volume):
    for pixels in (1, 4):
        moved = np.concatenate([volume[:34], np.roll(volume[34:], pixels, axis=2)])  # at a slab's
        [text] = said(moved)
        assert "slices from 34 on are shifted" in text
        assert "along x" in text
    rng = np.random.default_rng(2)
    shaken = np.array([shift(p, rng.uniform(-0.5, 0.5, 2), order=1) for p in volume])
    assert ["shifted against each other" in text for text in said(shaken)] == [True]
    assert said(volume[:, :, :24]) == []  # half of the bore


def test_a_part_that_is_turned_or_begins_elsewhere_is_said_with_its_angle(volume):
    volume = volume.copy()
    volume[46:66] = gaussian_filter(volume[46:66], 0.6)  # grains of more than a voxel
    turned = np.concatenate([volume[:56], rotate(volume[56:], 12, (1, 2), reshape=False, order=1)])
    [text] = said(turned)
    assert "slices from 56 on do not continue those before" in text
    assert float(text.split("turned by ")[1].split("°")[0]) == pytest.approx(12, abs=0.5)
    [text] = said(np.delete(volume, range(54, 57), axis=0))
    assert "are slices missing there" in text
    reversed_half = np.concatenate([volume[:40], volume[40:][::-1]])
    assert any("all values change at once between the slices 39 and 40" in t
               for t in said(reversed_half))  # fmt: skip


def test_a_run_that_an_earlier_version_began_goes_on(volume, tmp_path, monkeypatch):
    """Its notes of slabs do not hold what is asked of their order."""
    from xct.pipeline.given import copying

    tifffile.imwrite(tmp_path / "v.tif", volume, photometric="minisblack")
    config = {
        "volume": {"file": str(tmp_path / "v.tif"), "voxel_size_um": [2, 2, 2], "energy_kev": 25},
        "pipeline": "analyze",
        "output": str(tmp_path / "out"),
    }
    copied = copying._copy_slab

    def as_before(*arguments):
        block, note = copied(*arguments)
        return block, {k: v for k, v in note.items() if k not in ("means", "follows")}

    with monkeypatch.context() as earlier:
        earlier.setattr(copying, "_copy_slab", as_before)
        with pytest.raises(RunError, match="means"):
            xct.run(config, until="find_cell")
    assert xct.run(config, until="find_cell").cell is not None


def test_copies_of_a_slice_are_refused_and_many_twins_are_not(volume):
    with pytest.raises(DataError, match="slices 40 to 41 are one and the same slice"):
        said(np.insert(volume, 40, volume[40], axis=0))
    with pytest.raises(DataError, match=f"slices {len(volume) - 1} to {len(volume) + 2} are one"):
        said(np.pad(volume, ((0, 3), (0, 0), (0, 0)), mode="edge"))
    assert not any("one and the same" in text for text in said(np.repeat(volume, 2, axis=0)))


def test_a_step_of_grey_values_that_begin_far_from_0_is_said(volume):
    grey = np.concatenate([300 * volume[:31] + 9000, 255 * volume[31:] + 9000])
    assert any("values step by" in text for text in said(grey.astype(np.float32)))
    assert said((300 * volume + 9000).astype(np.float32)) == []


def _matched(values):
    wanted = np.sort(values[20], axis=None)
    out = np.empty_like(values)
    for image, new in zip(values, out, strict=True):
        new.flat[np.argsort(image, axis=None)] = wanted
    return out


def _standard(values):
    mean, sd = (f(values, axis=(1, 2), keepdims=True) for f in (np.mean, np.std))
    return (values - mean) / sd


@pytest.mark.parametrize("each", [_matched, _standard, lambda v: v / _mean(v)])
def test_slices_that_each_have_a_scale_of_their_own_are_refused(volume, each):
    def check(values):
        check_scales({z: {"levels": packed(slice_levels(values[z : z + 17]))} for z in (0, 17, 34)})

    check(volume)
    noise = np.random.default_rng(1).normal(0, 1, (51, 128, 128)).astype(np.float32)
    check(noise + 5)  # of one material
    values = each(volume).astype(np.float32)
    with pytest.raises(DataError, match="each slice was put on a scale of its own"):
        check(values)
    values[3], values[10] = np.nan, 0  # lost, and padding
    with pytest.raises(DataError, match="all slices have one mean"):
        check(values)


def _mean(values):
    return values.mean(axis=(1, 2), keepdims=True)
