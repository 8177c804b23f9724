"""HDF5 files laid out as programs of beamlines write them, by their own code.

In: a volume; out: its file, and what a configuration must say beside.

nabu 2026.1 (`nabu.io.writer`, `tomoscan.volumebase`), Savu 4 (`hdf5_utils`,
`basic_transport_data`), HTTomo (`httomo.methods`), tomopy (`dxchange.writer`).
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from studies.given_volumes.case import Given, Said, in_file, known


def nabu(given: Given, folder: Path) -> Said:
    """Write a master file whose virtual dataset leads to the files of two chunks of slices."""
    parts, middle = folder / "rec", len(given.values) // 2
    parts.mkdir(exist_ok=True)
    layout = h5py.VirtualLayout(given.values.shape, given.values.dtype)
    for first, values in ((0, given.values[:middle]), (middle, given.values[middle:])):
        name = f"rec_{first:05d}.hdf5"
        with h5py.File(parts / name, "w") as file:
            data = _nabu_process(file, given).create_dataset("data", data=values)
            data.attrs["interpretation"] = "image"
            layout[first : first + len(values)] = h5py.VirtualSource(
                f"rec/{name}", data.name, values.shape
            )
    with h5py.File(folder / "rec.hdf5", "w") as file:
        results = _nabu_process(file, given)
        results.create_virtual_dataset("data", layout).attrs["interpretation"] = "image"
    return in_file(given, folder / "rec.hdf5")


def _nabu_process(file: h5py.File, given: Given) -> h5py.Group:
    entry = file.create_group("entry0000")
    process = entry.create_group("reconstruction")
    results = process.create_group("results")
    entry.attrs.update({"NX_class": "NXentry", "default": results.name})
    process.attrs.update({"NX_class": "NXprocess", "default": "results"})
    results.attrs.update({"NX_class": "NXdata", "signal": "data"})
    process["program"], process["version"], process["sequence_index"] = "nabu", "2026.1", 0
    options = process.create_group("configuration/processing_options")
    process["configuration"].attrs["NX_class"] = "NXcollection"
    options["reconstruction/voxel_size_cm"] = 1e-4 * np.array(given.edges_um)
    options["reconstruction/rotation_axis_position"] = 47.5
    options["phase/pixel_size_m"] = 1e-6 * given.edges_um[2]
    process["configuration/nabu_config/reconstruction/method"] = "FBP"
    return results


def savu(given: Given, folder: Path) -> Said:
    """Write the file of the last step, and the NeXus file that links to it and to the raw scan."""
    step, group = folder / "tomo_p3_astra_recon_gpu.h5", "3-AstraReconGpu-tomo"
    rows, height, columns = given.values.transpose(1, 0, 2).shape
    with h5py.File(step, "w") as file:
        file.create_group(group)["data"] = given.values.transpose(1, 0, 2)
    with h5py.File(folder / "scan_processed.nxs", "w") as file:
        entry = file.create_group("entry")
        result, raw = entry.create_group("final_result_tomo"), entry.create_group("input_data/tomo")
        for place, names, lengths in (
            (result, ("voxel_x", "voxel_y", "voxel_z"), (rows, height, columns)),
            (raw, ("rotation_angle", "detector_y", "detector_x"), (181, height, columns)),
        ):
            place.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": list(names)})
            for axis, (name, length) in enumerate(zip(names, lengths, strict=True)):
                place.attrs[f"{name}_indices"] = axis
                place[name] = np.arange(length)
                place[name].attrs["units"] = "units"
        result["data"] = h5py.ExternalLink(step.name, f"{group}/data")
        raw["data"] = h5py.ExternalLink("scan.nxs", "/entry1/tomo_entry/data/data")
        result["meta_data/centre_of_rotation/centre_of_rotation"] = np.full(height, 47.5)
    return known(given, folder / "scan_processed.nxs")


def savu_step(given: Given, folder: Path) -> Said:
    """Write the file of Savu's last step alone."""
    said = savu(given, folder)
    return {**said, "file": str(folder / "tomo_p3_astra_recon_gpu.h5")}


def httomo(given: Given, folder: Path) -> Said:
    """Write the file of the step that reconstructs: slices lie along the second axis."""
    path = folder / "6-httomolibgpu-FBP3d_tomobar.h5"
    values = given.values.transpose(1, 0, 2)
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=values, chunks=(values.shape[0], 1, values.shape[2]))
        file["angles"] = np.linspace(0, np.pi, 181)
        file[path.name] = [0, 0]
        file["data_dims/detector_x_y"] = [values.shape[2], values.shape[1]]
    return known(given, path)


def tomopy(given: Given, folder: Path) -> Said:
    """Write what `dxchange.write_hdf5` does, with what describes the scan."""
    with h5py.File(folder / "rec.h5", "w") as file:
        file["implements"] = "exchange"
        file["exchange/data"] = given.values
        system = file.create_group("measurement/instrument/detection_system")
        system["objective/magnification"] = 5.0
        chip = file.create_group("measurement/instrument/detector")
        for name in ("pixel_size_x", "pixel_size_y"):
            chip[name] = 5.0 * given.edges_um[2]
            chip[name].attrs["units"] = "microns"
    return in_file(given, folder / "rec.h5")
