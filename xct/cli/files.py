"""Commands on scans and results that are there: convert, export, view, compare."""

from __future__ import annotations

from pathlib import Path

import click


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
@click.option("--tiff", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--bits", type=click.Choice(["8", "16", "32"]), default="32", show_default=True)
@click.option("--window", metavar="A,B", help="Range in 1/cm that 8 or 16 bits cover.")
def export(result: Path, tiff: Path, bits: str, window: str | None) -> None:
    """Write a volume as TIFF files.

    ImageJ opens them with their voxel size and, at 8 and 16 bits, their scale in 1/cm.
    """
    from xct.io.export import export_tiff, parse_window
    from xct.result import open_result

    message = export_tiff(
        open_result(result).stored_volume, tiff, bits=int(bits), window=parse_window(window)
    )
    click.echo(message)


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
def view(results: tuple[Path, ...]) -> None:
    """Open results in napari: volumes, materials, particles, surfaces, ROIs.

    Needs the extra xct[napari] and a screen.
    """
    from xct.plugin.view import show

    show(list(results))


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.")
def compare(sources: tuple[Path, ...], out: Path | None) -> None:
    """Put cells side by side: one report.html, tables and figures.

    SOURCES is a study in YAML, or results, which say of themselves what they are.
    """
    from xct.cli.text_output import comparison_text
    from xct.study.comparing import REPORT
    from xct.study.comparing import compare as compare_cells
    from xct.study.settings import load_study

    is_study = len(sources) == 1 and sources[0].suffix in (".yaml", ".yml")
    source = sources[0] if is_study else list(sources)
    folder = Path(out or load_study(source).output or "comparison")
    click.echo(comparison_text(compare_cells(source, out=folder)))
    click.echo(f"wrote {folder / REPORT}")


COMMANDS = (convert, export, view, compare)
