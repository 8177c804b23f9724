import os

import h5py
import numpy as np
import pytest

from xct import read_scan
from xct.errors import ScanError
from xct.io.scans.recognize import identity, read_raw


def test_content_counts_not_the_name(dxchange, nxtomo):
    assert read_raw(dxchange(name="scan.nxs")).layout == "dxchange"
    assert read_raw(nxtomo([1, 2, 0, 0], name="scan.dat")).layout == "nxtomo"


def test_the_only_scan_of_a_folder_is_found(tmp_path, dxchange, write):
    path = dxchange()
    write("other.h5", {"/temperature": np.arange(3)})
    (tmp_path / "notes.txt").write_text("a sunny day", encoding="utf-8")
    assert read_raw(tmp_path).files == (path,)
    dxchange(name="second.h5")
    with pytest.raises(ScanError, match=r"2 scans.*scan\.h5.*second\.h5"):
        read_raw(tmp_path)


def test_an_empty_folder_says_what_was_expected(tmp_path):
    with pytest.raises(ScanError, match="holds no scan"):
        read_raw(tmp_path)


def test_a_missing_file_names_its_neighbors(tmp_path, dxchange):
    dxchange(name="cell_0100.h5")
    with pytest.raises(ScanError, match=r"no file.*cell_0010\.h5; did you mean cell_0100\.h5"):
        read_raw(tmp_path / "cell_0010.h5")
    with pytest.raises(ScanError, match="no folder"):
        read_raw(tmp_path / "nowhere/cell_0010.h5")


def test_hdf5_of_no_layout_asks_for_paths(write, numbered):
    path = write("a.h5", {"/frames": numbered(5), "/turn": (np.arange(5.0), "deg")})
    with pytest.raises(ScanError, match=r"neither DXchange.*scan\.paths"):
        read_raw(path)
    scan = read_scan(path, paths={"data": "/frames", "theta_deg": "/turn"})
    np.testing.assert_array_equal(scan.projections.read(), numbered(5))
    np.testing.assert_array_equal(scan.theta_deg, np.arange(5))


def test_a_wrong_path_inside_the_file_is_named(dxchange):
    with pytest.raises(ScanError, match=r"there is no dataset /exchange/dada"):
        read_scan(dxchange(), paths={"data": "/exchange/dada"})
    with pytest.raises(ScanError, match=r"'angles'; expected data, image_key or theta_deg"):
        read_scan(dxchange(), paths={"angles": "/exchange/theta"})


def test_an_empty_file_is_said(tmp_path):
    path = tmp_path / "scan.h5"
    path.touch()
    with pytest.raises(ScanError, match="empty"):
        read_raw(path)


@pytest.fixture
def large(tmp_path):
    """A sparse file of 100 MB."""
    path = tmp_path / "large.h5"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    return path


def changed(path, place):
    with path.open("r+b") as file:
        file.seek(place, os.SEEK_END if place < 0 else os.SEEK_SET)
        file.write(b"x")


@pytest.mark.parametrize("place", [0, 65_000, -1, -65_000])
def test_identity_sees_changes_at_both_ends_of_a_large_file(large, place):
    before = identity([large])
    assert identity([large]) == before
    changed(large, place)
    assert identity([large]) != before


def test_identity_sees_any_change_of_a_small_file_but_not_its_name(tmp_path):
    small = tmp_path / "small.h5"
    small.write_bytes(bytes(100_000))
    seen = {identity([small])}
    changed(small, 54_321)
    seen.add(identity([small]))
    os.truncate(small, 99_999)
    seen.add(identity([small]))
    assert len(seen) == 3
    assert identity([small.rename(tmp_path / "renamed.h5")]) in seen, "a scan may be moved"


def test_identity_does_not_depend_on_order(large, tmp_path):
    other = tmp_path / "a.h5"
    other.write_bytes(b"abc")
    assert identity([large, other]) == identity([other, large, other])


def test_identity_of_a_large_stack_reads_some_files_but_knows_all(tmp_path, monkeypatch):
    monkeypatch.setattr("xct.io.scans.recognize._MANY_BYTES", 1000)
    files = [tmp_path / f"{number:03}.tif" for number in range(129)]
    for file in files:
        file.write_bytes(bytes(100))
    seen = {identity(files)}
    for file in (files[0], files[-1]):
        changed(file, 50)
        seen.add(identity(files))
    os.truncate(files[1], 99)
    seen.update((identity(files), identity(files[:50] + files[51:])))
    assert len(seen) == 5


def test_a_damaged_link_elsewhere_does_not_hurt(dxchange):
    path = dxchange({"/measurement": h5py.ExternalLink("gone.h5", "/measurement")})
    assert read_scan(path).pixel_size_um is None
