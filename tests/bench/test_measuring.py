"""The bench of measuring: its volumes are like those of scans, its figures those of the run."""

import numpy as np
import pytest

from xct.bench import measuring
from xct.bench.drawn_volumes import Drawing, draw_volume, fbp_noise, opaque
from xct.bench.measuring import by_step, measure, targets
from xct.io.volumes import open_volume
from xct.physics.materials import mu_per_cm

SMALL = Drawing("small", "ncm-0", (96, 112, 112), 2.0, noise_per_cm=2.0, dtype="uint16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measure")
    draw_volume(SMALL, folder)
    return folder


def test_noise_has_the_stated_sd_and_the_spectrum_of_the_ramp():
    noise = fbp_noise(3, (2, 256, 256), 1.5)
    assert noise.std() == pytest.approx(1.5, rel=0.02)
    assert np.abs(noise.mean(axis=(1, 2))).max() < 1e-5
    power = (np.abs(np.fft.fft2(noise)) ** 2).mean(axis=0)
    k = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
    low, high = (power[(k > at - 0.02) & (k < at + 0.02)].mean() for at in (0.1, 0.4))
    assert high / low == pytest.approx(4, rel=0.1)  # the power of the ramp
    assert power[k > 0.51].max() < 1e-6 * high
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(noise[1], fbp_noise(4, (1, 256, 256), 1.5)[0])


def test_light_beside_steel_makes_its_edge_recede():
    mu = opaque(np.array([0.0, 0.5, 1.0], np.float32), 130.0, 0.1)
    np.testing.assert_allclose(mu, [0, np.log(2) / 0.1, 130], rtol=1e-3, atol=1e-6)


def test_a_drawn_volume_is_the_cell_with_noise_and_is_drawn_once(folder):
    volume = open_volume(draw_volume(SMALL, folder))
    assert volume.shape == SMALL.shape
    mu = volume.read()
    middle = mu[:, 40:72, 40:72]
    planes = middle.mean(axis=(1, 2))
    assert planes.max() == pytest.approx(float(mu_per_cm("steel", 25.0)), rel=0.02)
    assert middle[planes.argmax()].std() == pytest.approx(SMALL.noise_per_cm, rel=0.1)
    changed = (folder / "small" / "volume.zarr" / "zarr.json").stat().st_mtime_ns
    draw_volume(SMALL, folder)
    assert (folder / "small" / "volume.zarr" / "zarr.json").stat().st_mtime_ns == changed


def test_a_measured_volume_reports_time_and_memory_of_each_step(folder):
    run = measure(SMALL, folder)
    assert run["voxels"] == 96 * 112 * 112
    assert {"find_cell", "materials", "particles", "figures"} <= set(run["steps"])
    assert sum(step["seconds"] for step in run["steps"].values()) < run["wall_s"]
    assert 0 < run["cpu_s"]
    assert 0.1 < run["peak_memory_gib"] < 4
    assert 1 < run["reads"] < 18  # a narrow volume keeps no overview, and is read for it four times
    assert not (folder / "small_result").exists()


RUN = {
    "reads": 4.5, "voxels": 400_000_000, "wall_s": 70.0, "cpu_s": 100.0, "peak_memory_gib": 4.0,
    "steps": {
        "materials": {"seconds": 30.0, "peak_memory_mib": 2048.0, "cpu_seconds": 40.0},
        "figures": {"seconds": 20.0, "peak_memory_mib": 1024.0, "cpu_seconds": 20.0},
    },
}  # fmt: skip


def test_a_table_shows_each_step_by_voxel_and_all_of_it_without_figures():
    lines = {line.split("  ")[0]: line.split() for line in by_step("full_bore", RUN).splitlines()}
    assert lines["materials"] == ["materials", "30", "40", "0.1", "2"]
    assert lines["in all"][-4:] == ["70", "100", "0.25", "4"]
    assert lines["without figures"][-4:] == ["50", "80", "0.2", "–"]


def test_runs_are_held_against_their_targets():
    judged = {target.what: target.met for target in targets({"medium": RUN, "full_bore": RUN})}
    assert judged == {
        "medium cell, clock": False, "medium cell, processors": False,
        "medium cell, reads": True, "full bore, reads": True,
        "full bore, one core": True, "full bore, peak memory": True,
    }  # fmt: skip


def test_sizes_are_those_that_are_judged():
    assert measuring.MEDIUM.shape == (400, 512, 512)
    assert measuring.FULL_BORE.shape == (240, 2560, 2560)
    assert measuring.SIZES["full"] == (measuring.MEDIUM, measuring.FULL_BORE)
