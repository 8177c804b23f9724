"""Volumes as other programs store them. In: values and a folder; out: what a configuration says."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import tifffile

from studies.given_volumes.spoiling import ENERGY_KEV, VOXEL_UM

Said = dict[str, Any]  # the section `volume` of a configuration
SIZE = (VOXEL_UM,) * 3
KNOWN: Said = {"voxel_size_um": list(SIZE), "energy_kev": ENERGY_KEV}


def tiff(values: np.ndarray, folder: Path, **said: Any) -> Said:
    """Write a plain TIFF stack; the configuration says size and energy."""
    file = folder / "volume.tif"
    tifffile.imwrite(file, values, photometric="minisblack")
    return {"file": str(file), **KNOWN, **said}


def imagej(values: np.ndarray, folder: Path, facts: Mapping[str, Any], **said: Any) -> Said:
    """Write what ImageJ saves: size along y and x in the tags, facts in the description."""
    file = folder / "volume.tif"
    tifffile.imwrite(
        file,
        values,
        imagej=True,
        resolution=(1 / VOXEL_UM,) * 2,
        metadata={"axes": "ZYX", "unit": "um", "spacing": VOXEL_UM, **facts},
    )
    return {"file": str(file), "energy_kev": ENERGY_KEV, **said}


def ome_tiff(values: np.ndarray, folder: Path, axes: str, size: Sequence[float]) -> Said:
    """Write OME-TIFF with edges along z, y and x in its XML."""
    file = folder / "volume.ome.tif"
    edges = {f"PhysicalSize{a}": e for a, e in zip("ZYX", size, strict=True)}
    units = {f"{name}Unit": "µm" for name in edges}
    tifffile.imwrite(
        file, values, ome=True, photometric="minisblack", metadata={"axes": axes, **edges, **units}
    )
    return {"file": str(file), "energy_kev": ENERGY_KEV}


def slices(
    values: np.ndarray, folder: Path, names: str = "rec_{:04d}.tif", first: int = 0, **said: Any
) -> Said:
    """Write one TIFF a slice."""
    place = folder / "slices"
    place.mkdir()
    for number, image in enumerate(values, first):
        tifffile.imwrite(place / names.format(number), image, photometric="minisblack")
    return {"file": str(place), **KNOWN, **said}


def ome_zarr(
    values: np.ndarray,
    folder: Path,
    *,
    version: Literal[2, 3] = 2,
    axes: str = "zyx",
    size: Sequence[float] = SIZE,
    level: Sequence[float] | None = None,
    chunk: int = 32,
) -> Said:
    """Write OME-Zarr 0.4 (Zarr 2) or 0.5 (Zarr 3); `level` is the scale of its one level."""
    import zarr

    path = folder / "volume.zarr"
    group: Any = zarr.open_group(path, mode="w", zarr_format=version)
    spaces = [n for n, name in enumerate(axes) if name in "zyx"]
    shape = values.shape
    group.create_array(
        "0", data=values, chunks=tuple(min(chunk, n) if n > 1 else 1 for n in shape), fill_value=0
    )
    whole, own = [1.0] * len(axes), [1.0] * len(axes)
    for n in spaces:
        edge = dict(zip("zyx", size, strict=True))[axes[n]]
        own[n] = edge if level is None else dict(zip("zyx", level, strict=True))[axes[n]]
        whole[n] = edge / own[n]
    kinds = {"t": "time", "c": "channel"}
    scale: dict[str, Any] = {
        "axes": [
            {"name": a, "type": "space", "unit": "micrometer"} if a in "zyx"
            else {"name": a, "type": kinds[a]} for a in axes
        ],
        "datasets": [
            {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": own}]}
        ],
        "coordinateTransformations": [{"type": "scale", "scale": whole}],
    }  # fmt: skip
    if version == 2:
        group.attrs["multiscales"] = [{"version": "0.4", **scale}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [scale]}
    return {"file": str(path), "energy_kev": ENERGY_KEV}


def without_chunks(said: Said, numbers: Sequence[str]) -> Said:
    """Lose chunks of an OME-Zarr volume, by their names such as 1.1.1 or c/1/1/1."""
    for number in numbers:
        (Path(said["file"]) / "0" / number).unlink()
    return said


def damaged_chunk(said: Said, number: str) -> Said:
    """Cut a chunk of an OME-Zarr volume short."""
    file = Path(said["file"]) / "0" / number
    file.write_bytes(file.read_bytes()[:100])
    return said


def zipped(said: Said) -> Said:
    """Pack an OME-Zarr volume into one file."""
    path = Path(said["file"])
    shutil.make_archive(str(path), "zip", path)
    shutil.rmtree(path)
    return {**said, "file": f"{path}.zip"}


def bioformats(values: np.ndarray, folder: Path) -> Said:
    """Lay out an OME-Zarr volume as bioformats2raw does."""
    import zarr

    said = ome_zarr(values, folder)
    whole = folder / "converted.zarr"
    group: Any = zarr.open_group(whole, mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    (folder / "volume.zarr").rename(whole / "0")
    return {**said, "file": str(whole)}


def hdf5(
    values: np.ndarray,
    folder: Path,
    place: str,
    *,
    axes: Sequence[str] | None = None,
    chunks: tuple[int, ...] | None = None,
    lost: slice | None = None,
    **said: Any,
) -> Said:
    """Write a dataset; slices of `lost` are never written."""
    file = folder / "volume.h5"
    with h5py.File(file, "w") as opened:
        data = opened.create_dataset(place, values.shape, values.dtype, chunks=chunks)
        if axes is not None:
            data.parent.attrs["axes"] = list(axes)
        if lost is None:
            data[:] = values
        else:
            data[: lost.start], data[lost.stop :] = values[: lost.start], values[lost.stop :]
    return {"file": str(file), **KNOWN, **said}


def raw(values: np.ndarray, folder: Path, *, vgi: bool = False) -> Said:
    """Write values without a header; what they are is said, or stands in a file beside them."""
    file = folder / "volume.raw"
    values.tofile(file)
    z, y, x = values.shape
    if not vgi:
        layout = {"shape": [z, y, x], "dtype": values.dtype.name}
        return {"file": str(file), "raw": layout, **KNOWN}
    edge = VOXEL_UM / 1000
    file.with_suffix(".vgi").write_text(
        f"{{volume1}}\n[representation]\nsize = {x} {y} {z}\ndatatype = float\n"
        f"bitsperelement = 32\n[file1]\nSkipHeader = 0\nFileFormat = raw\nSize = {x} {y} {z}\n"
        "Name = volume.raw\nDatatype = float\nBitsPerElement = 32\n{volumeprimitive1}\n[geometry]\n"
        f"resolution = {edge} {edge} {edge}\nunit = mm\n",
        encoding="utf-8",
    )
    return {"file": str(file), "energy_kev": ENERGY_KEV}


def image(values: np.ndarray, folder: Path, ending: str) -> Said:
    """Write NRRD, MHA or NIfTI by the packages that the field uses."""
    file = folder / f"volume{ending}"
    if ending == ".nrrd":
        import nrrd

        header = {
            "space units": ["um"] * 3,
            "space directions": VOXEL_UM * np.eye(3),
            "space dimension": 3,
        }
        nrrd.write(str(file), values, header, index_order="C")
        return {"file": str(file), "energy_kev": ENERGY_KEV}
    if ending == ".nii":
        import nibabel

        of_nifti: Any = nibabel.Nifti1Image
        made = of_nifti(values.transpose(2, 1, 0), np.diag([VOXEL_UM] * 3 + [1.0]))
        made.header.set_xyzt_units("micron")
        nibabel.save(made, file)
        return {"file": str(file), "energy_kev": ENERGY_KEV}
    import SimpleITK

    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(file))
    return {"file": str(file), **KNOWN}


def exported(values: np.ndarray, folder: Path) -> Said:
    """Write VTI as `xct export` does."""
    from xct.io.export import Exported, export_file

    z, y, x = values.shape
    whole = Exported(
        (z, y, x), (VOXEL_UM,) * 3, "float32", "1/cm", "attenuation", values.__getitem__
    )
    export_file(whole, folder / "volume.vti")
    return {"file": str(folder / "volume.vti"), "energy_kev": ENERGY_KEV}


def without_energy(said: Said) -> Said:
    """Do not say the energy."""
    return {name: value for name, value in said.items() if name != "energy_kev"}


def grey(said: Said) -> Said:
    """Say that values are on a scale of their own."""
    return {**said, "unit": "grey"}


def without_slices(said: Said, numbers: range | list[int]) -> Said:
    """Lose slices of a folder, by their numbers."""
    for number in numbers:
        (Path(said["file"]) / f"rec_{number:04d}.tif").unlink()
    return said


def cut_short(said: Said) -> Said:
    """Keep the first half of a file."""
    file = Path(said["file"])
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return said
