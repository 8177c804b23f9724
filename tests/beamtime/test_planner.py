"""The planner: its noise is the noise of reconstructions, its words follow its numbers."""

from dataclasses import replace

import numpy as np
import pytest

from xct.beamtime import expected_noise, layer_from_text, plan_beamtime
from xct.beamtime.noise import window_factor
from xct.errors import ConfigError
from xct.phantom.cell.cell import draw_cell
from xct.phantom.scan.setup import Setup
from xct.phantom.scan.virtual_scan import virtual_scan
from xct.preprocess import fill_dead_pixels, flat_field, line_integrals, outliers
from xct.reconstruct import fbp


def by_layer(plan, column):
    return dict(zip(plan.layers["layer"], plan.layers[column], strict=True))


def test_the_paper_s_scan_is_as_computed_by_hand():
    plan = plan_beamtime()
    passed = by_layer(plan, "transmission_center")
    # Pressed LPSCl: exp(-4.915 × 0.3), less 120 µm of polyimide.
    assert passed["electrolyte"] == pytest.approx(0.229 * np.exp(-0.0062), rel=0.01)
    assert 0.0006 < passed["cathode"] < 0.0027
    assert passed["steel"] < 1e-14
    noise = by_layer(plan, "noise_per_cm")
    assert noise["electrolyte"] == pytest.approx(1.4, abs=0.1)
    assert noise["cathode"] == pytest.approx(38, abs=5)
    assert np.isnan(noise["steel"])
    assert plan.sampling["angles_needed"] == 3625
    assert plan.sampling["fully_sampled_um"] == pytest.approx(1986, abs=1)
    assert plan.sampling["seconds"] == 60


def test_the_verdict_says_what_limits_the_scan():
    said = "\n".join(plan_beamtime().verdict)
    for words in (
        "cathode: photon-starved: 0.15 % passes",
        "steel: opaque",
        "lpscl – aluminium: not distinguished",
        "lithium – air: not distinguished",
        "Delithiation (ncm811: x 1 → 0.3) is a step of 3.6 1/cm",
        "fully sampled only inside of Ø 1986 µm",
        "At 38 keV",
    ):
        assert words in said


def test_a_thin_cell_is_not_photon_starved_and_a_long_exposure_saturates():
    said = "\n".join(plan_beamtime(bore_um=380, exposure_ms=40, angles=1200).verdict)
    assert "starved" not in said
    assert "Too bright: a flat fills 128 %" in said
    assert "1200 angles are enough" in said


def test_contrast_is_difference_over_noise():
    plan = plan_beamtime(bore_um=1000)
    row = plan.pairs.set_index("materials").loc["ncm811 – lpscl"]
    noise = by_layer(plan, "noise_per_cm")["cathode"]
    assert row["cnr_cathode"] == pytest.approx(row["difference_per_cm"] / noise)
    assert row["difference_per_cm"] == pytest.approx(48.05 - 5.574, abs=0.05)


def test_a_window_lowers_white_noise_by_its_own_factor():
    assert window_factor("ramp") == pytest.approx(1)
    # Hann: 3 ∫ f² (½ + ½ cos πf)² df over 0 … 1.
    f = (np.arange(10_000) + 0.5) / 10_000
    exact = np.sqrt(3 * np.mean((f * (0.5 + 0.5 * np.cos(np.pi * f))) ** 2))
    assert window_factor("hann") == pytest.approx(exact, rel=1e-3)


def test_flats_make_rings_that_are_strongest_on_the_axis():
    settings = {"pixel_um": 1.0, "angles": 1000, "quanta": 1e4, "flats": 10}
    own = expected_noise(0, 500, **{**settings, "flats": np.inf})
    on_axis = expected_noise(0, 500, **settings)
    # On the axis a pixel's error adds up over all angles: n / n_flats times their own.
    assert on_axis == pytest.approx(own * np.sqrt(1 + 1000 / 10), rel=1e-3)
    beside = expected_noise(0, 500, radius_um=100, **settings)
    assert own < beside < 1.1 * own


@pytest.fixture(scope="module")
def cell():
    return draw_cell("ncm-0", shape=(80, 128, 128), voxel_um=2.0, seed=2)


@pytest.fixture(scope="module")
def two_scans(cell, tmp_path_factory):
    """The same cell before the same detector twice: only the noise differs."""
    setup = Setup(angles=200, seed=4, glare=0.0, axis_offset_px=0.6)
    scan = virtual_scan(cell, setup, tmp_path_factory.mktemp("noise"))
    frames = scan.projections.frames
    other = replace(frames, detector=replace(frames.detector, seed=5))
    views = ("projections", "flats", "darks")
    again = replace(scan, **{v: replace(getattr(scan, v), frames=other) for v in views})
    return setup, scan, again


@pytest.mark.parametrize("window", ["ramp", "hann"])
@pytest.mark.parametrize("upper", [1, 2], ids=["electrolyte", "cathode"])
def test_predicted_noise_is_that_of_a_reconstructed_cell(cell, two_scans, upper, window):
    setup, *scans = two_scans
    heights = [cell.layout.heights_um[k] / cell.voxel_um for k in (upper, upper + 1)]
    middle = round(float(np.mean(heights)))
    rows = slice(middle - 3, middle + 3)
    volumes = [reconstructed(scan, rows, setup, window) for scan in scans]
    bore_um = 2 * cell.geometry.bore_radius_um
    radius_um = cell.voxel_um * np.hypot(*(np.indices((128, 128)) - 63.5))
    near = np.abs(radius_um / (bore_um / 2) - 0.5) < 0.2
    difference = (volumes[0] - volumes[1])[:, near] / np.sqrt(2)
    # Pixels that died leave outliers: the middle of the distribution counts.
    measured = np.diff(np.percentile(difference, [15.87, 84.13]))[0] / 2
    in_bore = radius_um < 0.45 * bore_um
    light = scans[0].projections.frames.beam.frame(0.5)[rows].mean()
    predicted = expected_noise(
        float(cell.mu(rows.start, rows.stop)[:, in_bore].mean()),
        bore_um,
        radius_um=0.25 * bore_um,
        window=window,
        pixel_um=cell.voxel_um,
        angles=setup.angles,
        quanta=float(light),
        read_noise=setup.read_noise,
    )
    assert predicted == pytest.approx(measured, rel=0.1)


def reconstructed(scan, rows, setup, window):
    """Reconstruct a few rows."""
    read = {kind: getattr(scan, kind).read(rows=rows) for kind in ("projections", "flats", "darks")}
    passed = flat_field(
        **read, projection_time=scan.projection_time, flat_time=scan.flat_time,
        projection_dose=scan.projection_dose, flat_dose=scan.flat_dose,
    )  # fmt: skip
    integrals = line_integrals(outliers(fill_dead_pixels(passed)))
    center = setup.center_px(scan.projections.shape[2])
    return fbp(integrals, scan.theta_deg, center, pixel_size_um=scan.pixel_size_um, window=window)


def test_a_layer_is_read_from_text():
    layer = layer_from_text("cathode=ncm811:0.4,lpscl:0.44@200")
    assert (layer.name, layer.thickness_um) == ("cathode", 200)
    assert layer.mu_per_cm(25.0) == pytest.approx(0.4 * 48.05 + 0.44 * 5.574, rel=1e-3)
    assert layer_from_text("anode=lithium").fractions == {"lithium": 1.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cathode", "write NAME=MATERIAL:FRACTION"),
        ("cathode=ncm811:much", "write NAME=MATERIAL:FRACTION"),
        ("cathode=cheese:1", "'cheese' is not known; expected ncm811, lpscl"),
        ("cathode=ncm811:0.9,lpscl:0.9", "the fractions add up to 1.8; expected 0 … 1"),
    ],
)
def test_a_layer_that_is_written_wrong_is_refused(text, said):
    with pytest.raises(ConfigError, match=said):
        layer_from_text(text)


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="bore_um = -1; expected more than 0"):
        plan_beamtime(bore_um=-1)
    with pytest.raises(ConfigError, match="layers = 0"):
        plan_beamtime(layers=())
