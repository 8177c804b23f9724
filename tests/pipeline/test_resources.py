"""Resources: slabs that fit into memory, and needs that grow as the scan does."""

import pytest

from xct.config.model import RunSection
from xct.errors import ConfigError, show_bytes, show_seconds
from xct.pipeline.clusters.machines import this_machine
from xct.pipeline.resources import GIB, share_copying, share_out, with_measuring

FULL = (2400, 1920, 2560)


def shared(shape=FULL, *, memory_gib=24.0, **run):
    """Share a run out on 24 GiB, whatever others leave of this machine's."""
    section = RunSection(memory_gib=memory_gib, **run)
    return share_out(shape, 7, section, whole_frames=False, item_bytes=2)


def test_a_full_scan_fits_into_its_limit():
    for limit in (5.0, 6.0, 10.0, 24.0):
        assert shared(memory_gib=limit).memory_bytes <= limit * GIB


def test_less_memory_makes_smaller_slabs_not_other_sizes():
    rows = [shared(memory_gib=limit).slab_rows for limit in (5.0, 8.0, 24.0)]
    assert rows == sorted(rows)
    assert all(n % 16 == 0 for n in rows)


def test_a_slab_that_cannot_fit_is_refused_with_what_it_needs():
    with pytest.raises(ConfigError, match=r"one slab of 16 rows needs 4\.\d GiB, .* 1\.0 GiB"):
        shared(memory_gib=1.0)


def test_disk_and_time_grow_linearly_with_the_slices():
    one, two = shared((2400, 480, 2560)), shared((2400, 960, 2560))
    assert two.disk_bytes == pytest.approx(2 * one.disk_bytes, rel=1e-3)
    assert two.seconds - one.seconds == pytest.approx(shared().seconds / 4, rel=0.05)


def test_frames_that_are_read_whole_need_room_for_themselves():
    run = RunSection(memory_gib=24.0)
    need = share_out(FULL, 7, run, whole_frames=True, item_bytes=2)
    assert need.temporary_bytes == 2400 * 1920 * 2560 * 2
    assert need.disk_bytes == shared().disk_bytes + need.temporary_bytes


@pytest.mark.parametrize(
    ("angles", "shape", "voxel_um", "seconds", "memory_mib", "disk_mib"),
    [
        (400, (160, 256, 256), 2.0, (17, 20), (664, 1097), 42.1),
        (180, (96, 160, 160), 2.0, None, (628, 628), 8.4),
        (2400, (960, 2560, 2560), 1.3, None, None, 11.2 * 1024),
        (None, (400, 512, 512), 2.0, (48, 59), (1024, 1826), 421.4),
        (None, (240, 2560, 2560), 1.3, (625, 728), (4270, 4372), None),
    ],
)
def test_what_a_run_takes_is_foretold(
    monkeypatch, angles, shape, voxel_um, seconds, memory_mib, disk_mib
):
    """Virtual cells of four sizes, and a narrow one, as they ran on 2 cores (docs/cluster.md)."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    run = RunSection(memory_gib=24.0, dtype="uint16" if angles in (180, 2400) else "float32")
    if angles is None:
        before = share_copying(shape, this_machine(run))
    else:
        scan = (angles, *shape[:2])
        before = share_out(scan, 7, run, whole_frames=False, item_bytes=2)
    need = with_measuring(before, shape, run, voxel_um3=voxel_um**3)
    for took, foretold in ((seconds, need.seconds), (memory_mib, need.memory_bytes / 2**20)):
        if took is not None:
            assert max(took) / 1.5 <= foretold <= 1.5 * min(took)
    if disk_mib is not None:
        assert need.disk_bytes / 2**20 == pytest.approx(disk_mib, rel=0.2)


def test_uint16_needs_half_the_disk():
    assert shared(dtype="uint16").disk_bytes == pytest.approx(shared().disk_bytes / 2, rel=0.03)


def test_a_small_scan_is_not_cut_into_crumbs():
    assert shared((60, 2, 48)).slab_rows == 16


@pytest.mark.parametrize(
    ("count", "text"), [(512, "512 bytes"), (2048, "2 KiB"), (3.2 * GIB, "3.2 GiB")]
)
def test_bytes_are_written_with_a_unit(count, text):
    assert show_bytes(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(12.3, "12 s"), (600, "10 min"), (9000, "2.5 h")])
def test_durations_are_written_with_a_unit(seconds, text):
    assert show_seconds(seconds) == text


def test_several_blocks_are_measured_at_a_time_where_that_takes_little_memory(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    run = RunSection(memory_gib=24.0)
    narrow = with_measuring(shared((60, 400, 512)), (400, 512, 512), run)
    wide = with_measuring(shared((60, 240, 2560)), (240, 2560, 2560), run)
    assert (narrow.measuring_workers, wide.measuring_workers) == (2, 1)
    one = with_measuring(
        shared((60, 400, 512)), (400, 512, 512), RunSection(workers=1, memory_gib=24.0)
    )
    assert one.measuring_workers == 1


def test_measuring_that_cannot_fit_is_refused_with_what_it_needs():
    run = RunSection(memory_gib=3.0)
    with pytest.raises(ConfigError, match=r"measuring 2560 × 2560 voxels takes \d\.\d GiB"):
        with_measuring(shared((60, 240, 2560)), (240, 2560, 2560), run)


class Greedy:
    """An engine that needs much memory, and takes one slab at a time."""

    name, at_once = "greedy", 1

    def unavailable(self):
        return None

    def memory_bytes(self, shape, size):
        return 6 * GIB

    def reconstruct(self, request):
        raise AssertionError("only asked for its needs")


def test_an_engine_says_what_memory_it_needs_and_how_many_slabs_it_takes():
    run = RunSection(workers=4, memory_gib=24.0)
    plain = share_out((60, 200, 400), 0, run, whole_frames=False, item_bytes=2)
    greedy = share_out((60, 200, 400), 0, run, whole_frames=False, item_bytes=2, engine=Greedy())
    assert (plain.workers, greedy.workers) == (4, 1)
    assert greedy.memory_bytes > plain.memory_bytes + 4 * GIB
