"""Settings tried on a few slices: values, pictures, and what would be written."""

import h5py
import numpy as np
import pytest

import xct
from tests.scans import CENTER_PX, write_dxchange
from xct.errors import ConfigError
from xct.pipeline.preview import Preview
from xct.pipeline.trying.sheet import caption
from xct.pipeline.trying.slices import Trial, _shrunk
from xct.pipeline.trying.sweep import choices_of, parse_sweep


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    with h5py.File(write_dxchange(folder / "scan.h5"), "r+") as file:
        file["exchange/data"][60, 5, 80] = 60_000  # struck by a stray photon
    path = folder / "cell.yaml"
    path.write_text(
        "scan: {file: scan.h5, center_px: 92.3, roi: {row: [2, 8]}}\noutput: out\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fbp.cutoff=0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("stripes.size_px=31:11:-10", (31, 21, 11)),
        ("find_center.center_px=-1:1:0.8", (-1.0, -0.2, 0.6)),
        ("fbp.window=ramp,hann", ("ramp", "hann")),
        ("stripes.size_px=11, 21", (11, 21)),
    ],
)
def test_values_of_a_sweep(text, values):
    found = parse_sweep(text).values
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    "text",
    ["fbp", "window=ramp", "fbp.cutoff=", "fbp.cutoff=1:2:0", "fbp.cutoff=1:2:-1",
     "fbp.cutoff=a:b:c", "fbp.cutoff=0:nan:1", "fbp.cutoff=0:1:1e-9", "fbp.window=[a"],
)  # fmt: skip
def test_what_is_no_sweep_is_refused_with_its_text(text):
    with pytest.raises(ConfigError, match=r"--sweep"):
        parse_sweep(text)


@pytest.mark.parametrize("name", ["center", "centre", "center_pixel"])
def test_the_axis_by_another_name_is_answered_with_its_key(name):
    with pytest.raises(ConfigError, match=f"{name}; the axis is tried as find_center.center_px"):
        parse_sweep(f"find_center.{name}=-1:1:1")
    assert parse_sweep("find_center.search_px=10,20").key == "steps.find_center.search_px"


def test_two_settings_are_combined_and_more_are_refused():
    sweeps = [parse_sweep("fbp.cutoff=0.5,1"), parse_sweep("fbp.window=ramp,hann,parzen")]
    choices = choices_of(sweeps)
    assert [choice.number for choice in choices] == [1, 2, 3, 4, 5, 6]
    assert choices[3].text(None) == "fbp.cutoff 1, fbp.window ramp"
    assert choices[3].changes(None) == {"steps.fbp.cutoff": 1, "steps.fbp.window": "ramp"}
    with pytest.raises(ConfigError, match="two different settings"):
        choices_of([*sweeps, parse_sweep("stripes.size_px=11,21")])
    with pytest.raises(ConfigError, match="two different settings"):
        choices_of([parse_sweep("scan.center_px=1,2"), parse_sweep("find_center.center_px=1,2")])


def test_pictures_are_the_slices_of_a_preview_with_those_settings(config):
    preview = Preview(xct.read_scan(config.parent / "scan.h5", roi={"row": (2, 8)}))
    sweeps = [parse_sweep("fbp.window=ramp,hann"), parse_sweep("find_center.center_px=0,2")]
    found = Trial(config, [3]).pictures(choices_of(sweeps))
    for picture, (window, offset) in zip(
        found, [("ramp", 0), ("ramp", 2), ("hann", 0), ("hann", 2)], strict=True
    ):
        wanted = preview.reconstruct(3, CENTER_PX + offset, {"fbp": {"window": window}})
        np.testing.assert_allclose(picture.values, wanted, atol=1e-4)
        assert caption(picture).endswith(
            f"fbp.window {window}, scan.center_px {CENTER_PX + offset} (row 3)"
        )


def test_a_setting_of_an_early_step_is_tried_too(config):
    sweep = parse_sweep("outliers.threshold=0.3,1000")
    strict, loose = Trial(config, [3]).pictures(choices_of([sweep]))
    assert not np.array_equal(strict.values, loose.values)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("scan.bin=1,2", "changes which rows and columns"),
        ("cell.name=a,b", "changes no slice"),
        ("run.workers=1,2", "changes no slice"),
        ("fbp.windo=ramp", r"^--sweep: fbp.windo: .*did you mean window"),
        ("fbp.window=ramp,hamm", r"^--sweep: fbp.window: .*'hamm' is not accepted"),
        ("fpb.window=ramp", r"^--sweep: fpb: .*did you mean fbp"),
        ("scan.bin=0", r"^--sweep: scan.bin: "),
    ],
)
def test_what_cannot_be_shown_is_refused_before_slices_are_made(config, sweep, message):
    with pytest.raises(ConfigError, match=message):
        Trial(config).pictures(choices_of([parse_sweep(sweep)]))


def test_a_row_beyond_the_scan_is_refused(config):
    with pytest.raises(ConfigError, match=r"--rows 6: .* has rows 0–5"):
        Trial(config, [6]).pictures(choices_of([]))


def test_a_large_slice_is_averaged_and_zoom_shows_its_middle():
    values = np.arange(1600.0)[:, None] + np.zeros(1600)
    small = _shrunk(values, 1)
    assert small.shape == (533, 533)
    np.testing.assert_allclose(small[:2, 0], [1, 4])
    middle = _shrunk(values, 4)
    assert middle.shape == (400, 400)
    assert middle[0, 0] == 600
