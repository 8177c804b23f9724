"""scan.quantity: where the chain starts, and whether the values are what is said."""

import h5py
import numpy as np
import pytest

import xct
from tests.scans import line_integrals, write_dxchange
from xct.config.new_config import write_config
from xct.errors import ConfigError, ScanError
from xct.pipeline.plan import make_plan
from xct.pipeline.preview import Preview

ROWS, COLUMNS, ANGLES = 6, 96, 90
DISCS = np.array([[2.0, 1, 34, 0.006], [12, 15, 6, 0.03], [-20, 9, 5, 0.03]])
CENTER_PX = 46.3


@pytest.fixture(scope="module")
def integrals():
    exact = line_integrals(ROWS, COLUMNS, ANGLES, DISCS, CENTER_PX)
    return exact + np.random.default_rng(0).normal(0, 0.004, exact.shape)


@pytest.fixture
def scan_of(tmp_path):
    """Write projections alone, as float32."""

    def make(values, flats=None):
        path = tmp_path / "scan.h5"
        with h5py.File(path, "w") as file:
            file["exchange/data"] = values.astype(np.float32)
            file["exchange/theta"] = np.linspace(0, 180, ANGLES, endpoint=False)
            if flats is not None:
                file["exchange/data_white"] = flats
        return path

    return make


def config(path, tmp_path, quantity, **more):
    scan = {"file": str(path), "pixel_size_um": 2.0, "quantity": quantity, **more}
    run = {"figures": "none"}
    return {"scan": scan, "output": str(tmp_path / f"out-{quantity}"), "run": run}


def test_the_chain_starts_at_what_is_given(scan_of, integrals, tmp_path):
    given = {"transmission": np.exp(-integrals), "line_integrals": integrals}
    volumes = {}
    for quantity, values in given.items():
        result = xct.run(config(scan_of(values), tmp_path, quantity))
        volumes[quantity] = np.asarray(result.volume)
        assert [w for w in result.warnings if "quantity" in w["message"]] == []
    np.testing.assert_allclose(*volumes.values(), atol=0.02 * volumes["transmission"].max())
    y, x = np.indices((COLUMNS, COLUMNS)) - (COLUMNS - 1) / 2
    body = np.hypot(x + 10, y + 12) < 8
    for volume in volumes.values():
        assert np.median(volume[:, body]) == pytest.approx(0.006 / 2e-4 * 1.025, rel=0.03)


def test_line_integrals_of_no_light_are_repaired(scan_of, integrals, tmp_path):
    holes = integrals.copy()
    holes[::7, 2, 40] = np.inf
    holes[::11, 3, 50] = np.nan
    result = xct.run(config(scan_of(holes), tmp_path, "line_integrals"))
    assert np.isfinite(np.asarray(result.volume)).all()


def test_a_preview_starts_there_too(scan_of, integrals):
    for quantity, values in (("transmission", np.exp(-integrals)), ("line_integrals", integrals)):
        preview = Preview(xct.read_scan(scan_of(values), quantity=quantity))
        parts = slice(0, ANGLES), slice(2, 3), slice(0, COLUMNS)
        np.testing.assert_allclose(preview.read(parts), integrals[:, 2:3], atol=0.03)
        assert preview.range()[1] == pytest.approx(np.percentile(integrals, 99.5), rel=0.1)


def test_binned_values_are_means(scan_of, integrals):
    path = scan_of(integrals)
    binned = xct.read_scan(path, quantity="line_integrals", bin=2).projections.read()
    whole = integrals.astype(np.float32).reshape(ANGLES, 3, 2, 48, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(binned, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("is_really", "said"),
    [
        ("transmission", "line_integrals"),
        ("line_integrals", "transmission"),
        ("counts", "transmission"),
        ("counts", "line_integrals"),
    ],
)
def test_values_that_are_something_else_are_refused(scan_of, integrals, tmp_path, is_really, said):
    values = {
        "transmission": np.exp(-integrals),
        "line_integrals": integrals,
        "counts": 300 + 20_000 * np.exp(-integrals),
    }[is_really]
    with pytest.raises(ConfigError, match=f"set scan.quantity: {is_really}"):
        make_plan(config(scan_of(values), tmp_path, said))
    make_plan(
        config(scan_of(values), tmp_path, is_really)
        if is_really != "counts"
        else config(write_dxchange(tmp_path / "raw.h5"), tmp_path, "counts")
    )


def test_values_that_may_be_something_else_are_a_warning(scan_of, integrals, tmp_path):
    inside = np.exp(-4 * integrals)[..., 14:80]  # no air in view
    plan = make_plan(config(scan_of(inside), tmp_path, "line_integrals"))
    assert any("look more like transmission" in warning for warning in plan.warnings)
    plan = make_plan(config(scan_of(inside), tmp_path, "transmission"))
    assert not any("scan.quantity" in warning for warning in plan.warnings)


@pytest.mark.parametrize("quantity", ["transmission", "line_integrals"])
def test_missing_flats_name_the_quantity_that_needs_none(scan_of, integrals, tmp_path, quantity):
    values = integrals if quantity == "line_integrals" else np.exp(-integrals)
    with pytest.raises(ConfigError, match=f"scan.flats: .*set scan.quantity: {quantity}"):
        make_plan(config(scan_of(values), tmp_path, "counts"))
    to = tmp_path / "c.yaml"
    begun = write_config(scan_of(values), pipeline="reconstruct", output=tmp_path / "out", to=to)
    assert begun.needed == ["scan.pixel_size_um"]
    assert f"\n  quantity: {quantity} " in to.read_text(encoding="utf-8")


def test_corrected_projections_beside_flats_in_counts_are_refused(scan_of, integrals, tmp_path):
    flats = np.full((4, ROWS, COLUMNS), 20_000, np.uint16)
    path = scan_of(np.exp(-integrals), flats)
    with pytest.raises(ConfigError, match=r"no counts beside flats.*quantity: transmission"):
        make_plan(config(path, tmp_path, "counts"))
    scan = xct.read_scan(path, quantity="transmission")
    assert scan.flats is None
    assert any("flats and darks are not used" in note for note in scan.notes)


def test_an_unknown_quantity_is_refused(scan_of, integrals):
    with pytest.raises(ScanError, match="expected counts or transmission or line_integrals"):
        xct.read_scan(scan_of(integrals), quantity="absorbance")
