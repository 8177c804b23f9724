"""What grey values are normalized to: the electrolyte by height and radius, with uncertainties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xct.normalize.calibration import GREY
from xct.normalize.model import SmoothModel
from xct.quantity import Number

if TYPE_CHECKING:
    from pandas import DataFrame

    from xct.normalize.artifacts import Artifacts
    from xct.normalize.given.scale import GivenScale

# Relative, that all blocks are off alike: pores of grains, and light that is left. Where noise is
# little, bands of virtual cells were 0.1 to 0.2 % off, and 0.04 % was stated (seeds 21, 22).
_SHARED_SD = 0.0015
# … and where the phase was retrieved: 1.1 to 1.7 % too bright at 20 keV, 1.625 µm, 40 mm (seeds 11,
# 12, 21).
_RETRIEVED = 0.012


# Steel attenuates some 22 times what the electrolyte does: a gamma that leaves steel and air as
# they are moves the electrolyte by the logarithm of that.
_ASSUMED = (
    "if values are in proportion to attenuation above air (scale_is_straight): a gamma of 1.01 or "
    "0.99, which no check sees, moves it by 3 %"
)


class ElectrolyteReference(Protocol):
    """What the measuring steps need of a `Reference`; a constant electrolyte serves as well."""

    @property
    def noise_per_cm(self) -> np.ndarray | float:
        """Standard deviation of a voxel, slice by slice or everywhere."""
        ...

    @property
    def blur_um(self) -> float:
        """Full width at half maximum of the point spread."""
        ...

    @property
    def blur_guessed(self) -> bool:
        """Whether that width was neither measured nor given."""
        ...

    @property
    def air(self) -> float:
        """Value of air in the volume."""
        ...

    @property
    def per_cm(self) -> float:
        """What turns values above air into 1/cm, at least about."""
        ...

    @property
    def mu_known(self) -> bool:
        """Whether values are known to be μ."""
        ...

    def mu_per_cm(self, z_um: np.ndarray | float, r_um: np.ndarray | float) -> np.ndarray:
        """Give the electrolyte's value above air at heights and distances from the axis."""
        ...


@dataclass(frozen=True)
class Reference:
    """The electrolyte's linear attenuation, as a smooth model of height and radius.

    Attributes
    ----------
    model : SmoothModel
        m(z, r), constant beyond the heights and radii in which it was fitted.
    noise_per_cm : ndarray of float32, shape (z,)
        Standard deviation of a voxel, slice by slice.
    blur_um : float
        Full width at half maximum of the point spread.
    blur_sd_um : float
        Its standard deviation; NaN where the width is a guess.
    table : DataFrame
        Peaks by layer, height and radius: ``layer, z_um, radius_um, peak_per_cm, peak_per_cm_sd,
        n, model_per_cm, reference``; the last says whether the model was fitted there
        (``in_plane``) or is ``extrapolated``.
    peak_per_cm, peak_sd_per_cm : float
        Mean of the model over the electrolyte.
    n : int
        Cubes of the electrolyte that the peaks were made from.
    flatness_before, flatness_after : float
        Scatter (sd/mean) of the peaks, and of the peaks over the model.
    confounded : str or None
        ``density`` where nothing distinguishes a trend of density from one of the instrument.
    glare : mapping
        Diagnosis of the cathode's planes: ``verdict`` (``consistent``, ``glare``,
        ``undecidable``, ``no_cathode``), and the numbers that it rests on.
    air : float
        Value of air in the volume: 0 where it holds attenuation.
    unit : str
        Of the values: ``1/cm``, or ``grey`` where they have a scale of their own; everything that
        is called ``…per_cm`` here is then in grey values above air.
    per_cm : float
        What turns values above air into 1/cm; about, where `mu_known` is False.
    mu_known : bool
        Whether it is known: not of grey values, nor where the electrolyte's μ is implausible.
    blur_guessed : bool
        Whether the width of the point spread was neither measured nor given.
    """

    model: SmoothModel
    noise_per_cm: np.ndarray
    blur_um: float
    blur_sd_um: float
    table: DataFrame
    peak_per_cm: float
    peak_sd_per_cm: float
    n: int
    flatness_before: float
    flatness_after: float
    confounded: str | None = None
    glare: Mapping[str, Any] = field(default_factory=dict)
    air: float = 0.0
    blur_guessed: bool = False
    unit: str = "1/cm"
    per_cm: float = 1.0
    mu_known: bool = True

    def mu_per_cm(self, z_um: np.ndarray | float, r_um: np.ndarray | float) -> np.ndarray:
        """Give the electrolyte's value above air at heights and distances from the axis, 1/cm."""
        return self.model.value(z_um, r_um)

    def sd_per_cm(self, z_um: np.ndarray | float, r_um: np.ndarray | float) -> np.ndarray:
        """Give the standard deviation of `mu_per_cm`: of its fit, and of what blocks share."""
        shared = _SHARED_SD * self.model.value(z_um, r_um)
        return np.asarray(np.hypot(self.model.sd(z_um, r_um), shared))

    def is_extrapolated(self, z_um: np.ndarray | float) -> np.ndarray:
        """Say where the model is not backed by electrolyte of the same height."""
        z = np.asarray(z_um, float)
        return np.asarray((z < self.model.z_low_um) | (z > self.model.z_high_um))

    def numbers(
        self,
        uncorrected_fringes: str | None = None,
        radial_doubt: float = 0.0,
        note: str | None = None,
    ) -> Iterator[tuple[str, Number]]:
        """Give the numbers for ``summary.json``; with fringes no width of the point spread.

        What cannot be μ is none: then neither the electrolyte's value nor the noise is given.
        """
        ending = "grey" if self.is_grey else "per_cm"
        sd = float(np.hypot(self.peak_sd_per_cm, radial_doubt * self.peak_per_cm))
        known = self.is_grey or self.mu_known
        if known:
            peak = Number(self.peak_per_cm, self.unit, sd, self.n, note=note)
            yield f"electrolyte_peak_{ending}", peak
        if self.is_grey:
            yield "air_grey", Number(self.air, self.unit)
        if uncorrected_fringes is None:
            guess = "a guess" if self.blur_guessed else None
            yield "blur_um", Number(self.blur_um, "µm", self.blur_sd_um, note=guess)
        if known:
            yield f"noise_{ending}", Number(self._typical_noise(), self.unit)
        yield "flatness_before", Number(self.flatness_before)
        yield "flatness_after", Number(self.flatness_after)
        yield "reference_confounded", Number(self.confounded or "no")
        yield "glare_verdict", Number(str(self.glare.get("verdict", "no_cathode")))
        for name in ("cupping", "in_plane_ratio"):
            if name in self.glare:
                yield f"glare_{name}", Number(self.glare[name], sd=self.glare.get(f"{name}_sd"))

    @property
    def is_grey(self) -> bool:
        """Whether values have a scale of their own."""
        return self.unit == GREY

    @property
    def published_table(self) -> DataFrame:
        """The table as a result shows it: grey values are not called attenuation."""
        if not self.is_grey:
            return self.table
        return self.table.rename(columns=lambda name: name.replace("per_cm", GREY))

    def _typical_noise(self) -> float:
        step = self.table[self.table["reference"] == "in_plane"]["z_um"]
        if not np.isfinite(self.noise_per_cm).any() or not len(step):
            return float("nan")
        return float(np.nanmedian(self.noise_per_cm))

    def to_dict(self) -> dict[str, Any]:
        """Give everything as plain values, for JSON; NaN becomes None."""
        plain = {key: value for key, value in vars(self).items() if key not in ("model", "table")}
        plain["noise_per_cm"] = self.noise_per_cm.tolist()
        plain["glare"] = dict(self.glare)
        plain["model"] = asdict(self.model)
        plain["table"] = self.table.to_dict(orient="list")
        return dict(_without_nan(plain))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Reference:
        """Make a reference from what `to_dict` gave."""
        from pandas import DataFrame

        values = dict(plain)
        model = dict(values.pop("model"))
        for name in ("along", "across", "kinks_um", "bends"):
            model[name] = tuple(model[name])
        model["covariance"] = tuple(tuple(row) for row in model["covariance"])
        table = DataFrame({
            name: column if name in _AS_THEY_ARE else np.array(column, float)
            for name, column in values.pop("table").items()
        })  # fmt: skip
        noise = np.array(values.pop("noise_per_cm"), np.float32)
        glare = {k: float("nan") if v is None else v for k, v in values.pop("glare").items()}
        missing = {"confounded"}
        rest: dict[str, Any] = {
            k: float("nan") if v is None and k not in missing else v for k, v in values.items()
        }
        return cls(model=SmoothModel(**model), table=table, noise_per_cm=noise, glare=glare, **rest)


_AS_THEY_ARE = ("layer", "reference", "n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def reference_numbers(
    reference: Reference,
    uncorrected_fringes: str | None = None,
    volume_artifacts: Artifacts | None = None,
    given_scale: GivenScale | None = None,
    steps: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, Number]]:
    """Give the numbers of a reference; what moves its μ from place to place makes it uncertain."""
    if given_scale is not None and given_scale.disordered:
        return iter(())
    known = [each.doubt_of_mean for each in (volume_artifacts, given_scale) if each is not None]
    known += [_RETRIEVED] if "phase_retrieval" in (steps or {}) else []
    assumed = _ASSUMED if given_scale is not None and not reference.is_grey else None
    return reference.numbers(uncorrected_fringes, float(np.hypot.reduce([0.0, *known])), assumed)
