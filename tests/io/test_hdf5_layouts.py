"""Volumes laid out as nabu, Savu, HTTomo and tomopy write them: axes, voxel size, links."""

import h5py
import numpy as np
import pytest

from studies.given_volumes import programs
from studies.given_volumes.case import Given
from xct.errors import ScanError
from xct.io.volume_files.opening import open_foreign

SIZE = (4.0, 3.0, 2.0)


@pytest.fixture
def given():
    # As many slices as rows and columns: the order of axes does not show in the lengths.
    return Given(np.random.default_rng(0).normal(5, 1, (8, 8, 8)).astype(np.float32), SIZE)


def read(said):
    return open_foreign(said["file"], said.get("voxel_size_um"))


@pytest.mark.parametrize(
    ("write", "program"),
    [
        (programs.nabu, "nabu"),
        (programs.savu, "Savu"),
        (programs.savu_step, "Savu"),
        (programs.httomo, "HTTomo"),
        (programs.tomopy, "tomopy"),
    ],
)
def test_a_volume_of_a_program_is_read_with_its_axes(tmp_path, given, write, program):
    volume = read(write(given, tmp_path))
    for part in (np.s_[:], np.s_[1:4], np.s_[1:4, 2:5, 3:]):
        np.testing.assert_array_equal(volume.read(part), given.values[part])
    assert program in volume.origin["volume"]
    assert not volume.warnings


def test_nabu_says_the_size_of_a_voxel_in_its_configuration(tmp_path, given):
    volume = read(programs.nabu(given, tmp_path))
    assert volume.voxel_size_um == pytest.approx(SIZE)
    assert "voxel_size_cm in rec.hdf5" in volume.origin["voxel_size_um"]
    assert len(volume.files) == 3  # of the checksum: the master and its two chunks


def test_the_pixel_of_a_chip_is_no_voxel(tmp_path, given):
    said = programs.tomopy(given, tmp_path)
    volume = read(said)
    assert volume.voxel_size_um == pytest.approx((2, 2, 2))
    assert "magnification" in volume.origin["voxel_size_um"]
    with h5py.File(said["file"], "r+") as file:
        del file["measurement/instrument/detection_system/objective/magnification"]
    with pytest.raises(ScanError, match=r"pixel_size_x \(10 µm\).*divide it by the magnification"):
        read(said)


def test_a_result_of_savu_whose_step_was_not_copied_is_asked_for(tmp_path, given):
    said = programs.savu(given, tmp_path)
    (tmp_path / "tomo_p3_astra_recon_gpu.h5").unlink()
    with pytest.raises(ScanError, match=r"final_result_tomo.*tomo_p3_astra_recon_gpu\.h5"):
        read(said)


def test_projections_between_steps_are_no_volume(tmp_path, given):
    said = programs.httomo(Given(given.values[:, :5]), tmp_path)
    with pytest.raises(ScanError, match=r"5 projections or sinograms as HTTomo"):
        read({**said, "voxel_size_um": SIZE})
    with h5py.File(tmp_path / "corrected.h5", "w") as file:
        file["exchange/data"] = given.values
        file["exchange/data"].attrs["axes"] = "theta:y:x"
    with pytest.raises(ScanError, match=r"projections of a raw scan \(its axes are theta, y, x"):
        open_foreign(tmp_path / "corrected.h5", SIZE)


def test_of_several_volumes_that_is_taken_which_nexus_marks_as_default(tmp_path, given):
    with h5py.File(tmp_path / "v.nxs", "w") as file:
        for name, factor in (("first", 2), ("second", 1)):
            file[f"entry/{name}/values"] = factor * given.values
            file[f"entry/{name}"].attrs["signal"] = "values"
        file["entry"].attrs["default"] = "second"
    volume = open_foreign(tmp_path / "v.nxs", SIZE)
    np.testing.assert_array_equal(volume.read(np.s_[:]), given.values)
    assert volume.origin["volume"] == "/entry/second/values"


def test_axes_may_be_labels_of_dimensions(tmp_path, given):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["data"] = given.values.transpose(2, 1, 0)
        for dimension, name in zip(file["data"].dims, "xyz", strict=True):
            dimension.label = name
    volume = open_foreign(tmp_path / "v.h5", SIZE)
    np.testing.assert_array_equal(volume.read(np.s_[:]), given.values)
