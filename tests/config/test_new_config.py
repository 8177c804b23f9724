"""`xct init` always writes a configuration: with what is known, or with what could be meant."""

import h5py
import numpy as np
import pytest
import tifffile
import yaml

from tests.scans import write_dxchange
from xct.config.new_config import write_config
from xct.errors import ScanError


def begin(scan, tmp_path):
    to = tmp_path / "config.yaml"
    begun = write_config(scan, pipeline="reconstruct", output=tmp_path / "out", to=to)
    return begun, to.read_text(encoding="utf-8")


def test_datasets_of_an_unknown_layout_are_candidates(tmp_path):
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["camera/frames"] = np.zeros((20, 4, 6), np.uint16)
        file["camera/open"] = np.zeros((3, 4, 6), np.uint16)
        file["stage/omega"] = np.arange(20.0)
        file["names"] = np.array([b"a", b"b"])
    begun, text = begin(path, tmp_path)
    assert begun.needed == ["scan.paths"]
    assert any("neither DXchange" in note for note in begun.notes)
    assert text.index("#   data: /camera/frames") < text.index("#   data: /camera/open")
    assert "#   theta_deg: /stage/omega" in text
    filled = text.replace("#   data: /camera/frames", "  data: /camera/frames")
    filled = filled.replace("#   theta_deg: /", "  theta_deg: /")
    assert yaml.safe_load(filled)["scan"]["paths"] == {
        "data": "/camera/frames",
        "theta_deg": "/stage/omega",
    }


def test_files_of_unknown_names_are_candidates(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    for number in range(6):
        tifffile.imwrite(folder / f"cell_{number:03d}.tif", np.zeros((4, 6), np.uint16))
    for number in range(2):
        tifffile.imwrite(folder / f"empty_{number:03d}.tif", np.zeros((4, 6), np.uint16))
    (tmp_path / "own").mkdir()
    begun, text = begin(folder, tmp_path / "own")
    assert begun.needed == ["scan.projections"]
    assert "# projections: ../scan/cell_*.tif    # 6 files" in text
    assert "# flats or darks: ../scan/empty_*.tif    # 2 files" in text


def test_frames_with_a_number_behind_the_counting_one_are_one_candidate(tmp_path):
    for number in range(1, 12):
        file = tmp_path / "scan" / f"cell_{number}_16bit.tif"
        file.parent.mkdir(exist_ok=True)
        tifffile.imwrite(file, np.zeros((4, 6), np.uint16))

    _, text = begin(tmp_path / "scan", tmp_path)

    assert "# projections: scan/cell_*_16bit.tif    # 11 files" in text
    assert set(yaml.safe_load(text)["scan"]) == {"projections", "bin"}


def test_projections_of_any_name_beside_flats_are_known_and_their_angles_are_found(tmp_path):
    for folder, count in (("radio", 6), ("ref", 2), ("dark", 3)):
        (tmp_path / "cell" / folder).mkdir(parents=True)
        for number in range(count):
            file = tmp_path / "cell" / folder / f"{folder}_{number:03d}.tif"
            tifffile.imwrite(file, np.zeros((4, 6), np.uint16))
    for name, count in (("positions.txt", 6), ("currents.txt", 11)):
        lines = "# degrees\n" + "\n".join(map(str, range(count)))
        (tmp_path / "cell" / name).write_text(lines, encoding="utf-8")
    begun, text = begin(tmp_path / "cell", tmp_path)
    assert begun.needed == ["scan.pixel_size_um", "scan.theta_deg"]
    assert "6 projections of 4 × 6, 2 flats, 3 darks" in text
    assert "# theta_deg: cell/positions.txt    # 6 numbers" in text
    assert "currents" not in text
    assert "radio_*.tif: taken as projections" in " ".join(text.replace("#", "").split())


def test_angles_that_do_not_fit_are_needed(tmp_path):
    path = write_dxchange(tmp_path / "scan.h5")
    with h5py.File(path, "a") as file:
        del file["exchange/theta"]
        file["exchange/theta"] = np.arange(200.0)
    begun, text = begin(path, tmp_path)
    assert begun.needed == ["scan.theta_deg"]
    assert "180 projections, but 200 angles" in " ".join(text.replace("#", "").split())
    assert yaml.safe_load(text)["scan"] == {"file": "scan.h5", "theta_deg": None, "bin": 1}


def test_notes_of_a_scan_stand_in_its_configuration(tmp_path):
    path = write_dxchange(tmp_path / "scan.h5")
    with h5py.File(path, "a") as file:
        theta = np.repeat(file["exchange/theta"][:90], 2)
        file["exchange/theta"][:] = theta
    _, text = begin(path, tmp_path)
    assert "# Note: each angle was exposed 2 times" in text


@pytest.mark.parametrize("name", ["gone.h5", "notes.txt"])
def test_what_cannot_be_a_scan_is_refused(tmp_path, name):
    (tmp_path / "notes.txt").write_text("hello", encoding="utf-8")
    with pytest.raises(ScanError):
        begin(tmp_path / name, tmp_path)
    assert not (tmp_path / "config.yaml").exists()
