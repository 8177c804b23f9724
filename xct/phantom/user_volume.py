"""A volume of the user as a sample. In: a YAML file that names it; out: slabs of μ and δ.

volume:
  file: labels.tif            # TIFF stack or Zarr; relative to this file
  voxel_size_um: 1.3          # where the files do not say it
  quantity: labels            # or attenuation: μ in 1/cm
materials: {1: lithium, 2: lpscl, 3: ncm811}     # by label; see `xct.physics.materials.TABLE`
energy_kev: 25
scan: {angles: 800, glare: 0.01, distance_mm: 40}   # fields of `Setup`
cell: {name: my-cell}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from xct.errors import ConfigError
from xct.geometry import Label
from xct.io.atomic import write_json
from xct.io.labels import create_labels
from xct.io.volume_files.opening import open_foreign
from xct.io.volumes import Coding, create_volume, write_slab
from xct.io.yaml import Document, parse
from xct.parallel.blocks import Voxels, slabs
from xct.phantom.scan.setup import Setup
from xct.physics.materials import TABLE, delta, mu_per_cm

# The truth of a volume of the user. In: the sample; out: a folder laid out like a result.

_UNITS = {"center_px": "px", "energy_kev": "keV", "pixel_size_um": "µm"}


def write_user_truth(sample: UserVolume, folder: Path, facts: Mapping[str, Any]) -> None:
    """Write μ, labels where they are those of a result, and the facts of the scan.

    Parameters
    ----------
    sample : UserVolume
        Read slab by slab.
    folder : path
        Must not exist.
    facts : mapping
        What else is known, by name.
    """
    folder.mkdir(parents=True)
    volume = folder / "volume.zarr"
    create_volume(volume, sample.shape, sample.voxel_um, Coding(), folder.parent.name)
    known = sample.materials is not None and set(sample.materials) <= {*map(int, Label)}
    labels = create_labels(volume, "materials", "uint8") if known else None
    for block in slabs(sample.shape):
        write_slab(volume, block.first, sample.mu(block.first, block.stop))
        if labels is not None:
            own = sample.labels(block.first, block.stop)
            labels[block.first : block.stop] = own.astype(np.uint8)
    numbers = {"voxel_size_um": sample.voxel_um, **facts}
    summary = {
        name: {"value": value, **({"unit": _UNITS[name]} if name in _UNITS else {})}
        for name, value in numbers.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    write_json(folder / "summary.json", {**summary, "warnings": []})


# What the labels of a result are made of, where the file does not say it.
_MATERIALS: Mapping[int, str] = {
    Label.OUTSIDE: "air",
    Label.LITHIUM: "lithium",
    Label.ELECTROLYTE: "lpscl",
    Label.ACTIVE_MATERIAL: "ncm811",
    Label.STEEL: "steel",
    Label.COLLECTOR: "aluminium",
    Label.TUBE: "polyimide",
    Label.LOW_GREY: "air",
}
_KEYS = ("volume", "materials", "energy_kev", "scan", "cell")
_VOLUME_KEYS = ("file", "voxel_size_um", "quantity")
_CUBIC = 1e-3


@dataclass(frozen=True)
class UserVolume:
    """A sample read from files, slab by slab.

    Attributes
    ----------
    voxels : Voxels
        Labels, or stored values of μ.
    voxel_um, energy_kev : float
        Edge of a voxel, photon energy.
    materials : mapping of int to str, or None
        What each label is made of; None: the values are μ.
    slope, offset : float
        μ = slope · value + offset.
    """

    voxels: Voxels
    voxel_um: float
    energy_kev: float
    materials: Mapping[int, str] | None
    slope: float = 1.0
    offset: float = 0.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        return self.voxels.shape

    def labels(self, first: int, stop: int) -> np.ndarray:
        """Give some slices of labels."""
        return np.asarray(self.voxels[first:stop])

    def mu(self, first: int, stop: int) -> np.ndarray:
        """Give some slices of μ, 1/cm."""
        if self.materials is None:
            values = np.asarray(self.voxels[first:stop], np.float32)
            return np.asarray(self.slope * values + self.offset, np.float32)
        return self._made_of(mu_per_cm, first, stop)

    def delta(self, first: int, stop: int) -> np.ndarray:
        """Give some slices of δ, dimensionless."""
        if self.materials is None:
            raise ConfigError(
                "scan.distance_mm: a volume of μ says nothing of refraction; give labels and "
                "their materials, or distance_mm: 0"
            )
        return self._made_of(delta, first, stop)

    def _made_of(self, property_of: Any, first: int, stop: int) -> np.ndarray:
        assert self.materials is not None
        labels = self.labels(first, stop)
        unknown = sorted(set(np.unique(labels).tolist()) - set(self.materials))
        if unknown:
            raise ConfigError(
                f"materials: slices {first} to {stop - 1} hold the labels "
                f"{', '.join(map(str, unknown[:5]))}, which have no material; name them"
            )
        table = np.zeros(max(self.materials) + 1, np.float32)
        for label, name in self.materials.items():
            table[label] = property_of(name, self.energy_kev)
        return np.asarray(table[labels.astype(np.intp)])


@dataclass(frozen=True)
class UserScan:
    """What a file asks for: a sample, fields of `Setup`, and the cell's description."""

    sample: UserVolume
    settings: Mapping[str, Any]
    cell: Mapping[str, Any]


def read_user_scan(file: Path | str, energy_kev: float | None = None) -> UserScan:
    """Read the description of a volume to be scanned.

    Parameters
    ----------
    file : path
        YAML, as shown above.
    energy_kev : float, optional
        Overrules the file.

    Returns
    -------
    UserScan

    Raises
    ------
    ConfigError
        With every error at once.
    ScanError
        If the volume itself cannot be read.
    """
    path = Path(file)
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    errors = [f"{path}:{line}: {text}" for line, text in document.errors]
    if not errors:
        errors = list(_errors(document, path))
    if errors:
        raise ConfigError(*errors)
    return _opened(document.value, path.parent, energy_kev)


def _errors(document: Document, path: Path) -> Iterator[str]:
    values = document.value
    if not isinstance(values, dict) or not isinstance(values.get("volume"), dict):
        yield f"{path}: names no volume; write `volume: {{file: …, quantity: labels}}`"
        return
    known = {(): _KEYS, ("volume",): _VOLUME_KEYS, ("scan",): [f.name for f in fields(Setup)]}
    for place, names in known.items():
        section = values.get(place[0], {}) if place else values
        for key in section if isinstance(section, dict) else ():
            if key not in names:
                line = document.line((*place, key))
                dotted = ".".join((*place, str(key)))
                yield f"{path}:{line}: {dotted} is unknown; expected {', '.join(names)}"
    volume = values["volume"]
    if not isinstance(volume.get("file"), str):
        yield f"{path}: volume.file is needed: a TIFF stack or a Zarr"
    if volume.get("quantity", "labels") not in ("labels", "attenuation"):
        yield f"{path}: volume.quantity = {volume['quantity']!r}; expected labels or attenuation"
    for label, name in (values.get("materials") or {}).items():
        if name not in TABLE or not str(label).isdigit():
            yield (
                f"{path}:{document.line(('materials', label))}: materials: {label}: {name!r}; "
                f"expected a label, 0 or more, and one of {', '.join(TABLE)}"
            )


def _opened(values: Mapping[str, Any], folder: Path, energy_kev: float | None) -> UserScan:
    volume = values["volume"]
    said = volume.get("voxel_size_um")
    size = None if said is None else tuple(np.broadcast_to(np.asarray(said, float), 3).tolist())
    opened = open_foreign(folder / volume["file"], size)
    edges = opened.voxel_size_um
    if max(edges) > min(edges) * (1 + _CUBIC):
        raise ConfigError(f"volume.voxel_size_um: {edges} µm: only cubic voxels can be scanned")
    own = {int(label): name for label, name in (values.get("materials") or {}).items()}
    materials = {**_MATERIALS, **own}
    of_labels = volume.get("quantity", "labels") == "labels"
    sample = UserVolume(
        opened.voxels,
        float(edges[2]),
        float(energy_kev or values.get("energy_kev") or 25.0),
        materials if of_labels else None,
        opened.slope,
        opened.offset,
    )
    return UserScan(sample, values.get("scan") or {}, values.get("cell") or {})
