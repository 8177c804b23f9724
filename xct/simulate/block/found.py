"""What was found in a block. In: fields; out: files and a figure."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.figures import canvas
from xct.io.journal import with_checksum
from xct.io.volume_files.vti import write_fields
from xct.quantity import Number
from xct.simulate.block.reading import Block
from xct.simulate.block.stress import BlockStress
from xct.simulate.geometry.domain import Material
from xct.simulate.output.figures import COLORS, ground_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class BlockFound:
    """What was found in a block.

    Attributes
    ----------
    name, title : str
        Name of the case, and title of the simulation.
    numbers : mapping of str to Number
        As of a plane; the uncertainty is what voxels twice as large differ by.
    warnings : list of str
        What must be known.
    block : Block
        Materials.
    potential_v : ndarray, shape (z, y, x)
        φ of the electrolyte; NaN elsewhere.
    current_a_m2 : ndarray of float32, shape (3, z, y, x)
        Current density along z, y and x of the block; NaN where there is none.
    focusing : ndarray, shape (y, x)
        Current density at the lithium over its mean, smoothed by 1.5 voxels.
    stress : BlockStress, optional
        Displacement and stress, where they were asked for.
    """

    name: str
    title: str
    numbers: dict[str, Number]
    warnings: list[str]
    block: Block
    potential_v: np.ndarray
    current_a_m2: np.ndarray
    focusing: np.ndarray
    stress: BlockStress | None = None

    def fields(self) -> dict[str, tuple[np.ndarray, str, Block]]:
        """Give every field with its unit and the block whose voxels it has, by name."""
        found = {
            "material": (self.block.material, "1", self.block),
            "potential_v": (self.potential_v.astype("f4"), "V", self.block),
            "focusing": (self.focusing.astype("f4"), "1", self.block),
        }
        if self.stress is not None:
            von_mises = self.stress.von_mises_mpa.astype("f4")
            found["von_mises_mpa"] = (von_mises, "MPa", self.stress.block)
        return found

    def write(self, folder: Path) -> None:
        """Write ``fields.zarr``, (z, y, x) or (y, x), and for ParaView ``fields.vti, stress.vti``.

        All lie where the block lies in the result.
        """
        import zarr
        from zarr.codecs import ZstdCodec

        path, fresh = folder / "fields.zarr", folder / ".fields.zarr.partial"
        shutil.rmtree(fresh, ignore_errors=True)
        group: Any = zarr.open_group(fresh, mode="w", zarr_format=3)
        for name, (values, unit, block) in self.fields().items():
            array = group.create_array(
                name, data=np.ascontiguousarray(values),
                dimension_names=("z", "y", "x")[-values.ndim :],
                compressors=with_checksum(ZstdCodec()),
            )  # fmt: skip
            array.attrs["unit"] = unit
            array.attrs["voxel_size_um"] = list(block.voxel_um[-values.ndim :])
            array.attrs["first_um"] = list(block.first_um[-values.ndim :])
            array.attrs["z_sign"] = block.sign
        shutil.rmtree(path, ignore_errors=True)
        os.replace(fresh, path)
        electric = {
            "material": self.block.material,
            "particle": self.block.particle.astype(np.int32),
            "potential_v": self.potential_v.astype("f4"),
            "current_a_m2": self.current_a_m2,
        }
        _write_vti(folder / "fields.vti", self.block, electric, {})
        if self.stress is not None:
            deformed = self.stress.deformed
            mechanical = {
                "material": self.stress.block.material,
                "von_mises_mpa": self.stress.von_mises_mpa.astype("f4"),
            }
            moved = {"displacement_um": deformed.displacement_um.astype("f4")}
            _write_vti(folder / "stress.vti", self.stress.block, mechanical, moved)

    def figure(self) -> Figure:
        """Draw the map of the focusing factor, and the middle plane's potential and stress."""
        shown = 2 if self.stress is None else 3
        figure, axes = canvas(1, shown, (4.6 * shown, 4.0))
        z, y, x = self.block.voxel_um
        _, height, width = self.potential_v.shape
        most = float(np.nanpercentile(self.focusing, 99.5))
        image = axes[0].imshow(
            self.focusing, cmap="magma", vmin=0, vmax=most, extent=(0, width * x, height * y, 0),
            interpolation="none",
        )  # fmt: skip
        axes[0].set(xlabel="x (µm)", ylabel="y (µm)")
        axes[0].set_title("current density at the lithium over its mean", fontsize=9)
        figure.colorbar(image, ax=axes[0], shrink=0.8, extend="max")
        middle = np.s_[:, height // 2]
        plane = self.block.material[middle], 1e3 * self.potential_v[middle]
        look: dict[str, Any] = {"cmap": "viridis", "extend": "neither"}
        _draw_plane(figure, axes[1], plane, (z, x), "potential in the middle plane (mV)", look)
        if self.stress is not None:
            whole, edges = self.stress.von_mises_mpa, self.stress.block.voxel_um
            middle = np.s_[:, whole.shape[1] // 2]
            plane = self.stress.block.material[middle], whole[middle]
            most = float(np.nanpercentile(plane[1], 99.5))
            look = {"cmap": "inferno", "extend": "max", "vmin": 0, "vmax": most}
            title = "von Mises stress in that plane (MPa)"
            _draw_plane(figure, axes[2], plane, (edges[0], edges[2]), title, look)
        _legend(figure, self.block.material)
        figure.suptitle(f"{self.title}: {self.name}", fontsize=11)
        return figure


def _write_vti(
    path: Path, block: Block, cells: dict[str, np.ndarray], points: dict[str, np.ndarray]
) -> None:
    """Write fields of a block as it lies in the result, whose z may run towards the anode."""
    z, y, x = (first - edge / 2 for first, edge in zip(block.first_um, block.voxel_um, strict=True))
    if block.sign < 0:
        z -= (block.material.shape[0] - 1) * block.voxel_um[0]
        cells, points = ({k: _turned(v) for k, v in each.items()} for each in (cells, points))
    write_fields(path, cells, points, voxel_um=block.voxel_um, corner_um=(z, y, x))


def _turned(values: np.ndarray) -> np.ndarray:
    """Let z run the other way, of vectors their component along it, too."""
    turned = np.flip(values, axis=-3)
    return (
        turned
        if values.ndim == 3
        else turned * np.array([-1, 1, 1], turned.dtype)[:, None, None, None]
    )


def _draw_plane(
    figure: Figure, axis: Axes, plane: tuple[np.ndarray, np.ndarray],
    edges_um: tuple[float, float], title: str, look: dict[str, Any],
) -> None:  # fmt: skip
    """Draw a field over the materials that do not have it."""
    extend = look.pop("extend")
    material, values = plane
    depth, width = values.shape
    extent = (0.0, width * edges_um[1], depth * edges_um[0], 0.0)
    axis.imshow(ground_of(material), interpolation="none", extent=extent)
    masked = np.ma.masked_invalid(values)
    image = axis.imshow(masked, interpolation="none", extent=extent, **look)
    axis.set(xlabel="x (µm)", ylabel="from the anode (µm)")
    axis.set_title(title, fontsize=9)
    figure.colorbar(image, ax=axis, shrink=0.8, extend=extend)


def _legend(figure: Figure, material: np.ndarray) -> None:
    """Name the colours of what has no field."""
    from matplotlib.patches import Patch

    present = set(np.unique(material).tolist()) - {Material.ELECTROLYTE}
    handles = [
        Patch(facecolor=COLORS[code], edgecolor="#444444", lw=0.5, label=code.name.lower())
        for code in Material
        if code in present
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)
