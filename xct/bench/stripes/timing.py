"""How long stripes take to remove, by sorting beside algotom. In: a size; out: seconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from xct.bench.machine import installed
from xct.bench.timing import Task, entry, in_turns
from xct.parallel.threads import thread_count
from xct.preprocess import stripes

_SORTING_PX = 21
OURS, OURS_ONE = "sorting, all cores", "sorting, one sinogram"
THEIRS, THEIRS_ONE = "algotom, all cores", "algotom, one sinogram"


def measure_stripes(angles: int, columns: int) -> dict[str, dict[str, Any]]:
    """Time the removal of stripes, by sorting beside algotom: on one core, and on all.

    Parameters
    ----------
    angles, columns : int
        Of a sinogram.

    Returns
    -------
    dict of str to dict
        By method: `seconds_a_sinogram`; of algotom also the largest difference from its result.
        Values that are equal to another in their column are left out of that.
    """
    cores = thread_count()
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(size=(angles, columns)), axis=1, dtype=np.float32) / 10
    slab = np.repeat(smooth[:, None], 2 * cores, axis=1)
    tasks = {
        OURS: Task(lambda: _sorted_out(slab), scale=0.5 / cores),
        OURS_ONE: Task(lambda: _sorted_out(slab[:, :1])),
        "profile, all cores": Task(lambda: stripes(slab), scale=0.5 / cores),
    }
    if installed("algotom"):
        tasks |= _algotom_tasks(smooth, slab)
    found = {n: entry(t, "seconds_a_sinogram") for n, t in in_turns(tasks).items()}
    if installed("algotom"):
        from algotom.prep.removal import remove_stripe_based_sorting

        theirs = remove_stripe_based_sorting(smooth, _SORTING_PX)
        differs = np.abs(theirs - _sorted_out(slab[:, :1])[:, 0])
        found[THEIRS_ONE]["largest_difference"] = float(differs[_without_equals(smooth)].max())
    return found


def _without_equals(sinogram: np.ndarray) -> np.ndarray:
    """Mark values that occur once in their column: the order of equal ones is arbitrary."""
    order = np.argsort(sinogram, axis=0)
    same = np.diff(np.take_along_axis(sinogram, order, axis=0), axis=0) == 0
    edge = np.zeros((1, sinogram.shape[1]), np.bool_)
    equal = np.concatenate([edge, same]) | np.concatenate([same, edge])
    single = np.empty(sinogram.shape, np.bool_)
    np.put_along_axis(single, order, ~equal, axis=0)
    return single


def _sorted_out(slab: np.ndarray) -> np.ndarray:
    return stripes(slab, method="sorting", size_px=_SORTING_PX)


def _algotom_tasks(smooth: np.ndarray, slab: np.ndarray) -> dict[str, Task]:
    from algotom.prep.removal import remove_stripe_based_sorting
    from algotom.util.utility import parallel_process_slices

    cores = thread_count()
    several = np.ascontiguousarray(slab[:, :cores])

    def each_on_its_core() -> object:
        return parallel_process_slices(
            several, remove_stripe_based_sorting, [_SORTING_PX], axis=1, ncore=cores,
            prefer="threads",
        )  # fmt: skip

    return {
        THEIRS_ONE: Task(lambda: remove_stripe_based_sorting(smooth, _SORTING_PX), runs=3),
        THEIRS: Task(each_on_its_core, runs=3, scale=1 / cores),
    }
