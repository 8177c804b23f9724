"""The benches by name. In: a name, a folder and a size; out: tables, JSON and PNG."""

from __future__ import annotations

from pathlib import Path

from xct.bench.accuracy import bench_accuracy, bench_conditions
from xct.bench.axis.campaign import bench_axis
from xct.bench.beams.levels import bench_levels
from xct.bench.beams.slices import bench_mishaps
from xct.bench.kernels import bench_stages
from xct.bench.measuring import bench_measure
from xct.bench.scaling.measured import bench_scaling
from xct.bench.slices import bench_slices
from xct.bench.stripes.removal import bench_stripes
from xct.bench.tortuosity import bench_simulate
from xct.bench.wholescan import bench_scan
from xct.errors import ConfigError


def bench(name: str, out: Path, size: str, *, slow: bool = False) -> str:
    """Run one bench.

    Parameters
    ----------
    name : {"reconstruct", "stages", "scan", "measure", "stripes", "axis", "beams", "scaling",
        "simulate", "accuracy", "conditions"}
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

    Raises
    ------
    ConfigError
        If it is `starved`, which was a bench before it became a study.
    """
    if name == "accuracy":
        return bench_accuracy(out, size)
    if name == "conditions":
        return bench_conditions(out, size)
    if name == "starved":
        raise ConfigError(
            "xct bench starved is a study now: python -m studies.photon_starved_cathode "
            f"--size {size} --out {out}, in a checkout of the sources"
        )
    if name == "axis":
        return bench_axis(out, size)
    if name == "beams":
        slices = bench_mishaps(out, size)
        return slices if size == "quick" else f"{slices}\n\n{bench_levels(out)}"
    if name == "measure":
        return bench_measure(out, size)
    if name == "scaling":
        return bench_scaling(out, size)
    if name == "simulate":
        return bench_simulate(out, size)
    if name == "stripes":
        return bench_stripes(out, size)
    if name == "reconstruct":
        return bench_slices(out, size, slow=slow)
    return bench_stages(out, size) if name == "stages" else bench_scan(out, size)
