"""The raw scan of the study of full size: layers in their order, neighbours next to each other."""

import json

import h5py
import numpy as np
import pytest

import xct
from studies.full_size.__main__ import summary
from studies.full_size.raw import Size, _integrals, _write_frames, row_numbers

BOUNDARIES = [7.2, 19.0, 59.0, 83.0, 89.0]  # of 96 rows that are drawn


@pytest.mark.parametrize("rows", [24, 96, 250, 961, 1920])
def test_every_layer_is_there_in_its_order(rows):
    numbers = row_numbers(BOUNDARIES, 96, rows)
    assert len(numbers) == rows
    ends = [0, *(round(one) for one in BOUNDARIES), 96]
    layer = np.searchsorted(ends, numbers, "right")
    assert (np.diff(layer) >= 0).all()
    assert set(layer) == {1, 2, 3, 4, 5, 6}
    if rows >= 200:
        assert np.abs(np.diff(numbers)).max() == 1
        assert set(numbers) == set(range(96))


class Cell:
    """Six layers of steel and air, of as many rows as are drawn."""

    voxel_um = 1.3

    class layout:
        heights_um = tuple(1.3 * end for end in (4, 8, 16, 22, 26))

    def mu(self, first, stop):
        values = np.zeros((stop - first, 32, 32), np.float32)
        values[:, 8:24, 8:24] = np.arange(first, stop, dtype=np.float32)[:, None, None] + 1
        return values


def test_a_scan_that_was_interrupted_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    size = Size(60, 32, 120, drawn=32)
    integrals = _integrals(tmp_path, size, Cell())
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    _write_frames(tmp_path / "whole" / "scan.h5", size, Cell(), integrals)
    file = tmp_path / "stopped" / "scan.h5"

    def end(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", end)  # behind the first frames
        with pytest.raises(KeyboardInterrupt):
            _write_frames(file, size, Cell(), integrals)
    _write_frames(file, size, Cell(), integrals)
    with h5py.File(file) as one, h5py.File(tmp_path / "whole" / "scan.h5") as other:
        assert one["exchange/data"].chunks is None
        for name in ("data", "data_white", "data_dark", "theta"):
            assert (one[f"exchange/{name}"][:] == other[f"exchange/{name}"][:]).all()
    scan = xct.read_scan(file)
    assert scan.projections.shape == (120, 60, 32)
    truth = json.loads((file.parent / "truth.json").read_text(encoding="utf-8"))
    assert list(truth.values()) == sorted(truth.values())


def test_what_was_foretold_stands_beside_what_was_taken():
    took = {"slices_s": 30.0, "all_s": 60.0, "peak_gib": 1.0, "disk_gib": 2.0}
    one = {**took, "expected": {name: value / 2 for name, value in took.items()}}
    found = {24: {**one, "processor_s": 50.0, "kills": 1, "seconds": {"slabs": 30.0}}}
    heads, _, line, *rest = summary(found).splitlines()
    assert heads.split()[:5] == ["rows", "processor_s", "slices_s", "expected", "×"]
    assert [float(word) for word in line.split()[:5]] == [24, 50, 30, 15, 2]
    assert rest[-1].split() == ["slabs", "30"]
