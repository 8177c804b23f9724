"""A few slices with settings to try. In: a configuration, rows, sweeps; out: small pictures."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xct.config.loading import load_config
from xct.config.recipe import load_steps
from xct.config.sources import open_scan
from xct.errors import ConfigError, XctError, show_bytes, show_with_sd
from xct.pipeline.preview import Preview
from xct.pipeline.trying.sweep import Choice
from xct.stages import load_stages

log = logging.getLogger("xct")

_WIDEST_PX = 700  # of a picture on the sheet
_LATE = ("stripes", "fbp", "iterative")  # steps that a preview does anew without reading again
_SURE = 0.8
_MUCH_BYTES = 4 * 2**30  # about half a minute from a good disk


@dataclass(frozen=True)
class Picture:
    """One slice, or the middle of it, shrunk to the sheet.

    Attributes
    ----------
    row : int
        In cropped and binned pixels.
    choice : Choice
        What was tried.
    values : ndarray of float32, shape (y, x)
        1/cm.
    center_px : float
        The rotation axis that was used.
    """

    row: int
    choice: Choice
    values: np.ndarray
    center_px: float


@dataclass
class Trial:
    """Makes slices of a configuration with settings to try; writes nothing.

    Attributes
    ----------
    config : Path
        The configuration.
    rows : sequence of int
        Of the slices, in cropped and binned pixels; the middle one unless given.
    changes : sequence of str
        As in ``--set scan.bin=2``.
    zoom : int
        1 shows a slice whole, 4 the middle quarter of its width.
    """

    config: Path
    rows: Sequence[int] = ()
    changes: Sequence[str] = ()
    zoom: int = 1
    _open: dict[tuple[str, ...], Preview] = field(default_factory=dict)
    _centers: dict[tuple[str, ...], float] = field(default_factory=dict)

    def pictures(self, choices: Sequence[Choice]) -> list[Picture]:
        """Reconstruct every row with every choice, row by row.

        Raises
        ------
        ConfigError
            If the configuration is wrong, or would be with a value that is tried.
        """
        shape = self._preview(()).shape
        for choice in choices:  # a wrong value shows before the first slice is made
            if self._preview(self._words(choice)).shape != shape:
                raise ConfigError(
                    f"--sweep: {choice.text(0.0)} changes which rows and columns there are, so "
                    "that slices cannot stand side by side; make a sheet of each by --set"
                )
        self._warn_of_whole_frames(len({self._early(choice) for choice in choices}))
        return [
            self._picture(row, choice)
            for row in self._rows(self._preview(()))
            for choice in choices
        ]

    def center_px(self, choice: Choice | None = None) -> float:
        """Give the axis of the configuration, or find it on the rows, with a choice's settings."""
        changes = () if choice is None else self._early(choice)
        if changes not in self._centers:
            self._centers[changes] = self._find(self._preview(changes))
        return self._centers[changes]

    def changes_of(self, choice: Choice) -> dict[str, Any]:
        """Give what a choice would write to the configuration.

        Raises
        ------
        ConfigError
            If the configuration would be wrong with it.
        """
        self._preview(self._words(choice))
        return choice.changes(self.center_px(choice))

    def _warn_of_whole_frames(self, times: int) -> None:
        """Say how much must be read where files cannot give a row alone."""
        scan = self._preview(()).scan
        times *= len(self._rows(self._preview(())))
        size = sum(Path(file).stat().st_size for file in scan.files) * times
        if scan.projections.whole_frames and size > _MUCH_BYTES:
            log.warning(
                "these files hold whole frames: %s are read for these slices; fewer --rows or "
                "values of settings before the stripe filter take less, and so does a copy by rows "
                "(xct convert)",
                show_bytes(size),
            )

    def _picture(self, row: int, choice: Choice) -> Picture:
        center, preview = self.center_px(choice), self._preview(self._early(choice))
        late: dict[str, dict[str, Any]] = {}
        for sweep, value in choice.values:
            section, *keys = sweep.key.split(".")
            if sweep.key == "scan.center_px":
                center = choice.changes(center)[sweep.key]
            elif section == "steps" and keys[0] in _LATE:
                late.setdefault(keys[0], {})[".".join(keys[1:])] = value
        values = preview.reconstruct(row, float(center), late)
        return Picture(row, choice, _shrunk(values, self.zoom), float(center))

    def _words(self, choice: Choice) -> tuple[str, ...]:
        """Write a choice as ``--set``; the axis is no part of it."""
        found = [(s.key, value) for s, value in choice.values if s.key != "scan.center_px"]
        return tuple(f"{key}={json.dumps(value)}" for key, value in found)

    def _early(self, choice: Choice) -> tuple[str, ...]:
        """Write what must be read and prepared anew as ``--set``."""
        late = tuple(f"steps.{step}." for step in _LATE)
        return tuple(word for word in self._words(choice) if not word.startswith(late))

    def _preview(self, changes: tuple[str, ...]) -> Preview:
        if changes not in self._open:
            try:
                config = load_config(self.config, [*self.changes, *changes])
                steps = load_steps(config)
            except ConfigError as error:
                if not changes:
                    raise
                raise ConfigError(*map(_of_sweep, error.errors)) from None
            if config.volume is not None:
                raise ConfigError(
                    f"{self.config}: starts from a volume; a preview makes slices of raw frames. "
                    "xct view shows a volume"
                )
            made = {step.name for step in steps if not step.stage.measures}
            for key in (change.partition("=")[0] for change in changes):
                section, step, *_ = key.split(".")
                if section in ("cell", "run") or (section == "steps" and step not in made):
                    raise ConfigError(
                        f"--sweep {key.removeprefix('steps.')}: changes no slice; slices are made "
                        f"by {', '.join(made & load_stages().keys())}"
                    )
            self._open[changes] = Preview(open_scan(config), steps)
        return self._open[changes]

    def _rows(self, preview: Preview) -> Sequence[int]:
        rows = preview.shape[1]
        beyond = [row for row in self.rows if not 0 <= row < rows]
        if beyond:
            raise ConfigError(f"--rows {beyond[0]}: the cropped, binned scan has rows 0–{rows - 1}")
        return list(self.rows) or [rows // 2]

    def _find(self, preview: Preview) -> float:
        if preview.scan.center_px is not None:
            return float(preview.scan.center_px)
        row = self._rows(preview)[len(self.rows) // 2]
        found = preview.find_center(row)
        if not np.isfinite(found.center_px):
            raise XctError(
                f"no method finds the rotation axis on row {row}; try another by --rows, or sweep "
                "scan.center_px"
            )
        said = f"row {row}: center_px {show_with_sd(found.center_px, found.sd_px, 2)}"
        level = logging.INFO if found.confidence >= _SURE else logging.WARNING
        log.log(level, "%s, confidence %.2f", said, found.confidence)
        return float(found.center_px)


def _shrunk(values: np.ndarray, zoom: int) -> np.ndarray:
    """Cut out the middle and average it down to the width of a picture."""
    size = min(values.shape)
    own = max(size // zoom, 1)
    first = (size - own) // 2
    part = values[first : first + own, first : first + own]
    by = -(-own // _WIDEST_PX)
    kept = own // by * by
    blocks = part[:kept, :kept].reshape(kept // by, by, kept // by, by)
    return np.asarray(blocks.mean(axis=(1, 3)))


def _of_sweep(text: str) -> str:
    """Name the sweep where a value is wrong: without its values the configuration was right."""
    lead, _, said = text.partition("--set: ")
    return text if lead else f"--sweep: {said.removeprefix('steps.')}"
