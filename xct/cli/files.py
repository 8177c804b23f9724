"""Commands on scans and results that are there: convert, export, view, draw, compare, simulate."""

from __future__ import annotations

from pathlib import Path

import click

from xct.cli.completion import labels, names_from, roi_sets


@click.command()
@click.argument("scan", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--format", "layout", required=True, type=click.Choice(["dxchange", "nxtomo"]))
def convert(scan: Path, to: Path, layout: str) -> None:
    """Write SCAN as one HDF5 file of another layout.

    SCAN may be a configuration as well, where its files do not say everything.
    """
    from xct.config.new_config import open_any
    from xct.io.convert import convert as convert_scan

    convert_scan(open_any(scan), to, "nxtomo" if layout == "nxtomo" else "dxchange")
    click.echo(f"wrote {to}")


@click.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.option("--tiff", type=click.Path(path_type=Path), help="Folder of TIFF slices to write.")
@click.option(
    "--to", type=click.Path(path_type=Path), help="File to write: .ome.tif, .nrrd or .vti."
)
@click.option(
    "--labels", metavar="NAME", help="Labels in place of the volume, e.g. materials.",
    shell_complete=names_from(labels),
)  # fmt: skip
@click.option("--bits", type=click.Choice(["8", "16", "32"]), help="With --tiff; 32 unless given.")
@click.option("--window", metavar="A,B", help="Range in 1/cm that 8 or 16 bits cover.")
def export(
    result: Path,
    tiff: Path | None,
    to: Path | None,
    labels: str | None,
    bits: str | None,
    window: str | None,
) -> None:
    """Write a volume, or its labels, for other programs.

    ImageJ opens TIFF slices with their voxel size and, at 8 and 16 bits, their scale in 1/cm.
    OME-TIFF is for Bio-Formats, NRRD for Avizo and 3D Slicer, VTI for ParaView.
    """
    from xct.errors import ConfigError
    from xct.io.export import export_file, export_tiff, of_labels, of_volume, parse_window
    from xct.result import open_result

    if (tiff is None) == (to is None):
        raise ConfigError("name either a folder by --tiff, or a file by --to")
    coded = bits is not None or window is not None
    if coded and (to is not None or labels is not None):
        raise ConfigError("--bits and --window: only for a volume as --tiff; leave them out")
    opened = open_result(result)
    if labels is None:
        source = of_volume(opened.stored_volume)
    else:
        source = of_labels(opened.path / "volume.zarr", labels)
    if to is not None:
        click.echo(export_file(source, to))
    elif tiff is not None:
        click.echo(export_tiff(source, tiff, bits=int(bits or 32), window=parse_window(window)))


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
def view(results: tuple[Path, ...]) -> None:
    """Open results in napari: volumes, materials, particles, surfaces, ROIs.

    Needs the extra xct[napari] and a screen.
    """
    from xct.errors import XctError

    for path in results:
        if not path.exists():  # said before napari is loaded, which takes seconds
            raise XctError(f"{path}: no such file or folder")
    from xct.plugin.view import show

    show(list(results))


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--pdf", is_flag=True, help="Print the report, too, by a browser that is there.")
@click.option("--parquet", is_flag=True, help="Write tables as Parquet, too, by pyarrow.")
def compare(sources: tuple[Path, ...], out: Path | None, pdf: bool, parquet: bool) -> None:
    """Put cells side by side: one report.html, tables and figures.

    SOURCES is a study in YAML, or results, which say of themselves what they are.
    """
    from xct.cli.text_output import comparison_text
    from xct.report.of_run import REPORT
    from xct.study.comparing import compare as compare_cells
    from xct.study.exports import print_pdf, write_parquet
    from xct.study.settings import load_study

    is_study = len(sources) == 1 and sources[0].suffix in (".yaml", ".yml")
    source = sources[0] if is_study else list(sources)
    folder = Path(out or load_study(source).output or "comparison")
    found = compare_cells(source, out=folder)
    click.echo(comparison_text(found))
    click.echo(f"wrote {folder / REPORT}")
    if parquet:
        write_parquet(folder / "tables", found.tables)
    if pdf:
        click.echo(f"wrote {print_pdf(folder / REPORT)}")


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.")
def simulate(config: Path, out: Path | None) -> None:
    """Find current, plated lithium and stress by finite elements, as CONFIG describes.

    On an ideal cell, on a plane of a result, or on a block of one.
    """
    from xct.cli.text_output import simulation_text
    from xct.simulate import simulate as solve
    from xct.simulate.settings import load_settings

    folder = Path(out or load_settings(config).output or "simulation")
    click.echo(simulation_text(solve(config, out=folder)))
    click.echo(f"wrote {folder}: summary.json, figures/, tables/, cases/")


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("rendered"), show_default=True)
@click.option(
    "--rois", metavar="SET", help="ROIs to outline: a set that xct ships, or a file.",
    shell_complete=names_from(roi_sets, or_file=True),
)  # fmt: skip
@click.option("--ground", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@click.option(
    "--opacity",
    "opacities",
    multiple=True,
    metavar="NAME=A",
    help="0 is not drawn, 1 is solid: lithium, absent_lithium, electrolyte, active_material, "
    "drifted, section, rois.",
)
@click.option("--turntable", "film", is_flag=True, help="Film each cell turning, as MP4.")
def render(
    results: tuple[Path, ...],
    out: Path,
    rois: str | None,
    ground: str,
    opacities: tuple[str, ...],
    film: bool,
) -> None:
    """Draw cells in 3-D, cut open: PNG, cells.html to turn them by hand, MP4.

    Cells are on one scale and seen by one camera. Needs the extra xct[render], no screen.
    """
    from xct.render.rendering import parse_opacities, render_results

    written = render_results(
        results, out, rois=rois, ground=ground, opacities=parse_opacities(opacities), film=film,
        said=lambda text: click.echo(f"not shown: {text}", err=True),
    )  # fmt: skip
    for path in written:
        click.echo(f"wrote {path}")


@click.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.argument("source", shell_complete=names_from(roi_sets, or_file=True))
@click.option("--to", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option(
    "--thickness-um",
    type=click.FloatRange(0, min_open=True),
    metavar="T",
    help="Of ROIs drawn in ImageJ, about their slice, that do not say which slices they span.",
)
def rois(result: Path, source: str, to: Path, thickness_um: float | None) -> None:
    """Turn a ROI set into ROIs of ImageJ on the slices of RESULT, or such ROIs into a ROI set.

    SOURCE is a ROI set (YAML, or a name that xct ships) and --to a .zip or .roi file; or SOURCE is
    a .zip or .roi file and --to a YAML file. The slices are those of `xct export RESULT --tiff`.
    """
    from xct.analyze.roi.files import read_rois, roi_set_file, write_rois
    from xct.analyze.roi.imagej import ENDINGS, read_imagej, write_imagej
    from xct.result import open_result

    cell = open_result(result).cell
    if Path(source).suffix.lower() in ENDINGS:
        found = read_imagej(source, cell, thickness_um=thickness_um)
        write_rois(to, found)
        click.echo(f"wrote {len(found)} ROIs to {to}")
        return
    for text in write_imagej(to, read_rois(roi_set_file(source)), cell):
        click.echo(text, err=True)
    click.echo(f"wrote {to}")


COMMANDS = (convert, export, view, render, compare, simulate, rois)
