"""The benches by name. In: a name, a folder and a size; out: tables, JSON and PNG."""

from __future__ import annotations

from pathlib import Path

from xct.bench.accuracy import bench_accuracy
from xct.bench.kernels import bench_stages
from xct.bench.slices import bench_slices
from xct.bench.starved import bench_starved
from xct.bench.wholescan import bench_scan


def bench(name: str, out: Path, size: str, *, slow: bool = False) -> str:
    """Run one bench.

    Parameters
    ----------
    name : {"reconstruct", "stages", "scan", "accuracy", "starved"}
        Which one.
    out : Path
        Folder of its figures.
    size : {"quick", "full"}
        How large.
    slow : bool, optional
        Whether slow packages do the whole of the work, too.

    Returns
    -------
    str
        Tables for the terminal.
    """
    if name == "accuracy":
        return bench_accuracy(out, size)
    if name == "starved":
        return bench_starved(out, size)
    if name == "reconstruct":
        return bench_slices(out, size, slow=slow)
    return bench_stages(out, size) if name == "stages" else bench_scan(out, size)
