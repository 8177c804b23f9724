"""Starting: a first configuration for a scan. In: files; out: YAML, and what is still needed."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xct.config.beginning import cell_line, quoted
from xct.config.candidates import MEANING, angle_files, candidates, relative
from xct.config.loading import read_config
from xct.config.model import Config
from xct.config.recipe import Step, load_steps, starting_from
from xct.config.schema import config_schema
from xct.config.sources import open_scan
from xct.errors import ConfigError, ScanError, XctError
from xct.io.appearance import appearance
from xct.io.atomic import write_text
from xct.io.scans.reading import read_scan
from xct.io.volume_files.opening import looks_like_volume, of_another_program, open_foreign
from xct.io.volume_files.volume import ForeignVolume, Request, show_size, volume_facts
from xct.scan import Quantity, Scan
from xct.segment.cell.grains_in_file import spacing_doubt

# Beside the configuration, for editors: they find it without a network, and it fits this version.
_SCHEMA = ".xct-schema.json"


@dataclass(frozen=True)
class Begun:
    """Lines of a configuration, and what is to be known of them.

    Attributes
    ----------
    lines : list of str
        YAML.
    needed : list of str
        Keys that stand empty.
    notes : list of str
        Why the files alone are not enough.
    hint : str
        What else the files could be.
    warnings : list of str
        What is missing, or was left out.
    """

    lines: list[str]
    needed: list[str]
    notes: list[str] = field(default_factory=list)
    hint: str = ""
    warnings: list[str] = field(default_factory=list)


def write_config(scan_path: Path, *, pipeline: str, output: Path, to: Path) -> Begun:
    """Write a short, commented configuration with everything that a scan's files say.

    Where they are not understood, or contradict each other, it says why, and lists what could
    be meant as comments.

    Parameters
    ----------
    scan_path : Path
        File or folder of the scan.
    pipeline : str
        Name of the recipe.
    output : Path
        Folder for the result.
    to : Path
        File to write; paths inside are relative to it. The schema that editors check it with is
        written beside it.

    Returns
    -------
    Begun
        `needed` names the keys that neither the files nor the recipe can fill: they stand
        empty, with `# needed`.

    Raises
    ------
    XctError
        If there is nothing that could be a scan, or `to` exists already.
    """
    if to.exists():
        raise ConfigError(f"{to}: exists already; name another file by --to, or delete it first")
    if not to.resolve().parent.is_dir():
        raise ConfigError(f"{to}: its folder does not exist; make it first")
    own = pipeline.endswith((".yaml", ".yml")) or "/" in pipeline
    named = relative(Path(pipeline), to.resolve().parent) if own else pipeline
    steps = _steps(scan_path, pipeline, output)
    start = _volume_start if steps[0].stage.measures else _scan_start
    begun = start(scan_path, to.resolve().parent, steps)
    slices = any(step.name == "fbp" for step in steps)
    example = "fbp: {window: hann}" if slices else f"{steps[-1].name}: {{}}"
    lines = [
        *begun.lines,
        cell_line(scan_path),
        f"pipeline: {quoted(named)}",
        f"# steps: {{{example}}}    # settings that overrule the recipe's",
        f"output: {quoted(relative(output, to.resolve().parent))}",
        "run: {dtype: float32, workers: auto, memory_gib: auto}",
    ]
    write_text(to.with_name(_SCHEMA), json.dumps(config_schema(), ensure_ascii=False))
    write_text(to, "\n".join([f"# yaml-language-server: $schema={_SCHEMA}", *lines]) + "\n")
    return begun


def _steps(scan_path: Path, pipeline: str, output: Path) -> list[Step]:
    named = {"scan": {"file": str(scan_path)}, "pipeline": pipeline or " ", "output": str(output)}
    return load_steps(Config.model_validate(named))


_SLICES = (
    "if these are slices, not projections, name the recipe: --pipeline particles_and_voids for any "
    "stack without a cell, analyze for the volume of a cell"
)
_FEW = 16  # values of whole numbers: labels


def _could_be_slices(path: Path) -> bool:
    """Whether files without angles and flats open as a stack of images."""
    try:
        open_foreign(path, request=Request((1.0, 1.0, 1.0), single=True))
    except (XctError, OSError, ValueError):
        return False
    return True


_UNIT = "unit: 1/cm                # of the values; or 1/mm, 1/px; grey: a scale of their own"


def _likely_values(volume: ForeignVolume, steps: Sequence[Step]) -> str:
    """Judge what the values of a stack are; μ for a recipe that measures a cell."""
    if steps[0].name != "phases":
        return _UNIT.replace("1/cm ", "grey ", 1) if volume.quantity == "grey" else _UNIT
    middle = volume.voxels.shape[0] // 2
    values = volume.stored(np.s_[middle : middle + 1])
    few = values.dtype.kind in "iu" and np.unique(values).size <= _FEW
    return (
        "quantity: labels     # or grey, on any scale" if few else "quantity: grey     # or labels"
    )


_HELP = "# `xct check` names mistakes and needs; `xct stages` lists what the steps can do."


def _scan_start(path: Path, folder: Path, steps: Sequence[Step]) -> Begun:
    """Write the section of a raw scan."""
    named = [f"  file: {quoted(relative(path, folder))}"]
    try:
        scan = read_scan(path)
    except ScanError as error:
        return _unclear_start(path, folder, named, _with_hint(path, error))
    quantity, why = _likely_quantity(scan)
    if quantity != "counts":
        scan = read_scan(path, quantity=quantity)
        named.append(f"  quantity: {quantity}    # {why}; if they are counts, name flats")
    needs = {name for s in starting_from(steps, quantity) for name in s.stage.needs}
    needed = _needed(scan, needs)
    unlike = {"scan.theta_deg", "scan.flats"} <= set(needed) and _could_be_slices(path)
    lines = [
        f"# {scan.layout} scan: {_counts(scan)}.",
        *([_commented(_SLICES)] if unlike else []),
        *(f"# Note: {note}" for note in scan.notes),
        _HELP,
        "scan:",
        *named,
        *_fact_lines(scan, needs, folder),
        "  bin: 1                    # pixels summed along each side",
        "  # roi: {row: [0, 100]}    # raw rows and columns to keep",
    ]
    return Begun(lines, needed, hint=_SLICES if unlike else "")


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" for line in textwrap.wrap(text[0].upper() + text[1:] + ".", 96))


def _likely_quantity(scan: Scan) -> tuple[Quantity, str]:
    """Judge frames that come without flats: they may have been corrected before."""
    if scan.flats is not None or np.issubdtype(scan.projections.dtype, np.integer):
        return "counts", ""
    seen = appearance(scan.projections)
    likely = "counts" if seen is None else seen.judged()[0]
    if seen is None or likely not in ("transmission", "line_integrals"):
        return "counts", ""
    return ("transmission" if likely == "transmission" else "line_integrals"), (
        f"no flats, and values {seen.range}"
    )


def _with_hint(path: Path, error: ScanError) -> ScanError:
    """Add what to do if the path is no scan at all."""
    if path.suffix.lower() not in (".txrm", ".xrm") and (other := of_another_program(path)):
        return ScanError(f"{path}: is {other}")
    known = any("angles" in text or "truncated" in text for text in error.errors)
    if known or not looks_like_volume(path):
        return error
    return ScanError(
        *error.errors,
        f"if {path} is a volume that was reconstructed before: xct init {path} --pipeline analyze",
    )


def _unclear_start(path: Path, folder: Path, named: list[str], error: ScanError) -> Begun:
    """Write what could be meant, where the files do not say it alone."""
    slices = _could_be_slices(path)
    found = candidates(path, folder)
    angles = [text for text in error.errors if "angles" in text]
    if not found or not path.exists():
        raise ScanError(*error.errors, _SLICES) if slices else error
    of_angles = len(angles) == len(error.errors)
    wanted = "theta_deg" if of_angles else "paths" if path.is_file() else "projections"
    meaning = {
        "theta_deg": MEANING["theta_deg"],
        "paths": "where data, image_key and theta_deg lie in the file",
        "projections": "frames: a glob pattern; flats and darks, too, in place of file",
    }[wanted]
    if wanted == "projections":
        named = [f"  # {line.strip()}" for line in named]
    lines = [
        "# The files alone are not enough:",
        *(f"#   {line}" for text in error.errors for line in textwrap.wrap(text, 96)),
        *([_commented(_SLICES)] if slices else []),
        _HELP,
        "scan:",
        *named,
        f"  {wanted}:        # needed: {meaning}",
        *([] if of_angles else (f"  # {line}" for line in found)),
        "  # pixel_size_um:          # effective detector pixel before binning, µm",
        "  bin: 1                    # pixels summed along each side",
    ]
    return Begun(lines, [f"scan.{wanted}"], list(error.errors), _SLICES if slices else "")


_OF_STACKS = (
    "  # frame_interval_s:       # where the slices are images taken one after the other: s",
    "  # blur_um:                # point spread (FWHM), µm: shells of particles are measured then",
)


def _volume_start(path: Path, folder: Path, steps: Sequence[Step]) -> Begun:
    """Write the section of a reconstructed volume: what its files say, and what was assumed."""
    unknown: list[str] = []
    known, single = True, not any("cell" in step.stage.gives for step in steps)
    try:
        volume = open_foreign(path, request=Request(single=single))
    except ScanError as error:
        unclear = _asked(error)
        if unclear is None:
            raise
        if unclear != "voxel_size_um":
            return _unclear_volume(path, folder, unclear, error)
        unknown = [text for text in error.errors if "does not say" not in text]
        known, volume = False, open_foreign(path, request=Request((1.0, 1.0, 1.0), single=single))
    shape = " × ".join(str(length) for length in volume.voxels.shape)
    where = volume.origin.get("voxel_size_um", "the file")
    if not known:
        del volume.origin["voxel_size_um"]  # a stand-in
    doubt = spacing_doubt(volume) if known and not single else None
    warnings = [*unknown, *volume.warnings, *filter(None, [doubt])]
    said = [*volume_facts(volume), *warnings]
    energy = volume.energy_kev
    lines = [
        f"# {volume.layout}: {shape} voxels (z × y × x).",
        *(f"# {line}" for text in said for line in textwrap.wrap(text, 96)),
        _HELP,
        "volume:",
        f"  file: {quoted(relative(path, folder))}",
        f"  # voxel_size_um: {show_size(volume.voxel_size_um)}, from {where}"
        if known
        else "  voxel_size_um:        # needed: edges of a voxel, [z, y, x] in µm",
        f"  {_likely_values(volume, steps)}",
        *(_OF_STACKS if steps[0].name == "phases" else ()),
        f"  energy_kev: {energy:g}    # from {volume.origin.get('energy_kev', 'the file')}"
        if energy is not None
        else "  # energy_kev:             # photon energy, for lithium contents",
    ]
    return Begun(lines, [] if known else ["volume.voxel_size_um"], warnings=warnings)


_ASKED = ("voxel_size_um", "path", "raw")


def _asked(error: ScanError) -> str | None:
    """Name the key that an error asks for, where it is one that the user can give."""
    return next((k for k in _ASKED if any(t.startswith(f"{k}:") for t in error.errors)), None)


def _unclear_volume(path: Path, folder: Path, key: str, error: ScanError) -> Begun:
    """Write what the user must add, where the file alone is not enough."""
    meaning = {
        "path": "where the volume lies in the file",
        "raw": "order of the values, {shape: [z, y, x], dtype: uint16}",
    }[key]
    lines = [
        "# The file alone is not enough:",
        *(f"#   {line}" for text in error.errors for line in textwrap.wrap(text, 96)),
        _HELP,
        "volume:",
        f"  file: {quoted(relative(path, folder))}",
        f"  {key}:        # needed: {meaning}",
        "  # voxel_size_um:          # edges of a voxel, [z, y, x] in µm",
        f"  {_UNIT}",
    ]
    return Begun(lines, [f"volume.{key}"], list(error.errors))


def _needed(scan: Scan, needs: set[str]) -> list[str]:
    known = [name for name in MEANING if name in needs and getattr(scan, name) is None]
    return [f"scan.{name}" for name in known]


def _fact_lines(scan: Scan, needs: set[str], folder: Path) -> list[str]:
    lines = []
    for name, meaning in MEANING.items():
        value = getattr(scan, name)
        if value is None and name in needs:
            lines.append(f"  {name}:        # needed: {meaning}")
            lines += _could_be_angles(scan, folder) if name == "theta_deg" else []
        elif value is not None and name != "flats":
            lines.append(f"  # {name}: {_shown(name, value)}, from {scan.origin.get(name, 'file')}")
    return lines


def _could_be_angles(scan: Scan, folder: Path) -> list[str]:
    """Name text files beside the frames that hold a number for each projection."""
    count = scan.projections.shape[0]
    found = angle_files(scan.files[0], count, folder)
    return [f"  # theta_deg: {quoted(name)}    # {count} numbers" for name in found]


def _shown(name: str, value: Any) -> str:
    return f"{value[0]:g} … {value[-1]:g}" if name == "theta_deg" else f"{value:.6g}"


def _counts(scan: Scan) -> str:
    angles, rows, columns = scan.projections.shape
    flats = 0 if scan.flats is None else scan.flats.shape[0]
    darks = 0 if scan.darks is None else scan.darks.shape[0]
    return f"{angles} projections of {rows} × {columns}, {flats} flats, {darks} darks"


def open_any(path: Path) -> Scan:
    """Open a scan by its files, or by a configuration that names it."""
    if path.suffix in (".yaml", ".yml"):
        config, errors = read_config(path)
        if config is None or errors:
            raise ConfigError(*errors)
        return open_scan(config)
    return read_scan(path)
