"""A simulation on disk. In: what was found; out: numbers, tables, fields for ParaView, pictures."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xct.figures import panel_letters
from xct.io.atomic import write_json, write_text, written_whole
from xct.io.figures import save_figure
from xct.io.journal import with_checksum
from xct.io.tables import write_table
from xct.physics.lithium import FARADAY_C_MOL
from xct.simulate.names import slug
from xct.simulate.output.raster import Raster

if TYPE_CHECKING:
    from pandas import DataFrame

    from xct.simulate.case import Solved
    from xct.simulate.simulation import Case, Simulation


def write_simulation(found: Simulation, folder: Path) -> None:
    """Write a simulation.

    Parameters
    ----------
    found : Simulation
        What was found.
    folder : Path
        For ``summary.json``, ``simulation.yaml`` (the settings with every default), ``tables/``,
        ``figures/`` and, for each case, ``cases/NAME/fields.vtu`` and ``fields.zarr``.
    """
    import yaml

    from xct.simulate.output.figures import face_figure, fields_figure, plating_figure

    folder.mkdir(parents=True, exist_ok=True)
    for case in found.cases:
        place = folder / "cases" / slug(case.name)
        place.mkdir(parents=True, exist_ok=True)
        write_vtu(case.solved, place / "fields.vtu")
        write_fields(case.solved, place / "fields.zarr")
    for name, table in tables_of(found.cases).items():
        write_table(folder / "tables" / f"{name}.csv", table)
    pictures = {
        "fields": fields_figure(found.cases, found.settings.simulate.title),
        "lithium": face_figure(found.cases),
        "plating": plating_figure(found.cases),
    }
    for block in found.blocks:
        place = folder / "cases" / slug(block.name)
        place.mkdir(parents=True, exist_ok=True)
        block.write(place)
        pictures[f"focusing_{slug(block.name)}"] = block.figure()
    for name, figure in pictures.items():
        if figure is not None:
            save_figure(panel_letters(figure), folder / "figures", name)
    settings = found.settings.model_dump(mode="json")
    write_text(folder / "simulation.yaml", yaml.safe_dump(settings, sort_keys=False))
    write_json(folder / "summary.json", found.summary)


def tables_of(cases: list[Case]) -> dict[str, DataFrame]:
    """Give the tables of all cases, one below the other; empty ones are left out."""
    import pandas as pd

    made = {"lithium": lithium_table, "particles": particle_table, "plating": plating_table}
    found = {
        name: [make(case.solved).assign(case=case.name) for case in cases]
        for name, make in made.items()
    }
    joined = {name: pd.concat(tables) for name, tables in found.items() if tables}
    return {
        name: table[["case", *table.columns.drop("case")]]
        for name, table in joined.items()
        if len(table)
    }


def lithium_table(solved: Solved) -> DataFrame:
    """Give the current at the lithium's face, edge by edge.

    Returns
    -------
    DataFrame
        ``x_um, y_um`` (middle of the edge, across and along the height; of a result ``z_um,
        y_um, x_um`` in its volume), ``length_um, current_a_m2, flux_mol_m2_s, focusing`` (current
        density over that of the width).
    """
    import pandas as pd

    face = solved.face
    mean = _mean_current(solved)
    return pd.DataFrame(
        {
            **_places(solved, face.middle_um),
            "length_um": face.length_um,
            "current_a_m2": face.density_a_m2,
            "flux_mol_m2_s": face.density_a_m2 / FARADAY_C_MOL,
            "focusing": face.density_a_m2 / mean,
        }
    ).sort_values("x_um", kind="stable")


def _mean_current(solved: Solved) -> float:
    """Give the current density over the width, A/m²."""
    face = solved.face
    return float((face.density_a_m2 * face.length_um).sum() / solved.domain.width_um)


def _places(solved: Solved, points: np.ndarray) -> dict[str, np.ndarray]:
    frame = solved.domain.frame
    if frame is None:
        return {"x_um": points[:, 0], "y_um": points[:, 1]}
    return dict(zip(("z_um", "y_um", "x_um"), frame.volume_um(points).T, strict=True))


def particle_table(solved: Solved) -> DataFrame:
    """Give what flows from each particle.

    Returns
    -------
    DataFrame
        ``particle``, its middle in the plane as in `lithium_table`, ``active, current_a_m`` (A per
        metre of depth), ``mean_current_a_m2`` (over the surface that reacts).
    """
    import pandas as pd

    cathode, points = solved.conduction.circuit.cathode, solved.conduction.circuit.mesh.points
    length = cathode.lengths_um(points) * 1e-6
    numbers = np.array(sorted(solved.domain.centers_um), int)
    size = int(max(numbers.max(initial=0), cathode.particle.max(initial=0))) + 1
    current = np.bincount(
        cathode.particle, solved.conduction.cathode_a_m2 * length, minlength=size
    )[numbers]
    surface = np.bincount(cathode.particle, length, minlength=size)[numbers]
    centers = np.array([solved.domain.centers_um[n] for n in numbers]).reshape(-1, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = current / surface
    return pd.DataFrame(
        {
            "particle": numbers,
            **_places(solved, centers),
            "active": ~np.isin(numbers, sorted(solved.inactive)),
            "current_a_m": current,
            "mean_current_a_m2": mean,
        }
    )


def plating_table(solved: Solved) -> DataFrame:
    """Give the thickness of plated lithium after each step.

    Returns
    -------
    DataFrame
        ``charge_uah_cm2``, the middle of the edge as in `lithium_table`, ``thickness_um,
        current_a_m2``.
    """
    import pandas as pd

    plating = solved.plating
    if plating is None:
        return pd.DataFrame()
    parts = [
        pd.DataFrame(
            {
                "charge_uah_cm2": charge,
                **_places(solved, face.middle_um),
                "thickness_um": face.thickness_um,
                "current_a_m2": face.density_a_m2,
            }
        ).sort_values("x_um", kind="stable")
        for charge, face in zip(plating.charge_uah_cm2, plating.faces, strict=True)
    ]
    return pd.concat(parts) if parts else pd.DataFrame()


def write_vtu(solved: Solved, path: Path) -> None:
    """Write mesh and fields for ParaView: positions in µm; NaN where there is no such field."""
    import meshio

    mesh = solved.conduction.circuit.mesh
    cells: dict[str, list[Any]] = {
        "material": [mesh.material.astype(np.int32)],
        "particle": [mesh.particle],
        "conductivity_s_m": [solved.conduction.conductivity_s_m],
        "current_a_m2": [_in_space(solved.conduction.current_a_m2)],
    }
    points = {"potential_v": solved.conduction.potential_v}
    if solved.stress is not None:
        elastic, chosen = solved.stress.elasticity, solved.stress.triangles
        stress = np.full((len(mesh.triangles), 4), np.nan)
        stress[chosen] = elastic.node_stress_mpa.mean(axis=1)
        von_mises = np.full(len(mesh.triangles), np.nan)
        von_mises[chosen] = elastic.von_mises_mpa.mean(axis=1)
        moved = np.zeros((len(mesh.points), 3))
        moved[solved.stress.nodes, :2] = elastic.node_displacement_um
        cells |= {"von_mises_mpa": [von_mises], "stress_mpa_xx_yy_zz_xy": [stress]}
        points["displacement_um"] = moved
    whole = meshio.Mesh(
        np.pad(mesh.points, ((0, 0), (0, 1))),
        [("triangle", mesh.triangles)],
        point_data=points,
        cell_data=cells,
    )
    with written_whole(path) as temporary:
        meshio.write(temporary, whole, file_format="vtu")


def _in_space(vectors: np.ndarray) -> np.ndarray:
    """Give vectors of the plane a third component, 0 where they are known."""
    third = np.where(np.isnan(vectors[:, :1]), np.nan, 0.0)
    return np.concatenate([vectors, third], axis=1)


def fields_of(solved: Solved, below: Raster) -> dict[str, tuple[np.ndarray, str]]:
    """Give every field in pixels, the lowest row first, by name with its unit."""
    conduction = solved.conduction
    flux = below.of_triangles(conduction.current_a_m2)
    carried = below.of_triangles(conduction.circuit.carries)
    found = {
        "material": (below.of_triangles(below.mesh.material), "1"),
        "particle": (below.of_triangles(below.mesh.particle), "1"),
        "potential_v": (np.where(carried, below.of_nodes(conduction.potential_v), np.nan), "V"),
        "current_x_a_m2": (flux[..., 0], "A/m²"),
        "current_y_a_m2": (flux[..., 1], "A/m²"),
        "current_a_m2": (np.hypot(flux[..., 0], flux[..., 1]), "A/m²"),
    }
    if solved.stress is not None:
        values = np.full(below.mesh.triangles.shape, np.nan)
        values[solved.stress.triangles] = solved.stress.elasticity.von_mises_mpa
        found["von_mises_mpa"] = (below.of_corners(values), "MPa")
    return found


def write_fields(solved: Solved, path: Path) -> None:
    """Write the fields in pixels as a Zarr group, axes (height, across), the anode's end first."""
    import zarr
    from zarr.codecs import ZstdCodec

    below = solved.raster
    fresh = path.with_name(f".{path.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    group: Any = zarr.open_group(fresh, mode="w", zarr_format=3)
    if solved.domain.frame is not None:
        group.attrs["frame"] = asdict(solved.domain.frame)
    for name, (values, unit) in fields_of(solved, below).items():
        kind = np.float32 if values.dtype.kind == "f" else values.dtype
        array = group.create_array(
            name,
            data=np.ascontiguousarray(values[::-1], kind),
            dimension_names=("height", "across"),
            compressors=with_checksum(ZstdCodec()),
        )
        array.attrs["unit"] = unit
        array.attrs["pixel_um"] = below.pixel_um
    shutil.rmtree(path, ignore_errors=True)
    os.replace(fresh, path)
