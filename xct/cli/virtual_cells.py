"""Commands about virtual cells: phantom, score, plan, demo, bench."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from xct.cli.completion import names_from, recipes, states
from xct.errors import XctError


class Numbers(click.ParamType):
    """A fixed number of positive numbers with commas between them, such as 160,256,256."""

    def __init__(self, names: str, kind: type) -> None:
        self.name, self.kind = names, kind

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[Any, ...]:
        """Read the numbers, or say what was expected."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(self.kind(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != self.name.count(",") + 1 or min(numbers) <= 0:
            self.fail(f"{value!r} is not {self.name}: positive numbers with commas", param, ctx)
        return numbers


@contextmanager
def _mistakes_explained() -> Iterator[None]:
    """Give what a function refuses as a user's mistake: a line, and no traceback."""
    try:
        yield
    except XctError:
        raise
    except ValueError as error:
        raise XctError(*str(error).splitlines()) from error


@click.command()
@click.argument("state", required=False, shell_complete=names_from(states))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to make.")
@click.option("--seed", default=0, show_default=True, help="Equal seeds give equal cells.")
@click.option("--shape", default="160,256,256", show_default=True, type=Numbers("Z,Y,X", int))
@click.option("--voxel-um", default=2.0, show_default=True, help="Edge of a voxel.")
@click.option("--bore-um", type=float, help="Diameter of the bore; fits the view unless given.")
@click.option("--torlon", is_flag=True, help="With the housing, beyond the field of view.")
@click.option("--anode", default="low_z", type=click.Choice(["low_z", "high_z"]))
@click.option(
    "--make", default="pressed", show_default=True, type=click.Choice(["pressed", "scattered"]),
    help="Packing, shapes, pores, bent faces.",
)  # fmt: skip
@click.option("--angles", type=int, help="Projections over 180°; 400 unless given.")
@click.option("--energy-kev", type=float, help="Photon energy; 25 unless given.")
@click.option("--glare", type=float, help="Fraction of veiling glare; 0.003 unless given.")
@click.option("--noise", default=1.0, show_default=True, help="Times usual; 0: ideal detector.")
@click.option("--distance-mm", type=float, help="Propagation; none unless given.")
@click.option("--moving-flats", "drift_px", type=float, help="Rows that the beam moves; 1.")
@click.option("--tilt", "axis_tilt_deg", type=float, help="Degrees that the axis leans sideways.")
@click.option("--jitter", "jitter_px", type=float, help="Pixels (sd) that the stage stands off.")
@click.option("--half-acquisition", is_flag=True, default=None, help="A full turn about an edge.")
@click.option("--lost-frames", type=int, help="Projections without light.")
@click.option("--blocked-flats", type=int, help="Flats with the sample in them.")
@click.option("--lit-darks", type=int, help="Darks with light.")
@click.option("--flat-exposure", type=float, help="Of a flat over that of a projection.")
@click.option("--dose-jump", type=float, help="Light of the second half over the first.")
@click.option(
    "--format", "layout", default="nxtomo", show_default=True,
    type=click.Choice(["dxchange", "nxtomo", "p05", "tiff"]),
)  # fmt: skip
@click.option(
    "--pipeline", default="tomo_cell", show_default=True, help="Recipe to name.",
    shell_complete=names_from(recipes, or_file=True),
)  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path), help="YAML naming a volume of your own.")
def phantom(state: str | None, out: Path, distance_mm: float | None, **wanted: Any) -> None:
    """Write the raw scan of a virtual cell, its configuration and its truth.

    STATE is ncm-0, ncm-50, ncm-100, lzp-0, lzp-50, lzp-100, or a twin of ncm-100: -drift-only,
    -delithiated-only, -voids, -uncorrelated, -cracked; or ncm-50-filaments, ncm-50-gaps. With
    --config, a volume of labels or μ of your own is scanned instead.
    """
    from xct.phantom.writing import write_phantom

    with _mistakes_explained():
        written = write_phantom(state, out, distance_mm=distance_mm, **wanted)
    click.echo(f"wrote {out}: raw/, truth/ and config.yaml")
    click.echo(f"next: xct run {written}; xct score {out / 'result'} {out / 'truth'}")


@click.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.argument("truth", type=click.Path(path_type=Path))
@click.option(
    "--pristine-truth",
    type=click.Path(path_type=Path),
    help="Truth of the same cell before; displacement is compared, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def score(result: Path, truth: Path, pristine_truth: Path | None, as_json: bool) -> None:
    """Compare RESULT with the TRUTH of a virtual cell.

    Where there is only a volume, the volume is compared.
    """
    import json

    from xct.score import score as score_result
    from xct.score import score_text

    with _mistakes_explained():
        found = score_result(result, truth, pristine_truth)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else score_text(found))


@click.command()
@click.option("--energy-kev", default=25.0, show_default=True, help="Photon energy.")
@click.option("--exposure-ms", default=25.0, show_default=True, help="Of one projection.")
@click.option("--angles", default=2400, show_default=True, help="Projections over 180°.")
@click.option("--bore-um", default=3000.0, show_default=True, help="Diameter of the cell.")
@click.option("--pixel-um", default=1.3, show_default=True, help="Width of a binned pixel.")
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="TEXT",
    help="NAME=MATERIAL:FRACTION,…@THICKNESS_UM instead of the tomo-cell's layers.",
)
@click.option("--quanta-per-ms", default=1920.0, show_default=True, help="In a binned pixel.")
@click.option("--torlon-mm", default=0.0, show_default=True, help="Housing in the beam.")
@click.option("--glare", default=0.003, show_default=True, help="Fraction of veiling glare.")
def plan(layers: tuple[str, ...], **wanted: Any) -> None:
    """Predict what a scan of a cell will show, before the beamtime.

    Transmission of each plane, noise, contrast of each pair of materials and of delithiation,
    sampling, and a verdict in words.
    """
    from xct.beamtime import layer_from_text, plan_beamtime

    with _mistakes_explained():
        if layers:
            wanted["layers"] = [layer_from_text(text) for text in layers]
        click.echo(str(plan_beamtime(**wanted)))


@click.command()
@click.option("--size", type=click.Choice(["small", "medium"]), default="small", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
def demo(size: str, out: Path) -> None:
    """Make six virtual cells, measure them, and compare with the truth.

    An interrupted demo goes on where it was.
    """
    from xct.bench.demo import run_demo

    click.echo(run_demo(out, size))


@click.command()
@click.argument(
    "what",
    required=False,
    type=click.Choice(
        [
            "reconstruct",
            "stages",
            "scan",
            "measure",
            "stripes",
            "axis",
            "beams",
            "scaling",
            "simulate",
            "accuracy",
            "conditions",
            "starved",
        ]
    ),
    metavar="[WHAT]",
)
@click.option("--size", type=click.Choice(["quick", "full"]), default="quick", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("bench"), show_default=True)
@click.option("--slow", is_flag=True, help="Give slow packages every angle, too.")
def bench(what: str | None, size: str, out: Path, slow: bool) -> None:
    """Time reconstruct, stages or scan, beside other packages; measure; or find the accuracy.

    Without a WHAT, the first three. Packages that are not installed are named. Figures go to
    OUT/WHAT.json and OUT/WHAT.png. `measure` goes from a volume to the numbers of a cell, by step:
    400 × 512 × 512 voxels (quick), and as wide as the bore, 240 × 2560 × 2560 (full). `stripes`
    says what is left of stripes of each kind, `axis` how sure the rotation axis is and how right,
    `beams` what mishaps of a scan do to the slices, `scaling` how fast a cluster would be,
    `simulate` what blocks of voxels conduct beside exact answers and TauFactor's. The
    `accuracy` is that of virtual cells: one seed of each state (quick) or ten (full: hours).
    `conditions` is that of small cells at other energies, voxels and noise, which `accuracy` holds.
    """
    from xct.bench.commands import bench as run_bench

    for name in [what] if what else ["reconstruct", "stages", "scan"]:
        click.echo(run_bench(name, out, size, slow=slow))


COMMANDS = (phantom, score, plan, demo, bench)
