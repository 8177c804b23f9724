"""`xct bench simulate`: conductivity of voxels beside exact answers and TauFactor's.

TauFactor needs PyTorch. It may have an environment of its own, whose Python the variable
XCT_TAUFACTOR names; where there is none, its column stays empty. Voxels have steps; a second answer
lets smooth boundaries cut them, and says what the steps change.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from xct.bench.figures import Target, machine_line, table, targets_table, write_figures
from xct.bench.machine import installed
from xct.errors import XctError
from xct.simulate.block.smooth import smooth_conductivity
from xct.simulate.block.voxels import effective_conductivity

VARIABLE = "XCT_TAUFACTOR"
_EDGE = {"quick": 40, "full": 96}  # voxels
_LIMIT = 0.01
_SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, taufactor
found = []
for name in sys.argv[1:]:
    solver = taufactor.Solver(np.load(name).astype(np.uint8), device="cpu")
    solver.solve(iter_limit=100000, conv_crit=1e-4, verbose=False)
    found.append(float(np.squeeze(solver.D_eff)))
print("found", json.dumps(found))
"""


@dataclass(frozen=True)
class Medium:
    """Voxels of which some conduct.

    Attributes
    ----------
    name : str
        What they are.
    conducts : ndarray of bool, shape (z, y, x)
        What conducts along z.
    exact : float, optional
        Effective conductivity over that of what conducts, of the shape that voxels stand for.
    """

    name: str
    conducts: np.ndarray
    exact: float | None = None


@dataclass(frozen=True)
class Found:
    """Effective conductivities of a medium over that of what conducts.

    Attributes
    ----------
    name : str
        Of the medium.
    voxels, smooth : float
        On voxels as they are, and with smooth boundaries.
    exact, taufactor : float or None
        The true one, and TauFactor's; None where there is none.
    """

    name: str
    voxels: float
    smooth: float
    exact: float | None
    taufactor: float | None


def bench_simulate(out: Path, size: str) -> str:
    """Compare effective conductivities; write ``simulate.json``.

    Parameters
    ----------
    out : Path
        Folder to write.
    size : {"quick", "full"}
        How many voxels.

    Returns
    -------
    str
        Tables for the terminal.
    """
    media = list(draw_media(_EDGE[size]))
    theirs = by_taufactor([medium.conducts for medium in media])
    found = [
        Found(
            medium.name, effective_conductivity(medium.conducts).ratio,
            smooth_conductivity(medium.conducts), medium.exact, other,
        )
        for medium, other in zip(media, theirs, strict=True)
    ]  # fmt: skip
    targets = [
        Target(f"{each.name}: difference from TauFactor",
               100 * abs(each.voxels / each.taufactor - 1), "at most", 100 * _LIMIT, "%")
        for each in found if each.taufactor is not None
    ]  # fmt: skip
    write_figures(out, "simulate", size, {
        "results": [asdict(each) for each in found],
        "targets": [target.as_dict() for target in targets],
    })  # fmt: skip
    heads = ("κ over that of the conductor", "voxels", "smooth", "TauFactor", "exact")
    rows = [
        (each.name, *(_shown(v) for v in (each.voxels, each.smooth, each.taufactor, each.exact)))
        for each in found
    ]
    parts = [machine_line(), table(heads, rows)]
    parts.append(
        targets_table(targets)
        if targets
        else "TauFactor is not installed: `pip install taufactor` "
        f"in an environment of its own, whose Python the variable {VARIABLE} names"
    )
    return "\n\n".join(parts)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def draw_media(edge: int) -> Iterator[Medium]:
    """Draw the media: spheres with an exact answer, and two kinds of random grains."""
    from scipy.ndimage import gaussian_filter

    for fraction in (0.2, 0.4):
        radius = edge * (3 * fraction / (4 * np.pi)) ** (1 / 3)
        at = np.arange(edge) - (edge - 1) / 2
        away = np.sqrt(at[:, None, None] ** 2 + at[:, None] ** 2 + at**2)
        yield Medium(f"around spheres, {fraction:.0%}", away > radius, _around_spheres(fraction))
    rng = np.random.default_rng(7)
    for size, part in ((edge / 20, 0.5), (edge / 10, 0.65)):
        field = gaussian_filter(rng.normal(size=(edge,) * 3), size, mode="reflect")
        conducts = field < np.quantile(field, part)
        yield Medium(f"random, grains of {4 * size:.0f} voxels, {part:.0%}", conducts)


def _around_spheres(fraction: float) -> float:
    """Give what a simple cubic array of insulating spheres leaves of a conductivity.

    Rayleigh, Phil. Mag. 34, 481 (1892), as corrected by Runge, to the order φ^(10/3).
    """
    return float(1 - 3 * fraction / (2 + fraction - 0.392 * fraction ** (10 / 3)))


def by_taufactor(media: list[np.ndarray]) -> list[float | None]:
    """Have TauFactor find the effective conductivity of media; None for each where it is not.

    Raises
    ------
    XctError
        If the Python that XCT_TAUFACTOR names cannot run it.
    """
    python = os.environ.get(VARIABLE)
    if python is None and installed("taufactor") is None:
        return [None] * len(media)
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder, f"{number}.npy")) for number in range(len(media))]
        for name, medium in zip(names, media, strict=True):
            np.save(name, medium)
        command = [python or sys.executable, "-c", _SCRIPT, *names]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, encoding="utf-8", check=False,
                env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            )  # fmt: skip
        except OSError as error:
            raise XctError(f"{VARIABLE}: {python} does not start: {error.strerror}") from None
    lines = [line for line in done.stdout.splitlines() if line.startswith("found ")]
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise XctError(
            f"{VARIABLE}: {command[0]} does not run TauFactor: {last}; `pip install taufactor` "
            "there"
        )
    return list(json.loads(lines[-1].removeprefix("found ")))
