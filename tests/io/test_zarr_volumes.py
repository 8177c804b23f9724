"""Volumes in Zarr: axes by name, every transformation, and what is missing told from nothing."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr

from xct.errors import ScanError
from xct.io.volume_files.opening import open_foreign
from xct.io.volumes import Coding, create_volume, write_slab

MICRO = "micrometer"


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(5, 1, (20, 24, 28)).astype(np.float32)


def multiscale(path, values, *, version=2, names="zyx", units=(MICRO,) * 3, level=(2.0,) * 3,
               whole=None, chunks=(4, 8, 8), **more):  # fmt: skip
    group = zarr.open_group(path, mode="w", zarr_format=version)
    array = group.create_array(
        "0", shape=values.shape, chunks=chunks, dtype=values.dtype, fill_value=0
    )
    array[:] = values
    axes = [{"name": n, "type": "space", **({"unit": u} if u else {})}
            for n, u in zip(names, units, strict=True)]  # fmt: skip
    said = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": [
        {"type": "scale", "scale": list(level)}]}]}  # fmt: skip
    if whole is not None:
        said["coordinateTransformations"] = [{"type": "scale", "scale": list(whole)}]
    said |= more
    if version == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [said]}
    else:
        group.attrs["multiscales"] = [{"version": "0.4", **said}]
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_transformations_of_the_level_and_of_the_whole_count(tmp_path, values, version):
    path = multiscale(
        tmp_path / "v.zarr", values, version=version, level=(1, 2, 2), whole=(3, 2, 2)
    )
    volume = open_foreign(path)
    assert volume.voxel_size_um == (3, 4, 4)
    assert volume.warnings == ()
    np.testing.assert_array_equal(volume.read(np.s_[3:9]), values[3:9])


@pytest.mark.parametrize("names", ["xyz", "yxz", "zxy"])
def test_axes_are_read_by_their_names(tmp_path, values, names):
    stored = values.transpose(["zyx".index(n) for n in names])
    sizes = {"z": 4.0, "y": 3.0, "x": 2.0}
    path = multiscale(tmp_path / "v.zarr", stored, names=names, level=[sizes[n] for n in names])
    volume = open_foreign(path)
    assert volume.voxel_size_um == (4, 3, 2)
    for part in (np.s_[:], np.s_[2:7], np.s_[2:7, 3:, 4:9], np.s_[5]):
        np.testing.assert_array_equal(volume.read(part), values[part])
    assert "by their names" in " ".join(volume.notes)


def test_each_axis_has_a_unit_of_its_own(tmp_path, values):
    path = multiscale(tmp_path / "v.zarr", values, units=("nanometer", MICRO, "millimeter"),
                      level=(4000, 2, 0.002))  # fmt: skip
    assert open_foreign(path).voxel_size_um == pytest.approx((4, 2, 2))


@pytest.mark.parametrize("what", ["no unit", "affine"])
def test_what_is_not_said_in_a_way_that_is_known_is_asked_for(tmp_path, values, what):
    if what == "no unit":
        path = multiscale(tmp_path / "v.zarr", values, units=(MICRO, MICRO, None))
    else:
        path = multiscale(tmp_path / "v.zarr", values, coordinateTransformations=[
            {"type": "affine", "affine": [[2, 0, 0, 0]]}])  # fmt: skip
    with pytest.raises(ScanError, match="voxel_size_um"):
        open_foreign(path)
    assert open_foreign(path, (2, 2, 2)).voxel_size_um == (2, 2, 2)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("names", ["zyx", "xyz"])
def test_chunks_that_were_lost_are_missing_not_zero(tmp_path, values, version, names):
    stored = values.transpose(["zyx".index(n) for n in names])
    path = multiscale(tmp_path / "v.zarr", stored, version=version, names=names, chunks=(4, 4, 4))
    at = {"z": 2, "y": 3, "x": 4}
    key = [str(at[n]) for n in names]
    (path / "0" / (os.path.join("c", *key) if version == 3 else ".".join(key))).unlink()
    volume = open_foreign(path)
    lost = np.zeros(values.shape, bool)
    lost[8:12, 12:16, 16:20] = True
    np.testing.assert_array_equal(np.isnan(volume.read(np.s_[:])), lost)
    np.testing.assert_array_equal(volume.read(np.s_[9:11])[~lost[9:11]], values[9:11][~lost[9:11]])
    assert "1 of 210 chunks" in volume.warnings[0]
    assert "slices 8–11" in volume.warnings[0]


def test_background_that_was_never_written_is_background(tmp_path):
    y, x = np.mgrid[:64, :64] - 31.5
    inside = np.hypot(y, x) < 31.5
    values = np.where(inside, np.random.default_rng(0).normal(5, 1, (16, 64, 64)), 0)
    path = multiscale(tmp_path / "v.zarr", values.astype(np.float32), chunks=(4, 8, 8))
    assert not (path / "0" / "0.0.0").exists()  # zarr writes no chunk of zeros
    volume = open_foreign(path)
    assert volume.warnings == ()
    assert np.isfinite(volume.read(np.s_[:])).all()


def test_a_lost_shard_is_missing(tmp_path, values):
    group = zarr.open_group(tmp_path / "v.zarr", mode="w", zarr_format=3)
    array = group.create_array(
        "0", shape=values.shape, chunks=(2, 4, 4), shards=(4, 8, 28), dtype="f4"
    )
    array[:] = values
    Path(tmp_path / "v.zarr" / "0" / "c" / "1" / "1" / "0").unlink()
    volume = open_foreign(tmp_path / "v.zarr" / "0", (2, 2, 2))
    lost = np.zeros(values.shape, bool)
    lost[4:8, 8:16] = True
    np.testing.assert_array_equal(np.isnan(volume.read(np.s_[:])), lost)


def test_most_chunks_lost_is_no_volume(tmp_path, values):
    path = multiscale(tmp_path / "v.zarr", values)
    for file in list((path / "0").glob("[0-4].*"))[:50]:
        file.unlink()
    with pytest.raises(ScanError, match=r"chunks of .* are missing"):
        open_foreign(path)


@pytest.mark.parametrize(
    "text", ['{"zarr_format": 3, "node_type": "gro', "{}", '{"zarr_format": 7}']
)
def test_damaged_metadata_are_said_in_one_line(tmp_path, values, text):
    path = multiscale(tmp_path / "v.zarr", values, version=3)
    for name in ("zarr.json", "0/zarr.json"):
        kept = (path / name).read_text(encoding="utf-8")
        (path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ScanError, match=r"v\.zarr") as caught:
            open_foreign(path)
        assert len(str(caught.value).splitlines()) == 1
        (path / name).write_text(kept, encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [{"datasets": []}, {"datasets": [{}]}, {"axes": 5}, {"axes": [{"name": "z"}] * 3},
     {"datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1]}]}]}],
)  # fmt: skip
def test_metadata_that_are_no_multiscale_are_said_in_one_line(tmp_path, values, change):
    path = multiscale(tmp_path / "v.zarr", values, **change)
    with pytest.raises(ScanError, match="file: ") as caught:
        open_foreign(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("change", [{"ome": 5}, {"xct": [1]}, {"xct": {"slope": "steep"}}])
def test_attributes_of_another_kind_are_said_in_one_line(tmp_path, values, change):
    path = multiscale(tmp_path / "v.zarr", values, version=3)
    zarr.open_group(path, mode="a").attrs.update(change)
    with pytest.raises(ScanError, match="file: ") as caught:
        open_foreign(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_chunk_that_is_truncated_names_the_slices(tmp_path, values):
    path = multiscale(tmp_path / "v.zarr", values)
    (path / "0" / "2.1.1").write_bytes(b"\x02\x01\x21\x04 broken")
    volume = open_foreign(path)
    np.testing.assert_array_equal(volume.read(np.s_[:8]), values[:8])
    with pytest.raises(
        ScanError, match=r"v.zarr: cannot be read at slices 8 to 11 .*copy it again"
    ):
        volume.read(np.s_[8:12])


def test_a_level_that_is_missing_is_named_with_what_is_there(tmp_path, values):
    path = multiscale(tmp_path / "v.zarr", values)
    group = zarr.open_group(path, mode="a")
    scales = group.attrs["multiscales"]
    scales[0]["datasets"].insert(0, {"path": "full"})
    group.attrs["multiscales"] = scales
    with pytest.raises(
        ScanError, match=r"level full, the finest, is missing: of its levels only 0"
    ):
        open_foreign(path)
    assert open_foreign(path / "0", (2, 2, 2)).voxels.shape == values.shape


def test_a_zip_file_of_a_volume_is_a_volume(tmp_path, values):
    path = multiscale(tmp_path / "v.zarr", values, version=3)
    for prefix in ("", "v.zarr/"):
        packed = tmp_path / f"v{len(prefix)}.zarr.zip"
        with zipfile.ZipFile(packed, "w") as file:
            for inner in sorted(path.rglob("*")):
                if inner.is_file() and inner.name != "0":
                    file.write(inner, prefix + inner.relative_to(path).as_posix())
                elif inner.is_file():
                    file.write(inner, prefix + inner.relative_to(path).as_posix())
        volume = open_foreign(packed)
        assert volume.voxel_size_um == (2, 2, 2)
        np.testing.assert_array_equal(volume.read(np.s_[2:5]), values[2:5])


def test_the_only_series_of_bioformats2raw_is_the_volume(tmp_path, values):
    root = zarr.open_group(tmp_path / "b.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    multiscale(tmp_path / "b.zarr" / "0", values[None, None], names="tczyx",
               units=(None, None, MICRO, MICRO, MICRO), level=(1, 1, 2, 2, 2),
               chunks=(1, 1, 4, 8, 8))  # fmt: skip
    volume = open_foreign(tmp_path / "b.zarr")
    assert volume.voxel_size_um == (2, 2, 2)
    np.testing.assert_array_equal(volume.read(np.s_[:]), values)
    multiscale(tmp_path / "b.zarr" / "1", values)
    with pytest.raises(ScanError, match=r"holds 2 series.*b.zarr/0"):
        open_foreign(tmp_path / "b.zarr")


def test_names_and_links_do_not_lead_out_of_the_volume(tmp_path, values):
    path = multiscale(tmp_path / "v.zarr", values)
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 10)
    (path / "0" / "0.0.0").unlink()
    (path / "0" / "0.0.0").symlink_to(secret)
    with pytest.raises(ScanError, match="leads out of the volume"):
        open_foreign(path)
    other = multiscale(tmp_path / "w.zarr", values)
    text = json.loads((other / ".zattrs").read_text(encoding="utf-8"))
    text["multiscales"][0]["datasets"][0]["path"] = "../v.zarr/0"
    (other / ".zattrs").write_text(json.dumps(text), encoding="utf-8")
    with pytest.raises(ScanError, match=r"\.\./v.zarr/0.*leads out of the volume"):
        open_foreign(other)


def test_a_chunk_that_no_memory_holds_is_refused_before_it_is_read(tmp_path):
    array = zarr.create_array(
        tmp_path / "v.zarr", shape=(4096, 65536, 65536), chunks=(4096, 8192, 8192), dtype="f4"
    )
    array.attrs["made"] = True
    with pytest.raises(ScanError, match="one chunk has"):
        open_foreign(tmp_path / "v.zarr", (2, 2, 2))


def test_a_result_of_xct_says_its_energy_and_what_its_values_are(tmp_path):
    codes = np.random.default_rng(0).normal(5, 1, (16, 20, 20)).astype(np.float32)
    folder = tmp_path / "result"
    folder.mkdir()
    create_volume(folder / "volume.zarr", codes.shape, (4, 2, 2), Coding(), "cell",
                  quantity="grey", energy_kev=25.0)  # fmt: skip
    write_slab(folder / "volume.zarr", 0, codes)
    for path in (folder, folder / "volume.zarr"):
        volume = open_foreign(path)
        assert (volume.energy_kev, volume.quantity) == (25, "grey")
        assert volume.voxel_size_um == (4, 2, 2)
    (folder / "volume.zarr" / "zarr.json").write_text(
        (folder / "volume.zarr" / "zarr.json")
        .read_text(encoding="utf-8")
        .replace('"energy_kev"', '"other"'),
        encoding="utf-8",
    )
    (folder / "run.yaml").write_text(
        "configuration:\n  scan: {energy_kev: 22.5}\n", encoding="utf-8"
    )
    assert open_foreign(folder).energy_kev == 22.5


def test_codes_without_a_value_stay_zero_and_a_lost_chunk_does_not(tmp_path):
    codes = np.random.default_rng(0).integers(1, 60_000, (32, 20, 20)).astype(np.uint16)
    codes[:, 0, 0] = 0
    create_volume(tmp_path / "v.zarr", codes.shape, 2.0, Coding("uint16", 0.01, -5.0), "cell")
    write_slab(tmp_path / "v.zarr", 0, codes)
    assert (open_foreign(tmp_path / "v.zarr").read(np.s_[:])[:, 0, 0] == 0).all()
    Path(tmp_path / "v.zarr" / "0" / "c" / "1" / "0" / "0").unlink()
    values = open_foreign(tmp_path / "v.zarr").read(np.s_[:])
    assert np.isnan(values[8:16]).all()
    np.testing.assert_allclose(
        values[16:, 1:, 1:], codes[16:, 1:, 1:] * 0.01 - 5, rtol=1e-4, atol=1e-3
    )
