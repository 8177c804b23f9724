"""ROIs of ImageJ: from cell coordinates and back, and through ImageJ itself."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import roifile

from tests.plugin.drawn import HEIGHTS, draw_result, geometry
from xct.analyze.roi.files import read_rois, roi_set_file, write_rois
from xct.analyze.roi.imagej import read_imagej, write_imagej
from xct.analyze.roi.shapes import BoxRoi, LineRoi, PolygonRoi, SectorRoi
from xct.cli.main import execute
from xct.errors import XctError

JAR = Path("/usr/share/java/ij.jar")
CELL = geometry(HEIGHTS)  # 64 × 96 × 96 voxels of 4 µm
ROIS = [
    BoxRoi("C-1", "electrolyte_cathode", (8.0, 40.0), (-40.0, 20.0), (-100.0, -20.0)),
    SectorRoi("disc", "lithium_electrolyte", (4.0, 30.0), (0.0, 80.0)),
    SectorRoi("half ring", "electrolyte_cathode", (0.0, 24.0), (40.0, 120.0), (90.0, 270.0)),
    PolygonRoi("corner: *", None, ((-60.0, 0.0), (0.0, 60.0), (60.0, -10.0)), (80.0, 140.0)),
]


def voxels(roi):
    """Mark the voxels of a ROI in the cell."""
    region = roi.region(CELL)
    marked = np.zeros(CELL.shape, bool)
    marked[region.slices] = region.mask(0, region.slices[0].stop - region.slices[0].start)
    return marked


def overlap(first, second):
    a, b = voxels(first), voxels(second)
    return (a & b).sum() / (a | b).sum()


def test_what_is_written_for_imagej_and_read_again_holds_the_same_voxels(tmp_path):
    line = LineRoi("line", "electrolyte_cathode", (20.0, -40.0, 0.0), (20.0, 60.0, 30.0), 12.0)
    assert write_imagej(tmp_path / "set.zip", [*ROIS, line], CELL) == []
    back = read_imagej(tmp_path / "set.zip", CELL)
    assert [(roi.name, roi.surface) for roi in back] == [
        (roi.name, roi.surface) for roi in (*ROIS, line)
    ]
    for before, after in zip(ROIS, back, strict=False):
        exact = isinstance(before, BoxRoi)
        assert overlap(before, after) == 1 if exact else overlap(before, after) > 0.95
    for mine, other in ((line.from_um, back[-1].from_um), (line.to_um, back[-1].to_um)):
        assert mine == pytest.approx(other, abs=2.0)
    assert back[-1].width_um == 12.0


def test_pixels_of_imagej_are_those_of_the_slice(tmp_path):
    """A rectangle from column 10 to 19 and row 30 to 39, drawn on the 21st slice."""
    one = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, name="a", position=21)
    one.left, one.right, one.top, one.bottom = 10, 20, 30, 40
    (tmp_path / "a.roi").write_bytes(one.tobytes())
    [roi] = read_imagej(tmp_path / "a.roi", CELL, thickness_um=12.0)
    region = roi.region(CELL)
    assert region.slices == (slice(19, 22), slice(30, 40), slice(10, 20))
    assert roi.surface == "lithium_electrolyte"  # 16 slices; the cathode begins at 36


def test_the_shipped_set_is_drawn_but_for_its_depth_it_follows_no_surface(tmp_path):
    shipped = read_rois(roi_set_file("zheng2023"))
    said = write_imagej(tmp_path / "set.zip", shipped, CELL)
    assert said == [
        f"ROI {name} follows its surface; in ImageJ it is flat" for name in ("f1", "g1")
    ]
    back = read_imagej(tmp_path / "set.zip", CELL)
    assert [roi.name for roi in back] == [roi.name for roi in shipped]
    for before, after in zip(shipped, back, strict=True):
        if before.name not in ("f1", "g1"):
            assert overlap(before, after) > 0.95


def test_what_cannot_be_drawn_or_read_is_said(tmp_path):
    across = PolygonRoi("p", None, ((80.0, 0.0), (90.0, 60.0), (140.0, -10.0)), (-9.0, 9.0), "y")
    [text] = write_imagej(tmp_path / "s.zip", [ROIS[0], across], CELL)
    assert text == "ROI p is left out: its outline does not lie in a slice but across y"
    with pytest.raises(XctError, match=r"no ROI can be drawn in ImageJ"):
        write_imagej(tmp_path / "s.zip", [across], CELL)
    with pytest.raises(XctError, match=r"one .roi file holds one ROI, not 2"):
        write_imagej(tmp_path / "s.roi", ROIS[:2], CELL)
    point = roifile.ImagejRoi.frompoints(np.array([[1, 2]]), name="pt", position=3)
    point.roitype = roifile.ROI_TYPE.POINT
    thin = roifile.ImagejRoi.frompoints(np.array([[1, 2], [9, 9], [1, 9]]), name="t", position=3)
    roifile.roiwrite(tmp_path / "b.zip", [point, thin])
    with pytest.raises(XctError) as error:
        read_imagej(tmp_path / "b.zip", CELL)
    first, second = error.value.errors
    assert "ROI pt: is of the kind point; rectangles" in first
    assert "ROI t: says nothing of its depth; give how thick it is by --thickness-um" in second
    (tmp_path / "c.roi").write_bytes(b"Iout" + bytes(10))
    with pytest.raises(XctError, match=r"c.roi: cannot be read as ROIs of ImageJ"):
        read_imagej(tmp_path / "c.roi", CELL)


def test_the_command_goes_both_ways(tmp_path, capsys):
    result = draw_result(tmp_path / "result")
    write_rois(tmp_path / "mine.yaml", ROIS)
    there = ["rois", str(result), str(tmp_path / "mine.yaml"), "--to", str(tmp_path / "a.zip")]
    assert execute(there) == 0
    back = ["rois", str(result), str(tmp_path / "a.zip"), "--to", str(tmp_path / "back.yaml")]
    assert execute(back) == 0
    assert "wrote 4 ROIs" in capsys.readouterr().out
    assert [r.name for r in read_rois(tmp_path / "back.yaml")] == [r.name for r in ROIS]
    assert execute(["rois", str(result), "zheng2032", "--to", str(tmp_path / "b.zip")]) == 2
    assert "did you mean zheng2023?" in capsys.readouterr().err


MACRO = """
newImage("stack", "8-bit black", 96, 96, 64);
names = newArray({names});
for (i = 0; i < names.length; i++) {{
    open("{folder}/" + names[i] + ".roi");
    Roi.getBounds(x, y, w, h);
    print(names[i], Roi.getProperty("xct_slices"), x, y, w, h);
    saveAs("Selection", "{folder}/saved" + names[i] + ".roi");
}}
run("Quit");
"""


def test_imagej_opens_what_was_written_and_what_it_saves_is_read(tmp_path):
    """In a window, on a virtual screen where there is none: without one it opens no ROI."""
    if not JAR.exists() or shutil.which("java") is None:
        pytest.skip("ImageJ is not installed (Debian's packages imagej, default-jre)")
    screen = [] if os.environ.get("DISPLAY") else ["xvfb-run", "-a"]
    if screen and shutil.which("xvfb-run") is None:
        pytest.skip("there is no screen, and no xvfb-run")
    for number, roi in enumerate(ROIS):
        write_imagej(tmp_path / f"{number}.roi", [roi], CELL)
    names = ", ".join(f'"{number}"' for number in range(len(ROIS)))
    macro = tmp_path / "m.ijm"
    macro.write_text(MACRO.format(names=names, folder=tmp_path), "utf-8")
    command = [*screen, "java", "-cp", str(JAR), "ij.ImageJ", "-batch", str(macro)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)
    said = [line.split() for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert len(said) == len(ROIS), done.stdout + done.stderr
    for roi, (name, slices, *bounds) in zip(ROIS, said, strict=True):
        z, y, x = roi.region(CELL).slices
        assert slices == f"{z.start}-{z.stop - 1}"
        expected = [x.start, y.start, x.stop - x.start, y.stop - y.start]
        assert [float(n) for n in bounds] == pytest.approx(expected, abs=1)
        saved = tmp_path / f"saved{name}.roi"
        kept = roifile.ImagejRoi.frombytes(saved.read_bytes())
        assert max(kept.position, kept.z_position) == (z.start + z.stop - 1) // 2 + 1
        [back] = read_imagej(saved, CELL)
        assert overlap(roi, back) > (0.999 if isinstance(roi, BoxRoi) else 0.95)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(XctError, match="no such file"):
        read_imagej(tmp_path / "gone.zip", CELL)
