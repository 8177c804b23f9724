"""Pictures, films and the page, of a cell drawn by hand."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.study.browser import open_page
from tests.study.drawn import draw_cell_result
from xct.analyze.roi.files import read_rois, roi_set_file
from xct.cli.main import execute
from xct.errors import XctError
from xct.render.building import scene_of
from xct.render.names import apart
from xct.render.picture import Camera, camera_for
from xct.render.rendering import page_of, render_results
from xct.render.scene import OPACITIES, Body, Scene
from xct.render.sheet import sheet
from xct.render.viewer import viewer
from xct.result import open_result


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cell") / "result"
    return open_result(draw_cell_result(folder, name="A <b>bold</b>", absent=0.2))


def cube(name, x, half=10.0):
    corners = np.array([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) * half
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))]
    points = corners + np.array([x, 0, 0])
    return Body(name, points.astype(np.float32), np.array(triangles, np.int32))


def test_a_picture_shows_lengths_as_they_are_and_bodies_in_their_colours():
    pytest.importorskip("vtkmodules")
    from xct.render.picture import Stage

    scene = Scene("two", 60.0, 20.0, [cube("drifted", -40.0), cube("electrolyte", 40.0)])
    seen = Stage(scene, (400, 200), OPACITIES, "light").seen_from(Camera(-90.0, 0.0, 100.0))
    red = (seen[..., 0] > 1.8 * seen[..., 2]) & (seen[..., 0] > 60)
    rows, columns = np.nonzero(red)
    assert np.ptp(columns) + 1 == pytest.approx(40, abs=3)  # 20 of 100 µm on 200 rows
    assert np.ptp(rows) + 1 == pytest.approx(40, abs=3)
    assert columns.mean() == pytest.approx(200 - 80, abs=2)
    assert (seen[100, 280] > 150).all()  # glass
    assert (seen[5, 5] == 255).all()
    opaque = Stage(scene, (400, 200), {**OPACITIES, "drifted": 0.0}, "dark")
    assert opaque.seen_from(Camera(-90.0, 0.0, 100.0)).max(axis=(0, 1))[0] < 200


def test_a_place_of_the_world_is_where_the_picture_shows_it():
    pytest.importorskip("vtkmodules")
    from xct.render.picture import Stage

    place, camera = np.array([30.0, -20.0, 15.0]), Camera(35.0, 28.0, 200.0)
    body = cube("drifted", 0.0, half=4.0)
    moved = Body(body.name, body.points + place.astype(np.float32), body.triangles)
    seen = Stage(Scene("one", 60.0, 60.0, [moved]), (400, 300), OPACITIES, "light")
    rows, columns = np.nonzero((seen.seen_from(camera) != 255).any(axis=-1))
    [(right, up)] = camera.place(place[None])
    assert columns.mean() - 199.5 == pytest.approx(right * 300 / 200, abs=1.0)
    assert 149.5 - rows.mean() == pytest.approx(up * 300 / 200, abs=1.0)


def test_names_of_rois_stand_at_their_places_and_cover_none():
    places = [np.array(place) for place in ((0.0, 0.0), (3.0, 1.0), (-4.0, -1.0), (50.0, 0.0))]
    sizes = [(20.0, 8.0)] * 4
    free = apart(places, sizes)
    assert free[0] == (0.0, 0.0)
    assert free[3] == (50.0, 0.0)
    assert [x for x, _ in free] == [place[0] for place in places]
    for number, (x, y) in enumerate(free):
        for a, b in free[:number]:
            assert abs(x - a) >= 20 or abs(y - b) >= 7.99
        assert abs(y - places[number][1]) <= 2 * 8 + 1


def test_names_of_rois_are_written_beside_what_they_name(result):
    pytest.importorskip("vtkmodules")
    rois = read_rois(roi_set_file("zheng2023"))
    scene = scene_of(result, "a", rois=rois, across=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xct.render.sheet._DPI", 60)
        figure = sheet([scene], OPACITIES, "dark")
        hidden = sheet([scene], {**OPACITIES, "rois": 0.0}, "dark")
    assert {roi.name for roi in rois} <= {text.get_text() for text in figure.axes[0].texts}
    assert not {roi.name for roi in rois} & {text.get_text() for text in hidden.axes[0].texts}


def test_one_camera_sees_the_largest_cell_whole():
    small, large = Scene("s", 50.0, 60.0), Scene("l", 500.0, 100.0)
    camera = camera_for([small, large], 4 / 3)
    assert camera == camera_for([large], 4 / 3)
    assert camera.span_um * 4 / 3 >= 1000.0


def test_the_command_writes_pictures_of_a_journals_width_and_a_page(
    result, tmp_path, capsys, monkeypatch
):
    pytest.importorskip("vtkmodules")
    monkeypatch.setattr("xct.render.sheet._DPI", 100)  # takes a thirtieth of the time
    out = tmp_path / "out"
    assert execute(["render", str(result.path), "--out", str(out), "--rois", "zheng2023"]) == 0
    written = capsys.readouterr().out
    picture = out / "A_b_bold_b_.png"
    assert str(picture) in written
    with Image.open(picture) as image:
        assert image.width == pytest.approx(85 / 25.4 * 100, abs=2)
        colors = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(colors // 16, axis=0)) > 50
    assert (out / "cells.html").stat().st_size < 2_000_000


def test_a_film_turns_the_cell_once(result, tmp_path):
    pytest.importorskip("vtkmodules")
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    from xct.render import sheet

    scene = scene_of(result, "a", across=20)
    path = tmp_path / "a.mp4"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "_FRAMES", 4)
        patch.setattr(sheet, "_FILM_PX", (160, 120))
        sheet.turntable(scene, camera_for([scene], 4 / 3), path, OPACITIES, "light")
    count, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert count == 4
    assert seconds == pytest.approx(4 / 16, abs=0.05)
    assert camera_for([scene], 1.0).turned(90.0).azimuth_deg == Camera().azimuth_deg + 90


def test_mistakes_are_said_in_words(result, tmp_path, capsys):
    path = str(result.path)
    for arguments, said in (
        (["--opacity", "lithum=0.5"], "did you mean lithium?"),
        (["--opacity", "lithium=2"], "lithium is 2; give 0 (not drawn) to 1 (solid)"),
        (["--opacity", "lithium"], "is not NAME=NUMBER"),
    ):
        assert execute(["render", path, "--out", str(tmp_path), *arguments]) == 2
        assert said in capsys.readouterr().err
    assert execute(["render", path, path, "--out", str(tmp_path)]) == 2
    assert "several cells are called" in capsys.readouterr().err


def test_a_volume_without_a_cell_is_refused(result, tmp_path):
    shutil.copytree(result.path, tmp_path / "none")
    (tmp_path / "none" / "cell.json").unlink()
    with pytest.raises(XctError, match="the cell was not found in this volume"):
        render_results([tmp_path / "none"], tmp_path / "out")


def test_what_was_not_measured_is_left_out_and_said(result, tmp_path):
    shutil.copytree(result.path, tmp_path / "part")
    for name in ("surfaces.zarr", "volume.zarr/labels/particles", "tables"):
        shutil.rmtree(tmp_path / "part" / name)
    (tmp_path / "part" / "reference.json").unlink()
    scene = scene_of(open_result(tmp_path / "part"), "a", across=60)
    assert {body.name for body in scene.bodies} == {"electrolyte", "active_material"}
    assert [text.split(":")[0] for text in scene.missing] == [
        "particles", "grey values on the cut",
    ]  # fmt: skip


def test_the_page_is_drawn_turned_and_zoomed_in_a_browser(result, tmp_path):
    page_file = tmp_path / "cells.html"
    page_file.write_text(page_of({"A <b>bold</b>": result, "B": result}), "utf-8")
    with open_page(page_file, width=900, height=700) as page:
        wait = "const done = arguments[0]; const look = () => document.body.dataset.drawn ? "
        wait += "done(true) : setTimeout(look, 50); look();"
        page("POST", "/execute/async", script=wait, args=[])
        first = picture(page)
        assert len(np.unique(first.reshape(-1, 3) // 32, axis=0)) > 20
        assert page.run("return document.getElementById('names').textContent") == "A <b>bold</b>B"
        left, right = first[:, : first.shape[1] // 2], first[:, first.shape[1] // 2 :]
        assert (left < 200).any(axis=-1).mean() == pytest.approx(
            (right < 200).any(axis=-1).mean(), rel=0.1
        )
        page.run("document.querySelector('[data-cell=\"1\"]').click()")
        page.run("turnBy(120, 0); zoomBy(2)")
        page("POST", "/execute/async", script=frames, args=[])
        second = picture(page)
        assert np.abs(first.astype(int) - second).mean() > 5
        slider = "const s = document.querySelector('[data-layer=electrolyte]'); s.value = 1; "
        page.run(slider + "s.oninput()")
        page("POST", "/execute/async", script=frames, args=[])
        assert np.abs(second.astype(int) - picture(page)).mean() > 1
        assert [e for e in page.log("browser") if e["level"] == "SEVERE"] == []
        assert [url for url in page.requests() if not url.startswith(("file:", "data:"))] == []


frames = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));"


def picture(page):
    """Read what is drawn, as an array (row, column, 3) on white."""
    import base64

    png = page.run("return canvas.toDataURL()").partition(",")[2]
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(ground, image).convert("RGB"))


def test_a_page_keeps_places_to_a_part_of_a_voxel(result):
    """Unpacked as the browser does it."""
    import gzip
    import json
    import re
    from base64 import b64decode

    scene = scene_of(result, "a", across=60)
    page = viewer([scene], OPACITIES)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    kept = {body["name"]: body for body in data["cells"][0]["bodies"]}
    for body in scene.bodies:
        own = kept[body.name]
        steps = np.frombuffer(gzip.decompress(b64decode(own["points"])), "<u2").reshape(-1, 3)
        points = np.array(own["low"]) + steps / 65535 * np.array(own["size"])
        assert np.abs(points - body.points).max() < 0.01
        indices = np.frombuffer(gzip.decompress(b64decode(own["triangles"])), "<i4").cumsum()
        assert np.array_equal(indices.reshape(-1, 3), body.triangles)
