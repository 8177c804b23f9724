"""`xct bench stripes`: what is left of stripes of each kind, beside algotom, and how long it takes.

Real sinograms are looked for in the folder that XCT_TEST_DATA names.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from xct.bench.figures import Target, machine_line, table, targets_table, write_figures
from xct.bench.machine import installed
from xct.bench.stripes.ring_energy import edge_change, ring_reduction, ring_sd
from xct.bench.stripes.sinograms import KINDS, SAMPLES, Striped, draw, read_real
from xct.parallel.threads import limit_threads
from xct.preprocess import measure_stripes, stripes
from xct.reconstruct import fbp

log = logging.getLogger("xct")

# Angles and columns of a drawn sinogram; how many seeds; angles and columns of the timed one.
_SIZES: Mapping[str, tuple[int, int, int, tuple[int, int]]] = {
    "quick": (600, 512, 3, (600, 640)),
    "full": (1201, 1024, 3, (2400, 2560)),
}
# Thresholds of the stage were chosen on other seeds, below this one.
_FIRST_SEED = 100
_METHODS = ("profile", "weak", "both", "wavelet", "auto")
PEER = "algotom"
# Each of our methods, algotom's function that does nearly the same, and its settings.
_PEERS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "profile": ("remove_stripe_based_normalization", {}),
    "sorting": ("remove_stripe_based_sorting", {"size": 15}),
    "both": ("remove_all_stripe", {}),
    "wavelet": ("remove_stripe_based_wavelet_fft", {"level": 4, "wavelet_name": "db5"}),
}
# A scan decides on some rows, once: that, and what Münch's wavelets take, is said, not wanted.
DECIDING = "measure_stripes"
_TARGET_SECONDS, _WITHOUT_TARGET = 0.2, ("wavelet", DECIDING)

Remove = Callable[[np.ndarray], np.ndarray]


def removers() -> dict[str, Remove]:
    """Give the ways to remove stripes from a sinogram, by name; algotom's where it is installed."""
    ways: dict[str, Remove] = {method: _ours(method) for method in _METHODS}
    if installed(PEER):
        ways[PEER] = _theirs
    return ways


def _ours(method: str) -> Remove:
    def remove(sinogram: np.ndarray) -> np.ndarray:
        return stripes(sinogram[:, None], method=method)[:, 0]  # type: ignore[arg-type]

    return remove


def _theirs(sinogram: np.ndarray) -> np.ndarray:
    from algotom.prep.removal import remove_all_stripe

    return np.asarray(remove_all_stripe(sinogram), np.float32)


def bench_stripes(out: Path, size: str) -> str:
    """Compare ways to remove stripes; write ``stripes.json``.

    Parameters
    ----------
    out : Path
        Folder to write.
    size : {"quick", "full"}
        How large sinograms are, and how many seeds are drawn.

    Returns
    -------
    str
        Tables for the terminal.
    """
    angles, columns, seeds, timed = _SIZES[size]
    drawn = measure_drawn(angles, columns, range(_FIRST_SEED, _FIRST_SEED + seeds))
    real = measure_real(Path(os.environ.get("XCT_TEST_DATA", "data")))
    seconds, beside = measure_seconds(*timed), measure_beside(*timed)
    judged = [
        Target(f"{name}, {timed[0]} × {timed[1]}, one core", value, "at most", _TARGET_SECONDS, "s")
        for name, value in seconds.items()
        if name not in (PEER, *_WITHOUT_TARGET)
    ]
    found = {
        "drawn": {"angles": angles, "columns": columns, "seeds": seeds, "kinds": drawn},
        "real": real,
        "seconds_a_sinogram": {"angles": timed[0], "columns": timed[1], **seconds},
        "beside_algotom": beside,
        "targets": [target.as_dict() for target in judged],
    }
    path = write_figures(out, "stripes", size, found)
    parts = [
        machine_line(),
        _table("residual, sd of noise", drawn, "residual"),
        _table("rings in the slice, sd of its noise", drawn, "rings"),
        _table("real sinograms: rings weaker by", real, "ring_reduction"),
        _table("real sinograms: change of edges", real, "edge_change"),
        table(("s a sinogram, one core", *seconds), [("", *seconds.values())]),
        _beside_table(beside),
        targets_table(judged),
        f"wrote {path}",
    ]
    return "\n\n".join(part for part in parts if part)


def measure_drawn(
    angles: int, columns: int, seeds: Sequence[int]
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure what is left of drawn stripes.

    Returns
    -------
    dict
        By kind and sample, and by way: `residual`, root mean square of the difference from the
        sinogram without stripes over its noise, and `rings`, standard deviation of the rings that
        this difference makes in the slice over the noise of the slice; means over seeds.
    """
    ways = {"untouched": _untouched, **removers()}
    found = {}
    for kind in KINDS:
        for sample in SAMPLES:
            log.info("stripes: %s on %s …", kind, sample)
            cases = [draw(kind, sample, seed, angles, columns) for seed in seeds]
            found[f"{kind}, {sample}"] = {
                name: _means([_left(case, remove) for case in cases])
                for name, remove in ways.items()
            }
    return found


def _untouched(sinogram: np.ndarray) -> np.ndarray:
    return sinogram


def _means(entries: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([entry[key] for entry in entries])) for key in entries[0]}


def _left(case: Striped, remove: Remove) -> dict[str, float]:
    off = remove(case.striped) - case.clean
    radius_px = int(0.45 * off.shape[1])
    noise = np.random.default_rng(0).normal(0, case.noise_sd, off.shape).astype(np.float32)
    rings, grain = (_slice(values, case.theta_deg, case.center_px) for values in (off, noise))
    sd = float(
        np.std(grain[len(grain) // 4 : -len(grain) // 4, len(grain) // 4 : -len(grain) // 4])
    )
    return {
        "residual": float(np.sqrt(np.mean(off**2)) / case.noise_sd),
        "rings": ring_sd(rings, radius_px) / sd,
    }


def _slice(sinogram: np.ndarray, theta_deg: np.ndarray, center_px: float) -> np.ndarray:
    values = np.ascontiguousarray(sinogram, np.float32)[:, None]
    return np.asarray(fbp(values, theta_deg, center_px, pixel_size_um=1e4)[0])


def measure_real(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Measure rings and edges of the slices of real sinograms.

    Returns
    -------
    dict
        By sinogram and way: `ring_reduction` and `edge_change`, as the functions of these names.
    """
    found = {}
    for name, real in read_real(folder).items():
        log.info("stripes: %s …", name)
        before = _slice(real.sinogram, real.theta_deg, real.center_px)
        entry = {}
        for way, remove in removers().items():
            after = _slice(remove(real.sinogram), real.theta_deg, real.center_px)
            entry[way] = {
                "ring_reduction": ring_reduction(before, after, real.radius_px),
                "edge_change": edge_change(before, after, real.radius_px),
            }
        found[name] = entry
    return found


def measure_seconds(angles: int, columns: int) -> dict[str, float]:
    """Time a sinogram on one core; processor time, of algotom one run, of ours the median of 5.

    ``auto`` does what was picked, as in a scan; picking is timed by itself, for one row.
    """
    sinogram = draw("dead", "discs", _FIRST_SEED, angles, columns).striped
    ways: dict[str, Callable[[np.ndarray], object]] = dict(removers())
    found = {}
    with limit_threads(1):
        way = measure_stripes(sinogram[:, None]).way
        ways["auto"] = lambda values: stripes(values[:, None], way, method="auto")[:, 0]
        ways[DECIDING] = lambda values: measure_stripes(values[:, None])
        for name, remove in ways.items():
            if name != PEER:
                remove(sinogram)
            runs = [_seconds(remove, sinogram) for _ in range(1 if name == PEER else 5)]
            found[name] = float(np.median(runs))
    return found


def measure_beside(angles: int, columns: int) -> dict[str, dict[str, str | float]]:
    """Time each method and the function of algotom that does nearly the same, by turns, one core.

    Returns
    -------
    dict
        By method: the `peer`, `seconds`, `peer_seconds`, and how many `times_faster`; nothing
        without algotom.
    """
    if not installed(PEER):
        return {}
    from algotom.prep import removal

    sinogram = draw("full", "discs", _FIRST_SEED, angles, columns).striped
    found: dict[str, dict[str, str | float]] = {}
    with limit_threads(1):
        for method, (name, settings) in _PEERS.items():
            log.info("stripes: %s beside %s …", method, name)
            ours, theirs = _ours(method), partial(getattr(removal, name), **settings)
            ours(sinogram)
            turns = [(_seconds(ours, sinogram), _seconds(theirs, sinogram)) for _ in range(3)]
            own, other = np.median(turns, axis=0)
            found[method] = {
                "peer": name,
                "seconds": float(own),
                "peer_seconds": float(other),
                "times_faster": float(other / own),
            }
    return found


def _beside_table(beside: Mapping[str, Mapping[str, str | float]]) -> str:
    if not beside:
        return ""
    rows = [(method, *entry.values()) for method, entry in beside.items()]
    return table(("one core", "algotom's", "s", "algotom s", "times faster"), rows)


def _seconds(remove: Callable[[np.ndarray], object], sinogram: np.ndarray) -> float:
    start = time.process_time()
    remove(sinogram)
    return time.process_time() - start


def _table(head: str, found: Mapping[str, Mapping[str, Mapping[str, float]]], key: str) -> str:
    if not found:
        return ""
    ways = list(next(iter(found.values())))
    rows = [(name, *(entry[way][key] for way in ways)) for name, entry in found.items()]
    return table((head, *ways), rows)
