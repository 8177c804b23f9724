import os
import pickle
import shutil

import h5py
import hdf5plugin
import numpy as np
import pytest

from xct import read_scan
from xct.errors import ScanError
from xct.io.hdf5.files import open_hdf5
from xct.io.hdf5.source import Source
from xct.io.scans.raw import Request


def frames_of(path, dataset="/exchange/data"):
    with Source(path, Request()) as source:
        return source.frames(dataset)


@pytest.fixture
def stack(tmp_path, numbered):
    """Write one dataset with h5py's options; give its frames."""

    def make(values=None, **options):
        path = tmp_path / "stack.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("/exchange/data", data=values, **options)
        return frames_of(path)

    return make


@pytest.mark.parametrize(
    "chosen",
    [slice(None), slice(2, 9), slice(1, 10, 3), np.array([0]), np.array([1, 2, 3, 7, 8, 10])],
)
@pytest.mark.parametrize("options", [{}, {"chunks": (4, 2, 6), "compression": "gzip"}])
def test_any_frames_rows_and_columns_are_read(stack, numbered, chosen, options):
    frames = stack(numbered(11), **options)
    found = frames.read(chosen, slice(1, 3), slice(2, 6))
    np.testing.assert_array_equal(found, numbered(11)[chosen, 1:3, 2:6])
    assert frames.read(slice(3, 3), slice(0, 4), slice(0, 6)).shape == (0, 4, 6)


@pytest.mark.parametrize(
    "filter", [hdf5plugin.Blosc(), hdf5plugin.Bitshuffle(), hdf5plugin.LZ4(), hdf5plugin.Zstd()]
)
def test_compression_plugins_work(stack, numbered, filter):
    frames = stack(numbered(11), chunks=(1, 4, 6), compression=filter)
    np.testing.assert_array_equal(
        frames.read(slice(2, 5), slice(0, 4), slice(0, 6)), numbered(11)[2:5]
    )


@pytest.mark.parametrize(
    ("options", "whole"),
    [
        ({}, False),
        ({"chunks": (1, 64, 8)}, False),
        ({"chunks": (1, 64, 8), "compression": "gzip"}, True),
        ({"chunks": (4, 16, 8), "compression": "gzip"}, True),
        ({"chunks": (16, 4, 8), "compression": "gzip"}, False),
    ],
)
def test_frames_count_as_whole_where_a_few_rows_cost_as_much(stack, options, whole):
    assert stack(np.zeros((16, 64, 8), np.uint16), **options).whole_frames is whole


@pytest.mark.parametrize("dtype", [">u2", ">i4", ">f4", "<f8", "i1", "u1"])
def test_values_come_in_the_byte_order_of_this_machine(stack, numbered, dtype):
    values = (numbered(3) % 100).astype(dtype)
    frames = stack(values)
    found = frames.read(slice(0, 3), slice(0, 4), slice(0, 6))
    assert found.dtype == frames.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, values)


def test_frames_can_be_pickled(stack, numbered):
    frames = pickle.loads(pickle.dumps(stack(numbered(2))))
    np.testing.assert_array_equal(frames.read(slice(0, 2), slice(0, 4), slice(0, 6)), numbered(2))


def test_a_truncated_file_names_both_sizes(dxchange):
    path = dxchange()
    whole = path.stat().st_size
    os.truncate(path, whole - 100)
    with pytest.raises(ScanError, match=rf"scan\.h5.*truncated.*{whole - 100:,}.*{whole:,}"):
        read_scan(path)


def test_a_truncated_file_behind_a_link_is_named(write, numbered):
    other = write("frames.h5", {"/data": numbered(12)})
    path = write("scan.h5", {"/exchange/data": h5py.ExternalLink("frames.h5", "/data")})
    os.truncate(other, other.stat().st_size - 50)
    with pytest.raises(ScanError, match=r"frames\.h5.*truncated"):
        read_scan(path)


def test_a_file_of_another_kind_is_said(tmp_path):
    path = tmp_path / "scan.h5"
    path.write_bytes(b"not HDF5 at all")
    with pytest.raises(ScanError, match=r"scan\.h5.*not HDF5"):
        open_hdf5(path)
    with pytest.raises(ScanError, match=r"scan\.h5 is neither an HDF5 file.*not HDF5"):
        read_scan(path)


def test_a_damaged_frame_is_named_at_run_time(tmp_path, numbered):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "/exchange/data", data=numbered(12), chunks=(1, 4, 6), compression="gzip"
        )
        chunk = data.id.get_chunk_info(7)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\0" * chunk.size)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.projections.read(slice(0, 7)), numbered(7))
    with pytest.raises(ScanError, match=r"scan\.h5: frame 7 of /exchange/data.*5 to 9"):
        scan.projections.read(slice(5, 10))


@pytest.mark.parametrize("frames_a_chunk", [1, 3])
def test_frames_that_were_never_written_are_left_out(tmp_path, numbered, frames_a_chunk):
    path, theta = tmp_path / "scan.h5", 15.0 * np.arange(12)
    chunks = (frames_a_chunk, 4, 6)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("/exchange/data", (12, 4, 6), "u2", chunks=chunks)
        data[:3], data[6:9] = numbered(3), numbered(3, 6)
        file["/exchange/theta"] = theta
    scan = read_scan(path)
    there = [0, 1, 2, 6, 7, 8]
    np.testing.assert_array_equal(scan.projections.read(), numbered(12)[there])
    np.testing.assert_array_equal(scan.theta_deg, theta[there])
    assert any("6 of 12 frames were never written" in n and "3–5, 9–11" in n for n in scan.notes)


def test_a_file_that_is_still_written_is_said_in_one_line(tmp_path, numbered):
    live, copy = tmp_path / "live.h5", tmp_path / "scan.h5"
    with h5py.File(live, "w", libver="latest") as file:
        file["/exchange/data"] = numbered(12)
        file.swmr_mode = True
        file.flush()
        shutil.copy(live, copy)
    with pytest.raises(ScanError, match=r"still open for writing.*h5clear -s") as error:
        read_scan(copy)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("unit", [b"\xb0", "°", b"deg", "degrees"])
def test_units_may_be_latin_1(write, unit):
    path = write("a.h5", {"/angle": np.arange(3.0)})
    with h5py.File(path, "a") as file:
        file["/angle"].attrs["units"] = np.bytes_(unit) if isinstance(unit, bytes) else unit
    with Source(path, Request()) as source:
        np.testing.assert_array_equal(source.angles("/angle"), np.arange(3.0))


@pytest.mark.parametrize("value", ["0.65", np.array([b"0.65"]), np.array(["0.65"], "O"), [0.65]])
def test_a_number_may_be_text_or_an_array_of_one(write, value):
    path = write("a.h5", {"/fact": (value, np.array([b"um"]))})
    with Source(path, Request()) as source:
        assert source.quantity("/fact", "mm") == pytest.approx(0.65e-3)
        assert source.quantity("/nothing", "mm") is None


def test_text_of_any_kind_is_read(write):
    path = write(
        "a.h5", {"/a": "NXtomo", "/b": np.bytes_("NXtomo"), "/c": np.array(["NXtomo"], "O")}
    )
    with Source(path, Request()) as source:
        assert {source.text(name) for name in ("/a", "/b", "/c")} == {"NXtomo"}
        assert source.text("/d") is None
