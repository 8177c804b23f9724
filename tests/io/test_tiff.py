"""TIFF stacks: what is in the files comes out, in the right order, or is refused by name."""

import pickle
import struct

import numpy as np
import pytest
import tifffile

from xct.errors import ScanError
from xct.io.frames import View
from xct.io.scans import tiff_scans
from xct.io.scans.tiff_scans import read_stacks
from xct.io.tiff.stacks import natural_order, open_stack

ROWS, COLUMNS = 5, 7
ALL = slice(None)


def frames(count, dtype=np.uint16):
    """Frames of which each pixel encodes its frame, row and column."""
    frame, row, column = np.indices((count, ROWS, COLUMNS))
    return (frame * 100 + row * 10 + column).astype(dtype)


def write_singles(folder, values, name="proj_{:04d}.tif", **options):
    paths = [folder / name.format(number) for number in range(len(values))]
    for path, value in zip(paths, values, strict=True):
        tifffile.imwrite(path, value, **options)
    return paths


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", ">u2", ">f4"])
def test_values_come_out_as_written(tmp_path, dtype):
    values = frames(3).astype(dtype)
    stack = open_stack(write_singles(tmp_path, values, byteorder=dtype[0] if ">" in dtype else "<"))
    assert stack.shape == (3, ROWS, COLUMNS)
    assert stack.dtype == np.dtype(dtype).newbyteorder("=")
    read = stack.read(ALL, ALL, ALL)
    assert read.dtype == stack.dtype
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib"},
        {"compression": "lzw", "predictor": True},
        {"compression": "zstd"},
        {"compression": "packbits"},
        {"rowsperstrip": 2},
        {"rowsperstrip": 2, "compression": "zlib"},
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"bitspersample": 12},
    ],
)
def test_every_way_of_storing_a_frame_gives_the_same_part(tmp_path, options):
    values = frames(4)
    stack = open_stack(write_singles(tmp_path, values, **options))
    part = stack.read(np.array([1, 3]), slice(1, 4), slice(2, 6))
    np.testing.assert_array_equal(part, values[[1, 3], 1:4, 2:6])


def test_compressed_frames_may_be_smaller_than_their_values(tmp_path):
    values = np.zeros((2, 200, 300), np.uint16)
    values[1, 100, 200] = 7
    stack = open_stack(write_singles(tmp_path, values, compression="zlib"))
    np.testing.assert_array_equal(stack.read(ALL, ALL, ALL), values)


# What a viewer shows of the stored rows [1 2 3], [4 5 6], by the TIFF 6.0 specification.
SHOWN = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("orientation", SHOWN)
def test_orientation_is_honored_whole_and_in_part(tmp_path, orientation, compression):
    stored, shown = np.array([[1, 2, 3], [4, 5, 6]], np.uint16), np.array(SHOWN[orientation])
    tag = (274, 3, 1, orientation, True)
    options = {"extratags": [tag], "compression": compression}
    stack = open_stack(write_singles(tmp_path, [stored, stored + 10], **options))
    assert stack.shape == (2, *shown.shape)
    np.testing.assert_array_equal(stack.read(ALL, ALL, ALL), [shown, shown + 10])
    part = stack.read(slice(1, 2), slice(1, None), slice(0, 2))
    np.testing.assert_array_equal(part, [shown[1:, :2] + 10])


def test_an_unknown_orientation_is_refused(tmp_path):
    paths = write_singles(tmp_path, frames(1), extratags=[(274, 3, 1, 9, True)])
    with pytest.raises(ScanError, match=r"proj_0000\.tif: TIFF orientation 9 is unknown"):
        open_stack(paths)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_one_file_of_several_pages_is_a_stack(tmp_path, compression):
    values = frames(6)
    tifffile.imwrite(tmp_path / "all.tif", values, compression=compression)
    raw = read_stacks(tmp_path / "all.tif")
    assert raw.projections.frames.shape == values.shape
    part = raw.projections.frames.read(slice(1, 6, 2), slice(1, 3), ALL)
    np.testing.assert_array_equal(part, values[1:6:2, 1:3])


def test_several_files_of_several_pages_join_in_their_order(tmp_path):
    values = frames(7)
    tifffile.imwrite(tmp_path / "part10.tif", values[5:], byteorder=">")
    tifffile.imwrite(
        tmp_path / "part2.tif", values[2:5], compression="zlib", photometric="minisblack"
    )
    tifffile.imwrite(tmp_path / "part1.tif", values[:2])
    stack = read_stacks(tmp_path / "part*.tif").projections.frames
    np.testing.assert_array_equal(stack.read(ALL, ALL, ALL), values)


def test_an_imagej_stack_gives_frames_and_pixel_size(tmp_path):
    values = frames(4)
    metadata = {"unit": "um", "axes": "ZYX", "spacing": 5.0}
    tifffile.imwrite(
        tmp_path / "a.tif", values, imagej=True, resolution=(1 / 0.65, 1 / 0.65), metadata=metadata
    )
    raw = read_stacks(tmp_path / "a.tif")
    assert raw.pixel_size_um == pytest.approx(0.65, rel=1e-6)
    assert "a.tif" in raw.origin["pixel_size_um"]
    np.testing.assert_array_equal(raw.projections.frames.read(ALL, ALL, ALL), values)


@pytest.mark.parametrize(("unit", "size_um"), [("nm", 0.65e-3), ("mm", 650.0), ("micron", 0.65)])
def test_an_imagej_unit_of_length_is_turned_into_um(tmp_path, unit, size_um):
    tifffile.imwrite(
        tmp_path / "a.tif",
        frames(2),
        imagej=True,
        resolution=(1 / 0.65, 1 / 0.65),
        metadata={"unit": unit},
    )
    assert read_stacks(tmp_path / "a.tif").pixel_size_um == pytest.approx(size_um, rel=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "resolution": (2, 2)},  # in pixels
        {"imagej": True, "resolution": (2, 3), "metadata": {"unit": "um"}},  # not square
        {"resolution": (72, 72), "resolutionunit": "inch"},  # of a printer
        {},
    ],
)
def test_without_calibration_there_is_no_pixel_size(tmp_path, options):
    tifffile.imwrite(tmp_path / "a.tif", frames(2), **options)
    assert read_stacks(tmp_path / "a.tif").pixel_size_um is None


@pytest.mark.parametrize("one_page", [True, False])  # above 4 GB, ImageJ writes one page only
def test_an_imagej_stack_that_was_cut_off_is_refused(tmp_path, one_page):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, frames(6), imagej=True, truncate=one_page)
    np.testing.assert_array_equal(open_stack([path]).read(ALL, ALL, ALL), frames(6))
    path.write_bytes(path.read_bytes()[: -ROWS * COLUMNS * 2])
    with pytest.raises(ScanError, match=r"a\.tif: the file is truncated"):
        read_stacks(path)


def test_frames_along_two_axes_are_refused(tmp_path):
    values = np.zeros((2, 3, ROWS, COLUMNS), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(ScanError, match=r"a\.tif: frames .* several axes \(T = 2, Z = 3\)"):
        read_stacks(tmp_path / "a.tif")


OME = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="7" SizeY="5" SizeZ="{count}"
SizeC="1" SizeT="1" PhysicalSizeX="650" PhysicalSizeXUnit="nm" PhysicalSizeY="0.65">
<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>"""


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_ome_metadata_give_order_and_pixel_size(tmp_path, compression):
    order, values = [2, 0, 1], frames(3)  # page p shows frame order[p]
    planes = "".join(f'<TiffData FirstZ="{z}" IFD="{ifd}"/>' for ifd, z in enumerate(order))
    tifffile.imwrite(
        tmp_path / "a.tif",
        values[order],
        description=OME.format(planes=planes, count=3),
        metadata=None,
        compression=compression,
        photometric="minisblack",
    )
    raw = read_stacks(tmp_path / "a.tif")
    assert raw.pixel_size_um == pytest.approx(0.65)
    np.testing.assert_array_equal(raw.projections.frames.read(ALL, ALL, ALL), values)


def test_ome_metadata_that_name_more_frames_than_there_are_is_refused(tmp_path):
    planes = "".join(f'<TiffData FirstZ="{z}" IFD="{z}"/>' for z in range(5))
    text = OME.format(planes=planes, count=5)
    tifffile.imwrite(
        tmp_path / "a.tif", frames(3), description=text, metadata=None, photometric="minisblack"
    )
    with pytest.raises(ScanError, match=r"a\.tif: its metadata name 5 frames, but it holds 3"):
        read_stacks(tmp_path / "a.tif")


def test_the_last_number_orders_frames_whatever_its_length(tmp_path):
    names = ["scan2_9.tif", "scan1_10.tif", "scan3_0100.tif", "scan0_08.tif"]
    ordered = [path.name for path in natural_order([tmp_path / name for name in names])]
    assert ordered == ["scan0_08.tif", "scan2_9.tif", "scan1_10.tif", "scan3_0100.tif"]


def test_a_glob_goes_into_folders_and_keeps_the_order(tmp_path):
    values = frames(4)
    for number in range(4):
        folder = tmp_path / f"tiff{number // 2:04d}"
        folder.mkdir(exist_ok=True)
        tifffile.imwrite(folder / f"a_{number}.tif", values[number])
    raw = read_stacks(str(tmp_path / "**" / "*.tif"))
    np.testing.assert_array_equal(raw.projections.frames.read(ALL, ALL, ALL), values)


def test_flats_and_darks_are_read_beside_projections(tmp_path):
    write_singles(tmp_path, frames(3))
    write_singles(tmp_path, frames(2) + 1, "flat_{}.tif")
    write_singles(tmp_path, frames(1) + 2, "dark_{}.tif")
    raw = read_stacks(*(tmp_path / f"{kind}_*.tif" for kind in ("proj", "flat", "dark")))
    assert raw.layout == "tiff"
    assert len(raw.files) == 6
    assert raw.flats.time is None  # nothing says when they were taken
    np.testing.assert_array_equal(raw.flats.frames.read(ALL, ALL, ALL), frames(2) + 1)
    np.testing.assert_array_equal(raw.darks.frames.read(ALL, ALL, ALL), frames(1) + 2)


def test_brackets_in_a_file_name_may_be_meant_literally(tmp_path):
    tifffile.imwrite(tmp_path / "a[1].tif", frames(2))
    assert read_stacks(tmp_path / "a[1].tif").projections.frames.shape[0] == 2


def test_every_empty_pattern_is_named_at_once(tmp_path):
    with pytest.raises(ScanError) as error:
        read_stacks(tmp_path / "p*.tif", tmp_path / "f*.tif", tmp_path / "no" / "d*.tif")
    assert [text.split(":")[0] for text in error.value.errors] == [
        "projections",
        "flats",
        "darks",
    ]
    assert "no is missing" in error.value.errors[2]


def test_a_pattern_that_matches_other_files_is_refused(tmp_path):
    write_singles(tmp_path, frames(2))
    (tmp_path / "proj_notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(ScanError, match=r"1 files that are no TIFF: .*proj_notes\.txt"):
        read_stacks(tmp_path / "proj_*")


def test_projections_with_the_same_number_are_refused(tmp_path):
    write_singles(tmp_path, frames(2), "a_{}.tif")
    write_singles(tmp_path, frames(2), "b_{}.tif")
    with pytest.raises(ScanError, match=r"a_0\.tif and .*b_0\.tif have the same number 0"):
        read_stacks(tmp_path / "*.tif")


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (np.zeros((4, 5, 3), np.uint8), {"photometric": "rgb"}, "a pixel has 3 values"),
        (np.zeros((4, 5), np.complex64), {}, "type complex64"),
        (np.zeros((16, 16), bool), {}, "with 1 bits"),
    ],
)
def test_what_cannot_be_counts_is_refused(tmp_path, values, options, message):
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    with pytest.raises(ScanError, match=message):
        read_stacks(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "other", [np.zeros((ROWS, COLUMNS + 1), np.uint16), np.zeros((ROWS, COLUMNS), np.uint8)]
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_frame_unlike_the_others_is_named(tmp_path, other, compression):
    paths = write_singles(tmp_path, frames(4), compression="zlib")
    tifffile.imwrite(paths[3], other, compression=compression)
    message = r"proj_000.\.tif: the frame is 5 x . uint\d+, but proj_0000\.tif is 5 x 7 uint16"
    with pytest.raises(ScanError, match=message):
        open_stack(paths)
    tifffile.imwrite(paths[3], frames(1)[0])
    tifffile.imwrite(paths[1], other, compression=compression)
    stack = open_stack(paths)  # only when it is read can this be seen
    assert stack.read(slice(2, 4), ALL, ALL).shape == (2, ROWS, COLUMNS)
    with pytest.raises(ScanError, match=message):
        stack.read(ALL, ALL, ALL)


def test_pages_of_one_file_that_differ_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(frames(1)[0])
        file.write(frames(1)[0, :-1])
    with pytest.raises(ScanError, match=r"its 2 pages differ \(4 x 7 x uint16, 5 x 7 x uint16\)"):
        read_stacks(tmp_path / "a.tif")


def test_a_stack_among_single_frames_is_named(tmp_path):
    paths = write_singles(tmp_path, frames(4))
    tifffile.imwrite(paths[2], frames(3), photometric="minisblack")
    with pytest.raises(ScanError, match=r"proj_0002\.tif: has 3 pages"):
        open_stack(paths).read(ALL, ALL, ALL)
    tifffile.imwrite(paths[3], frames(2))
    with pytest.raises(ScanError, match=r"proj_0003\.tif: has 2 frames"):
        open_stack(paths)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("keep", [0, 3, 60, 0.5, -1])
def test_a_cut_off_frame_is_found_and_named(tmp_path, compression, keep):
    paths = write_singles(tmp_path, frames(3), compression=compression)
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: int(len(whole) * keep) if keep == 0.5 else keep])
    with pytest.raises(ScanError, match=r"proj_0001\.tif"):
        open_stack(paths).read(ALL, ALL, ALL)


def test_every_short_file_is_counted_before_anything_is_read(tmp_path):
    paths = write_singles(tmp_path, frames(6))
    for path in paths[1:5]:
        path.write_bytes(path.read_bytes()[:40])
    paths[0].with_name("proj_0004.tif").unlink()
    with pytest.raises(ScanError) as error:
        open_stack(paths)
    missing, short = error.value.errors
    assert missing.startswith("1 of 6 files are missing: ")
    assert short.startswith("3 of 6 files are truncated, or of another size or type")
    assert "at least 70 bytes" in short


def test_damage_inside_compressed_values_is_found(tmp_path):
    values = np.random.default_rng(0).integers(0, 60_000, (2, 50, 60)).astype(np.uint16)
    paths = write_singles(tmp_path, values, compression="zlib")
    damaged = bytearray(paths[1].read_bytes())
    damaged[-2000:-1900] = bytes(100)
    paths[1].write_bytes(damaged)
    with pytest.raises(ScanError, match=r"proj_0001\.tif: the file is damaged"):
        open_stack(paths).read(ALL, ALL, ALL)


def test_a_chain_of_pages_that_breaks_off_is_found(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for value in frames(5):
            file.write(value, compression="zlib", contiguous=False)
    with tifffile.TiffFile(path) as opened:
        last = opened.pages[4].offset
    path.write_bytes(path.read_bytes()[:last])
    with pytest.raises(ScanError, match=r"a\.tif: the file is truncated .*page 4"):
        read_stacks(path)


def test_a_tiff_file_is_recognized_by_its_content(tmp_path):
    tifffile.imwrite(tmp_path / "a.dat", frames(2))
    (tmp_path / "b.tif").write_bytes(b"no TIFF")
    assert tiff_scans.recognizes(tmp_path / "a.dat")
    assert not tiff_scans.recognizes(tmp_path / "b.tif")
    assert not tiff_scans.recognizes(tmp_path)


def test_what_is_no_tiff_is_said(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"\x89PNG and so on")
    with pytest.raises(ScanError, match=r"a\.tif: not a TIFF file \(it begins with b'\\x89PNG'\)"):
        read_stacks(tmp_path / "a.tif")


def test_a_step_along_rows_is_refused(tmp_path):
    stack = open_stack(write_singles(tmp_path, frames(1)))
    with pytest.raises(ValueError, match="step of 2"):
        stack.read(ALL, slice(0, 5, 2), ALL)


def test_frames_can_be_pickled_and_are_small(tmp_path):
    stack = open_stack(write_singles(tmp_path, frames(50)))
    packed = pickle.dumps(stack)
    assert len(packed) < 4000
    np.testing.assert_array_equal(pickle.loads(packed).read(ALL, ALL, ALL), frames(50))


def test_a_view_bins_the_frames(tmp_path):
    values = frames(3)
    stack = open_stack(write_singles(tmp_path, values))
    view = View(stack, np.array([2, 0]), (1, 5), (0, 6), bin=2)
    expected = values[[2, 0], 1:5, :6].reshape(2, 2, 2, 3, 2).sum((2, 4))
    np.testing.assert_array_equal(view.read(), expected)


def test_a_real_stack_and_a_real_frame_are_read(test_data):
    stack = read_stacks(test_data("cell_cylindrical_grey/cell_vol_061_100.tif")).projections.frames
    assert (stack.shape, stack.dtype) == ((40, 728, 728), np.uint8)
    part = stack.read(slice(14, 15), slice(300, 310), slice(0, 728))
    assert part.max() > 100  # the metal can
    frame = read_stacks(test_data("neutron_360_sino/sinogram_360_neutron_image.tif")).projections
    assert (frame.frames.shape, frame.frames.dtype) == ((1, 459, 503), np.uint16)


def test_a_header_of_big_endian_classic_tiff_is_followed(tmp_path):
    """Written by hand, byte by byte: nothing but the format itself is trusted."""
    entries = [(256, 3), (257, 2), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1), (279, 12)]
    tags = b"".join(struct.pack(">HHIHH", code, 3, 1, value, 0) for code, value in entries)
    values = np.array([[1, 2, 3], [4, 5, 600]], ">u2")
    ifd = struct.pack(">H", len(entries)) + tags + struct.pack(">I", 0)
    (tmp_path / "a.tif").write_bytes(b"MM\0*" + struct.pack(">I", 20) + values.tobytes() + ifd)
    np.testing.assert_array_equal(open_stack([tmp_path / "a.tif"]).read(ALL, ALL, ALL), [values])
