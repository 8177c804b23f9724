"""Starting: a first configuration for a scan. In: files; out: YAML, and what is still needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from xct.config import Config, read_config
from xct.errors import ConfigError
from xct.io.atomic import write_text
from xct.io.yaml_lines import parse
from xct.plan import open_scan
from xct.recipe import load_steps
from xct.scan import Scan, read_scan

_MEANING = {
    "pixel_size_um": "effective detector pixel before binning, µm",
    "theta_deg": "angles in degrees: {first: 0, last: 180, count: 1801}, or a text file",
    "flats": "flat frames: a glob pattern, or {file, path}",
    "energy_kev": "photon energy, keV",
    "distance_mm": "sample to detector, mm",
}


def write_config(scan_path: Path, *, pipeline: str, output: Path, to: Path) -> list[str]:
    """Write a short, commented configuration with everything that a scan's files say.

    Parameters
    ----------
    scan_path : Path
        File or folder of the scan.
    pipeline : str
        Name of the recipe.
    output : Path
        Folder for the result.
    to : Path
        File to write; paths inside are relative to it.

    Returns
    -------
    list of str
        Keys that neither the files nor the recipe can fill: they stand empty, with `# needed`.

    Raises
    ------
    XctError
        If the scan cannot be read, or `to` exists already.
    """
    if to.exists():
        raise ConfigError(f"{to}: exists already; name another file, or delete it first")
    if not to.resolve().parent.is_dir():
        raise ConfigError(f"{to}: its folder does not exist; make it first")
    scan = read_scan(scan_path)
    own = pipeline.endswith((".yaml", ".yml")) or "/" in pipeline
    named = _relative(Path(pipeline), to.resolve().parent) if own else pipeline
    config = Config(scan={"file": str(scan_path)}, pipeline=pipeline or " ", output=str(output))  # type: ignore[arg-type]
    needs = {name for step in load_steps(config) for name in step.stage.needs}
    folder = to.resolve().parent
    lines = [
        f"# {scan.layout} scan: {_counts(scan)}.",
        "# `xct check` names mistakes and needs; `xct stages` lists what the steps can do.",
        "scan:",
        f"  file: {_quoted(_relative(scan_path, folder))}",
        *_fact_lines(scan, needs),
        "  bin: 1                    # pixels summed along each side",
        "  # roi: {row: [0, 100]}    # raw rows and columns to keep",
        f"cell: {{name: {_quoted(scan_path.stem)}}}",
        f"pipeline: {_quoted(named)}",
        "# steps: {fbp: {window: hann}}",
        f"output: {_quoted(_relative(output, folder))}",
        "run: {dtype: float32, workers: auto, memory_gib: auto}",
    ]
    write_text(to, "\n".join(lines) + "\n")
    return _needed(scan, needs)


def _needed(scan: Scan, needs: set[str]) -> list[str]:
    known = [name for name in _MEANING if name in needs and getattr(scan, name) is None]
    return [f"scan.{name}" for name in known]


def _fact_lines(scan: Scan, needs: set[str]) -> list[str]:
    lines = []
    for name, meaning in _MEANING.items():
        value = getattr(scan, name)
        if value is None and name in needs:
            lines.append(f"  {name}:        # needed: {meaning}")
        elif value is not None and name != "flats":
            lines.append(f"  # {name}: {_shown(name, value)}, from {scan.origin.get(name, 'file')}")
    return lines


def _shown(name: str, value: Any) -> str:
    return f"{value[0]:g} … {value[-1]:g}" if name == "theta_deg" else f"{value:.6g}"


def _counts(scan: Scan) -> str:
    angles, rows, columns = scan.projections.shape
    flats = 0 if scan.flats is None else scan.flats.shape[0]
    darks = 0 if scan.darks is None else scan.darks.shape[0]
    return f"{angles} projections of {rows} × {columns}, {flats} flats, {darks} darks"


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.resolve(), folder)


def _quoted(text: str) -> str:
    """Quote a text where YAML would read it as something else."""
    parsed = parse(f"[{text}]")
    return text if not parsed.complaints and parsed.value == [text] else repr(text)


def open_any(path: Path) -> Scan:
    """Open a scan by its files, or by a configuration that names it."""
    if path.suffix in (".yaml", ".yml"):
        config, complaints = read_config(path)
        if config is None or complaints:
            raise ConfigError(*complaints)
        return open_scan(config)
    return read_scan(path)


def write_demo(out: Path, size: str) -> Path:
    """Make a small raw scan and its configuration; what is there already is used again."""
    from xct.phantom.demo import write_demo_scan

    out.mkdir(parents=True, exist_ok=True)
    scan, config = out / "raw.nxs", out / "config.yaml"
    if not scan.exists():
        write_demo_scan(scan, size=size)
    if not config.exists():
        write_config(scan, pipeline="reconstruct", output=out / "result", to=config)
    return config
