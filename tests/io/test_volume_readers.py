"""HDF5, NIfTI, NRRD, MHA, VTK and values without a header: what was written is what is read."""

import struct

import h5py
import numpy as np
import pytest

from xct.errors import ScanError
from xct.io.volume_files.opening import open_foreign
from xct.io.volume_files.volume import Layout, Request

SIZE = (4.0, 3.0, 2.0)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(5, 1, (6, 8, 10)).astype(np.float32)


def assert_same(volume, values, size=SIZE):
    assert volume.voxel_size_um == pytest.approx(size)
    for part in (np.s_[:], np.s_[1:4], np.s_[1:4, 2:5, 3:]):
        np.testing.assert_array_equal(volume.read(part), values[part])


def test_a_dataset_that_is_alone_is_found(tmp_path, values):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["some/where"] = values
        file["entry/reconstruction/configuration/voxel_size_cm"] = 2e-4
    volume = open_foreign(tmp_path / "v.h5")
    assert_same(volume, values, (2, 2, 2))
    assert volume.origin["volume"] == "/some/where"


def test_one_of_several_datasets_is_asked_for_and_can_be_named(tmp_path, values):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["a/first"], file["a/second"] = values, 2 * values
    with pytest.raises(ScanError, match=r"holds 2 datasets.*/a/first \(6 × 8 × 10\)"):
        open_foreign(tmp_path / "v.h5", SIZE)
    volume = open_foreign(tmp_path / "v.h5", request=Request(SIZE, "/a/second"))
    assert_same(volume, 2 * values)


@pytest.mark.parametrize("names", ["x:y:z", ["voxel_z", "voxel_y", "voxel_x"], None])
def test_axes_of_hdf5_are_read_by_name_or_by_square_slices(tmp_path, names):
    values = np.random.default_rng(0).normal(5, 1, (6, 8, 8)).astype(np.float32)
    order = (2, 1, 0) if names == "x:y:z" else (1, 0, 2)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["g/data"] = values.transpose(order)
        if names is not None:
            file["g"].attrs["axes"] = names
    volume = open_foreign(tmp_path / "v.h5", SIZE)
    assert_same(volume, values)
    assert volume.notes


def test_chunks_of_hdf5_that_were_never_written_are_missing(tmp_path, values):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        data = file.create_dataset("data", values.shape, "f4", chunks=(2, 8, 10))
        data[:2], data[4:] = values[:2], values[4:]
        file.create_dataset("empty/data", values.shape, "f4")
    volume = open_foreign(tmp_path / "v.h5", request=Request(SIZE, "/data"))
    assert np.isnan(volume.read(np.s_[2:4])).all()
    np.testing.assert_array_equal(volume.read(np.s_[:2]), values[:2])
    assert "1 of 3 chunks" in volume.warnings[0]
    with pytest.raises(ScanError, match="was never written"):
        open_foreign(tmp_path / "v.h5", request=Request(SIZE, "/empty/data"))


def test_a_raw_scan_is_no_volume(tmp_path, values):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["exchange/data"], file["exchange/data_white"] = values, values[:1]
    with pytest.raises(ScanError, match=r"projections of a raw scan.*scan\.file"):
        open_foreign(tmp_path / "v.h5", SIZE)


def test_links_of_hdf5_do_not_lead_out_of_the_folder(tmp_path, values):
    (tmp_path / "in").mkdir()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = values
    with h5py.File(tmp_path / "in" / "v.h5", "w") as file:
        file["data"] = h5py.ExternalLink("../other.h5", "/data")
    with pytest.raises(ScanError, match=r"outside of the scan's folder"):
        open_foreign(tmp_path / "in" / "v.h5", SIZE)


def test_sizes_that_contradict_each_other_are_asked_for(tmp_path, values):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["data"] = values
        file["a/voxel_size_um"], file["b/voxel_size_um"] = 2.0, 1.0
    with pytest.raises(ScanError, match="voxel_size_um"):
        open_foreign(tmp_path / "v.h5")


@pytest.mark.parametrize("big", [False, True])
def test_values_without_a_header_need_a_few_numbers(tmp_path, values, big):
    stored = values.astype(">f4" if big else "<f4")
    (tmp_path / "v.raw").write_bytes(b"head" + stored.tobytes())
    layout = Layout(values.shape, "float32", big, 4)
    assert_same(open_foreign(tmp_path / "v.raw", request=Request(SIZE, raw=layout)), values)
    with pytest.raises(ScanError, match=r"raw: .*volume\.raw: \{shape"):
        open_foreign(tmp_path / "v.raw", SIZE)
    wrong = Layout((5, 8, 10), "float32", big, 4)
    with pytest.raises(ScanError, match=r"has 1,924 bytes.*take 1,604"):
        open_foreign(tmp_path / "v.raw", request=Request(SIZE, raw=wrong))


VGI = """{{volume1}}
[representation]
size = 10 8 6
datatype = float
bitsperelement = 32
[file1]
SkipHeader = 0
FileFormat = raw
Size = 10 8 6
Name = {name}
Datatype = float
BitsPerElement = 32
{{volumeprimitive1}}
[geometry]
resolution = 0.002 0.003 0.004
unit = mm
"""
ENVI = """ENVI
samples = 10
lines = 8
bands = 6
header offset = 0
data type = 4
interleave = bsq
byte order = 0
"""


def test_headers_beside_values_are_read(tmp_path, values):
    (tmp_path / "v.vol").write_bytes(values.tobytes())
    (tmp_path / "v.vgi").write_text(VGI.format(name="v.vol"), encoding="utf-8")
    assert_same(open_foreign(tmp_path / "v.vgi"), values)
    assert_same(open_foreign(tmp_path / "v.vol"), values)
    (tmp_path / "w.raw").write_bytes(values.tobytes())
    (tmp_path / "w.hdr").write_text(ENVI, encoding="utf-8")
    assert_same(open_foreign(tmp_path / "w.raw", SIZE), values)
    assert_same(open_foreign(tmp_path / "w.hdr", SIZE), values)


def test_a_header_does_not_lead_out_of_its_folder_and_sizes_are_checked_first(tmp_path, values):
    (tmp_path / "in").mkdir()
    (tmp_path / "v.vol").write_bytes(values.tobytes())
    (tmp_path / "in" / "v.vgi").write_text(VGI.format(name="../v.vol"), encoding="utf-8")
    with pytest.raises(ScanError, match="lies outside of its folder"):
        open_foreign(tmp_path / "in" / "v.vgi")
    (tmp_path / "v.vgi").write_text(
        VGI.format(name="v.vol").replace("10 8 6", "100000 80000 60000"), encoding="utf-8"
    )
    with pytest.raises(ScanError, match="has 1,920 bytes, but 60000 × 80000 × 100000 values"):
        open_foreign(tmp_path / "v.vgi")


def test_nifti_is_read_by_its_axes_units_and_scale(tmp_path, values):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([2, 3, 4, 1]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "v.nii")
    nibabel.save(image, tmp_path / "v.nii.gz")
    assert_same(open_foreign(tmp_path / "v.nii"), values)
    assert_same(open_foreign(tmp_path / "v.nii.gz"), values)
    codes = nibabel.Nifti1Image(np.round(values.transpose(2, 1, 0)).astype(np.int16), np.eye(4))
    codes.header.set_slope_inter(0.5, -3)
    nibabel.save(codes, tmp_path / "c.nii")
    read = open_foreign(tmp_path / "c.nii", SIZE).read(np.s_[1:3])
    stored = np.asarray(nibabel.load(tmp_path / "c.nii").dataobj)[..., 1:3].transpose(2, 1, 0)
    np.testing.assert_allclose(read, stored)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_nrrd_is_read_with_its_units(tmp_path, values, encoding):
    nrrd = pytest.importorskip("nrrd")
    header = {"space dimension": 3, "space directions": np.diag([2.0, 3.0, 4.0]),
              "space units": ["um"] * 3, "encoding": encoding}  # fmt: skip
    nrrd.write(str(tmp_path / "v.nrrd"), values.transpose(2, 1, 0), header)
    assert_same(open_foreign(tmp_path / "v.nrrd"), values)
    del header["space units"]
    nrrd.write(str(tmp_path / "w.nrrd"), values.transpose(2, 1, 0), header)
    with pytest.raises(ScanError, match="voxel_size_um"):
        open_foreign(tmp_path / "w.nrrd")


@pytest.mark.parametrize("name", ["v.mha", "v.mhd", "v.vtk"])
@pytest.mark.parametrize("packed", [False, True])
def test_mha_and_vtk_are_read_slab_by_slab(tmp_path, values, name, packed):
    itk = pytest.importorskip("SimpleITK")
    itk.WriteImage(itk.GetImageFromArray(values), str(tmp_path / name), useCompression=packed)
    assert_same(open_foreign(tmp_path / name, SIZE), values)


def test_a_header_of_mha_does_not_lead_out_of_its_folder(tmp_path, values):
    itk = pytest.importorskip("SimpleITK")
    itk.WriteImage(itk.GetImageFromArray(values), str(tmp_path / "v.mhd"))
    (tmp_path / "in").mkdir()
    text = (tmp_path / "v.mhd").read_text(encoding="utf-8")
    for name in ("v.mhd", "v.mha"):
        (tmp_path / "in" / name).write_text(text.replace("v.raw", "../v.raw"), encoding="utf-8")
        with pytest.raises(ScanError, match=r"outside of its folder"):
            open_foreign(tmp_path / "in" / name, SIZE)


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "nibabel", None)
    (tmp_path / "v.nii").write_bytes(struct.pack("<i", 348) + bytes(344))
    with pytest.raises(
        ScanError, match=r"nibabel, which is not installed: pip install 'xct\[images\]'"
    ):
        open_foreign(tmp_path / "v.nii", SIZE)


@pytest.mark.parametrize("name", ["v.nii", "v.nrrd", "v.mha", "v.vti", "v.h5", "v.txm", "v.zip"])
def test_what_is_damaged_or_unknown_is_said_in_one_line(tmp_path, name):
    pytest.importorskip("nibabel"), pytest.importorskip("nrrd"), pytest.importorskip("SimpleITK")
    (tmp_path / name).write_bytes(b"NRRD0004\ntype: nothing\n" + bytes(400))
    with pytest.raises(ScanError, match=name) as caught:
        open_foreign(tmp_path / name, SIZE)
    assert len(str(caught.value).splitlines()) == 1
