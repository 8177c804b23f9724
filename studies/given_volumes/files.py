"""Volumes as other programs store them. In: a volume, a folder; out: what is said of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from studies.given_volumes.case import Given, Said, Write, in_file, known


def ome_zarr(
    *,
    version: int = 2,
    axes: str = "zyx",
    level: float | None = None,
    chunk: int = 32,
) -> Write:
    """Write OME-Zarr 0.4 (Zarr 2) or 0.5 (Zarr 3); `level` is the scale of its one level."""

    def write(given: Given, folder: Path) -> Said:
        import zarr

        path = folder / "volume.zarr"
        group: Any = zarr.open_group(path, mode="w", zarr_format=3 if version == 3 else 2)
        values = given.values
        chunks = tuple(min(chunk, n) for n in values.shape)
        group.create_array("0", data=values, chunks=chunks, fill_value=0)
        scale = _multiscales(axes, dict(zip("zyx", given.edges_um, strict=True)), level)
        if version == 2:
            group.attrs["multiscales"] = [{"version": "0.4", **scale}]
        else:
            group.attrs["ome"] = {"version": "0.5", "multiscales": [scale]}
        return in_file(given, path)

    return write


def _multiscales(axes: str, edges: Mapping[str, float], level: float | None) -> dict[str, Any]:
    own = [1.0 if a not in edges else level or edges[a] for a in axes]
    whole = [edges.get(a, 1.0) / scale for a, scale in zip(axes, own, strict=True)]
    kinds = {"t": "time", "c": "channel"}
    return {
        "axes": [
            {"name": a, "type": "space", "unit": "micrometer"} if a in edges
            else {"name": a, "type": kinds[a]} for a in axes
        ],
        "datasets": [
            {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": own}]}
        ],
        "coordinateTransformations": [{"type": "scale", "scale": whole}],
    }  # fmt: skip


def zarr_array(**settings: Any) -> Write:
    """Write a Zarr array without a group."""

    def write(given: Given, folder: Path) -> Said:
        import zarr

        path, values = folder / "volume.zarr", given.values
        array: Any = zarr.create_array(
            path, shape=values.shape, dtype=values.dtype, chunks=(16, 32, 32), **settings
        )
        array[:] = values
        return known(given, path)

    return write


def without_chunks(*numbers: str) -> Callable[[Said], Said]:
    """Lose chunks of an OME-Zarr volume, by their names such as 1.1.1 or c/1/1/1."""

    def lose(said: Said) -> Said:
        for number in numbers:
            (Path(said["file"]) / "0" / number).unlink()
        return said

    return lose


def damaged_chunk(said: Said) -> Said:
    """Cut a chunk of an OME-Zarr volume short."""
    file = Path(said["file"]) / "0" / "1.1.1"
    file.write_bytes(file.read_bytes()[:100])
    return said


def zipped(said: Said) -> Said:
    """Pack an OME-Zarr volume into one file."""
    path = Path(said["file"])
    shutil.make_archive(str(path), "zip", path)
    shutil.rmtree(path)
    return {**said, "file": f"{path}.zip"}


def bioformats(said: Said) -> Said:
    """Lay out an OME-Zarr volume as bioformats2raw does."""
    import zarr

    path = Path(said["file"])
    whole = path.with_name("converted.zarr")
    group: Any = zarr.open_group(whole, mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    path.rename(whole / "0")
    return {**said, "file": str(whole)}


def hdf5(
    place: str,
    *,
    chunks: tuple[int, ...] | None = None,
    lost: slice | None = None,
) -> Write:
    """Write a dataset; slices of `lost` are never written."""

    def write(given: Given, folder: Path) -> Said:
        file, values = folder / "volume.h5", given.values
        with h5py.File(file, "w") as opened:
            data = opened.create_dataset(place, values.shape, values.dtype, chunks=chunks)
            if lost is None:
                data[:] = values
            else:
                data[: lost.start], data[lost.stop :] = values[: lost.start], values[lost.stop :]
        return known(given, file)

    return write


def two_datasets(given: Given, folder: Path) -> Said:
    """Write two volumes into one HDF5 file; the second is the plain one."""
    file = folder / "volume.h5"
    with h5py.File(file, "w") as opened:
        opened["a"], opened["b"] = 2 * given.values, given.values
    return known(given, file)


def raw(given: Given, folder: Path) -> Said:
    """Write values without a header; the configuration says what they are."""
    file = folder / "volume.raw"
    given.values.tofile(file)
    layout = {"shape": list(given.values.shape), "dtype": given.values.dtype.name}
    return {**known(given, file), "raw": layout}


def with_vgi(big_endian: bool = False, ending: str = ".raw") -> Write:
    """Write values without a header, and what VGStudio says of them beside."""

    def write(given: Given, folder: Path) -> Said:
        file, values = folder / f"volume{ending}", given.values
        values.astype(values.dtype.newbyteorder(">" if big_endian else "<")).tofile(file)
        z, y, x = values.shape
        kind = {"f": "float", "u": "unsigned integer", "i": "integer"}[values.dtype.kind]
        bits, edges = (
            8 * values.dtype.itemsize,
            " ".join(f"{e / 1000}" for e in given.edges_um[::-1]),
        )
        file.with_suffix(".vgi").write_text(
            f"{{volume1}}\n[representation]\nsize = {x} {y} {z}\ndatatype = {kind}\n"
            f"bitsperelement = {bits}\n[file1]\nSkipHeader = 0\nFileFormat = raw\n"
            f"Size = {x} {y} {z}\nName = {file.name}\nDatatype = {kind}\n"
            f"BitsPerElement = {bits}\n{{volumeprimitive1}}\n[geometry]\n"
            f"resolution = {edges}\nunit = mm\n",
            encoding="utf-8",
        )
        return in_file(given, file)

    return write


def nrrd(given: Given, folder: Path, ending: str = ".nrrd", **header: Any) -> Said:
    """Write NRRD by pynrrd; as .nhdr, the values lie in a file beside the header."""
    import nrrd as package

    file = folder / f"volume{ending}"
    said = {
        "space units": ["um"] * 3,
        "space directions": np.diag(given.edges_um[::-1]),
        "space dimension": 3,
        **header,
    }
    package.write(str(file), given.values, said, index_order="C")
    return in_file(given, file)


def nifti(ending: str = ".nii", unit: str = "micron") -> Write:
    """Write NIfTI by nibabel."""

    def write(given: Given, folder: Path) -> Said:
        import nibabel

        file, per_um = folder / f"volume{ending}", {"micron": 1.0, "mm": 1e-3}[unit]
        of_nifti: Any = nibabel.Nifti1Image
        edges = [edge * per_um for edge in given.edges_um[::-1]]
        made = of_nifti(given.values.transpose(2, 1, 0), np.diag([*edges, 1.0]))
        made.header.set_xyzt_units(unit)
        nibabel.save(made, file)
        return in_file(given, file)

    return write


def mha(given: Given, folder: Path) -> Said:
    """Write MHA by SimpleITK."""
    import SimpleITK

    file = folder / "volume.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(given.values), str(file))
    return known(given, file)


def vti(given: Given, folder: Path) -> Said:
    """Write VTI as `xct export` does."""
    from xct.io.export import Exported, export_file

    z, y, x = given.values.shape
    whole = Exported(
        (z, y, x), given.edges_um, "float32", "1/cm", "attenuation", given.values.__getitem__
    )
    export_file(whole, folder / "volume.vti")
    return in_file(given, folder / "volume.vti")


def own(given: Given, folder: Path) -> Said:
    """Write a volume as xct keeps it, which says its energy."""
    from xct.io.volumes import Coding, create_volume, write_slab

    z, y, x = given.values.shape
    path, energy = folder / "volume.zarr", given.said["energy_kev"]
    create_volume(path, (z, y, x), given.edges_um[0], Coding(), "cell", energy_kev=energy)
    write_slab(path, 0, given.values)
    return {"file": str(path)}


def named(name: str, content: bytes) -> Write:
    """Write something else under a name."""

    def write(given: Given, folder: Path) -> Said:
        (folder / name).write_bytes(content)
        return known(given, folder / name)

    return write


def cut_short(said: Said) -> Said:
    """Keep the first half of a file."""
    file = Path(said["file"])
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return said
