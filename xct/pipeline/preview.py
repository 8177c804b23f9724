"""Preview: a recipe on one row of a scan. In: a scan, settings; out: a sinogram, a slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from xct.config.model import Config
from xct.config.recipe import Step, load_steps, starting_from
from xct.errors import ScanError
from xct.pipeline.estimates import sample_rows
from xct.pipeline.slabs import Slabs
from xct.preprocess.center.answer import Center
from xct.scan import Scan
from xct.stages import Stage, load_stages

Settings = Mapping[str, Mapping[str, Any] | None]

_FEW_ROWS, _FEW_FRAMES = 16, 5
# What comes before the first of them is kept for the next call.
_TUNED = ("stripes", "fbp", "iterative")


@dataclass
class Preview:
    """Runs the steps of a recipe on single rows, and keeps what does not change.

    Attributes
    ----------
    scan : Scan
        Where rows are read; counts must have flats.
    steps : sequence of Step
        Of the recipe; those of ``reconstruct`` unless given.
    """

    scan: Scan
    steps: Sequence[Step] = ()
    _kept: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.scan.flats is None and self.scan.quantity == "counts":
            raise ScanError("the scan has no flats: without them there are no line integrals")
        steps = list(self.steps) or _default_steps()
        self.steps = starting_from(steps, self.scan.quantity)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Angles, rows and columns."""
        return self.scan.projections.shape

    def sinogram(self, row: int, settings: Settings | None = None) -> np.ndarray:
        """Give the line integrals of one row, as `fbp` would get them.

        Parameters
        ----------
        row : int
            In cropped and binned pixels.
        settings : mapping, optional
            Settings by step that overrule the recipe's, such as ``{"stripes": {"size_px": 31}}``.
            ``{"stripes": None}`` leaves a step out.

        Returns
        -------
        ndarray of float32, shape (angle, column)
        """
        quantities: dict[str, Any] = {"line_integrals": self._before_tuned(row)}
        for step in self._steps(tuned=True):
            # What needs more than one row, such as a tilt that is corrected, is not shown.
            if "line_integrals" in step.stage.gives and {*step.stage.needs} <= {*quantities}:
                chosen = self._settings(step, settings)
                if chosen is not None:
                    quantities["line_integrals"] = step.stage(quantities, chosen)
        return np.asarray(quantities["line_integrals"][:, 0])

    def reconstruct(
        self, row: int, center_px: float, settings: Settings | None = None
    ) -> np.ndarray:
        """Reconstruct one slice, in 1/cm.

        Parameters
        ----------
        row : int
            In cropped and binned pixels.
        center_px : float
            Column of the rotation axis.
        settings : mapping, optional
            As for `sinogram`.

        Returns
        -------
        ndarray of float32, shape (y, x)

        Raises
        ------
        ScanError
            If the angles are not known.
        """
        quantities = {
            "line_integrals": self.sinogram(row, settings)[:, None],
            "theta_deg": self._theta(),
            "center_px": center_px,
            "pixel_size_um": self.scan.voxel_size_um or 1.0,
        }
        steps = [step for step in self.steps if "volume" in step.stage.gives]
        stage = steps[0].stage if steps else load_stages()["fbp"]
        chosen = self._settings(steps[0], settings) if steps else {}
        return np.asarray(stage(quantities, chosen or {})[0])

    def find_center(self, row: int, settings: Settings | None = None) -> Center:
        """Find the rotation axis from one row."""
        stage: Stage = load_stages()["find_center"]
        sinogram = self.sinogram(row, settings)
        quantities = {"line_integrals": sinogram[:, None], "theta_deg": self._theta()}
        own = [step.settings for step in self.steps if step.name == stage.name]
        center: Center = stage(quantities, own[0] if own else {})
        return center

    def read(self, parts: tuple[slice, ...]) -> np.ndarray:
        """Give line integrals of some angles, rows and columns, without the filter of rings.

        Many rows at once, as in a single projection, are divided by a few of the flats only.
        """
        angles, rows, columns = parts
        if rows.stop - rows.start <= _FEW_ROWS:
            read = [self._before_tuned(row) for row in range(rows.start, rows.stop)]
            return np.concatenate(read, axis=1)[angles, :, columns]
        return self._projection(angles, rows)[:, :, columns]

    def range(self) -> tuple[float, float]:
        """Give least and greatest line integral that matter, from one projection."""
        middle = self.shape[0] // 2
        values = self._projection(slice(middle, middle + 1), slice(0, self.shape[1]))
        low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
        return (low, high) if high > low else (low - 0.5, low + 0.5)

    def _theta(self) -> np.ndarray:
        if self.scan.theta_deg is None:
            raise ScanError("scan.theta_deg: neither the file nor the configuration says it")
        return self.scan.theta_deg

    def _steps(self, *, tuned: bool) -> list[Step]:
        names = [step.name for step in self.steps]
        first = min((names.index(name) for name in _TUNED if name in names), default=len(names))
        chosen = self.steps[first:] if tuned else self.steps[:first]
        return [step for step in chosen if not step.stage.sample]

    @staticmethod
    def _settings(step: Step, settings: Settings | None) -> dict[str, Any] | None:
        """Lay what is asked for over the settings of a step; None where it is to be left out."""
        if settings is None or step.name not in settings:
            return dict(step.settings)
        asked = settings[step.name]
        if asked is None:
            return None
        merged = {**step.settings, **asked}
        return dict(step.stage.settings.model_validate(merged).model_dump())

    @cached_property
    def _slabs(self) -> Slabs:
        """What reads and prepares rows; steps that need to know of whole frames do."""
        slabs = Slabs(self.scan)
        slabs.known |= sample_rows(slabs, self.steps)
        return slabs

    def _before_tuned(self, row: int) -> np.ndarray:
        if row not in self._kept:
            steps = self._steps(tuned=False)
            found, _ = self._slabs.run(row, row + 1, ["line_integrals"], steps)
            self._kept.clear()
            self._kept[row] = np.ascontiguousarray(found["line_integrals"], np.float32)
        return self._kept[row]

    def _projection(self, angles: slice, rows: slice) -> np.ndarray:
        from xct.preprocess import fill_dead_pixels, fill_nonpositive, flat_field, line_integrals

        scan = self.scan
        if scan.flats is None:
            values = scan.projections.read(angles, rows).astype(np.float32)
            return values if scan.quantity == "line_integrals" else line_integrals(values)
        flats = scan.flats.read(_few(scan.flats.shape[0]), rows)
        darks = np.zeros_like(flats[:1])
        if scan.darks is not None:
            darks = scan.darks.read(_few(scan.darks.shape[0]), rows)
        transmission = flat_field(scan.projections.read(angles, rows), flats, darks)
        return fill_nonpositive(line_integrals(fill_dead_pixels(transmission)), flats, darks)


def _few(count: int) -> slice:
    return slice(0, count, max(1, count // _FEW_FRAMES))


def _default_steps() -> list[Step]:
    return load_steps(Config.model_validate({"scan": {}, "output": "."}))
