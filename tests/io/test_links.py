import resource
from pathlib import Path

import h5py
import numpy as np
import pytest

from xct import read_scan
from xct.errors import ScanError


@pytest.fixture
def outside(write, tmp_path, numbered):
    """A file beside the scan's folder, which links may not reach unless they are allowed to."""
    (tmp_path / "scan").mkdir()
    return write("outside.h5", {"/data": numbered(12), "/energy": 20.0})


ESCAPES = {
    "relative": "../outside.h5",
    "by way of a folder": "inner/../../outside.h5",
    "absolute": None,
    "symbolic link": "innocent.h5",
}


@pytest.mark.parametrize("way", ESCAPES)
@pytest.mark.parametrize("kind", ["external link", "virtual dataset"])
def test_links_may_not_lead_out_of_the_folder(tmp_path, write, outside, numbered, way, kind):
    (tmp_path / "scan/inner").mkdir()
    (tmp_path / "scan/innocent.h5").symlink_to(outside)
    name = ESCAPES[way] or str(outside)
    path = tmp_path / "scan/scan.h5"
    with h5py.File(path, "w") as file:
        if kind == "external link":
            file["/exchange/data"] = h5py.ExternalLink(name, "/data")
        else:
            layout = h5py.VirtualLayout((12, 4, 6), "u2")
            layout[:] = h5py.VirtualSource(name, "/data", (12, 4, 6))
            file.create_virtual_dataset("/exchange/data", layout)
    with pytest.raises(
        ScanError, match=r"/exchange/data.*outside of the scan's folder.*links_below"
    ):
        read_scan(path)
    scan = read_scan(path, links_below=tmp_path)
    np.testing.assert_array_equal(scan.projections.read(), numbered(12))
    assert outside.resolve() in [file.resolve() for file in scan.files]


def test_a_source_of_a_source_may_not_lead_out_either(tmp_path, write, outside):
    write("scan/middle.h5", {"/data": h5py.ExternalLink(str(outside), "/data")})
    path = tmp_path / "scan/scan.h5"
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((12, 4, 6), "u2")
        layout[:] = h5py.VirtualSource("middle.h5", "/data", (12, 4, 6))
        file.create_virtual_dataset("/exchange/data", layout)
    with pytest.raises(ScanError, match="outside of the scan's folder"):
        read_scan(path)


def test_a_fact_behind_a_forbidden_link_is_left_out_and_said(write, outside, numbered):
    energy = "/measurement/instrument/monochromator/energy"
    path = write(
        "scan/scan.h5",
        {"/exchange/data": numbered(12), energy: h5py.ExternalLink(str(outside), "/energy")},
    )
    scan = read_scan(path)
    assert scan.energy_kev is None
    assert any("links_below" in note for note in scan.notes)


def test_values_in_a_raw_file_are_refused(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("/exchange/data", (2, 4, 6), "u2", external=[("/etc/passwd", 0, 96)])
    with pytest.raises(ScanError, match=r"raw file.*/etc/passwd"):
        read_scan(path)


def test_a_missing_part_of_a_virtual_dataset_is_refused(tmp_path, write, numbered):
    write("0.h5", {"/data": numbered(6)})
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((12, 4, 6), "u2")
        for part in (0, 1):
            source = h5py.VirtualSource(f"{part}.h5", "/data", (6, 4, 6))
            layout[6 * part : 6 * part + 6] = source
        file.create_virtual_dataset("/exchange/data", layout)
    with pytest.raises(ScanError, match=r"1\.h5.*missing"):
        read_scan(path)
    write("1.h5", {"/data": numbered(6, 6)})
    np.testing.assert_array_equal(read_scan(path).projections.read(), numbered(12))


def test_a_virtual_dataset_may_have_more_parts_than_files_can_be_open(tmp_path, write, numbered):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((80, 4, 6), "u2")
        for part in range(80):
            source = write(f"{part}.h5", {"/data": numbered(1, part)})
            layout[part] = h5py.VirtualSource(source.name, "/data", (1, 4, 6))[0]
        file.create_virtual_dataset("/exchange/data", layout)
    open_now = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 20, limits[1]))
    try:
        scan = read_scan(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(scan.files) == 81
    np.testing.assert_array_equal(scan.projections.read(slice(0, 5)), numbered(5))


def test_a_link_that_frames_need_says_where_it_leads(write):
    path = write("scan.h5", {"/exchange/data": h5py.ExternalLink("gone.h5", "/data")})
    with pytest.raises(ScanError, match=r"/exchange/data cannot be read.*gone\.h5.*missing"):
        read_scan(path)
    path = write("soft.h5", {"/exchange/data": h5py.SoftLink("/nowhere")})
    with pytest.raises(ScanError, match=r"/exchange/data cannot be read.*/nowhere"):
        read_scan(path)


def test_links_in_a_circle_come_to_an_end(write):
    path = write("scan.h5", {"/exchange/data": h5py.SoftLink("/exchange/data")})
    with pytest.raises(ScanError, match="links follow each other"):
        read_scan(path)


def test_a_scan_that_is_itself_a_symbolic_link_is_read(tmp_path, write, numbered):
    (tmp_path / "archive").mkdir()
    write("archive/frames.h5", {"/data": numbered(12)})
    real = write("archive/scan.h5", {"/exchange/data": h5py.ExternalLink("frames.h5", "/data")})
    (tmp_path / "here").mkdir()
    (tmp_path / "here/scan.h5").symlink_to(real)
    np.testing.assert_array_equal(
        read_scan(tmp_path / "here/scan.h5").projections.read(), numbered(12)
    )
