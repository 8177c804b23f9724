"""What is true of a virtual cell, as numbers. In: a cell; out: tables and facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from xct.geometry import STANDARD_SCALE, SURFACES
from xct.phantom.cell.cell import VirtualCell
from xct.phantom.cell.layout import at
from xct.phantom.cell.states import state_named
from xct.phantom.cell.substances import POROSITY
from xct.phantom.truth.roughness import height_parameters
from xct.physics.lithium import METAL_MAH_PER_CM3, SHRINKING, ncm811_mah_per_um3

# Lithium balance: where the lithium is. In: a cell; out: charge by store.
#
# Lithium in anode, cathode and inclusions, and what reacted, adds up to what the pristine cell has.


def lithium_balance(cell: VirtualCell) -> pd.DataFrame:
    """Give how much lithium is where.

    Returns
    -------
    DataFrame
        ``store`` (anode, cathode, inclusions, reacted, pristine_anode, pristine_cathode),
        ``charge_mah``, and ``lithium_um``: the layer of metal over the bore that it equals.
    """
    area_um2 = np.pi * cell.layout.bore_radius_um**2
    interfaces, facts = cell.interfaces, cell.contents.facts
    inside = interfaces.inside
    metal = float(interfaces.lithium_um[inside].mean(dtype=np.float64)) * area_um2
    stripped = float(interfaces.stripped_um[inside].mean(dtype=np.float64)) * area_um2
    inclusions = cell.inclusions.facts
    lost = float(inclusions["volume_um3"][inclusions["lithium"]].sum())
    content = facts["li_content"]
    solid = (facts["outer_volume_um3"] - facts["cavity_um3"]) * (1 - facts["crack_porosity"])
    # Volumes are those of today; per formula unit a delithiated particle is smaller.
    full_mah = solid / (1 - SHRINKING * (1 - content)) * ncm811_mah_per_um3()
    charges = {
        "anode": metal * METAL_MAH_PER_CM3 * 1e-12,
        "cathode": float((full_mah * content).sum()),
        "inclusions": lost * METAL_MAH_PER_CM3 * 1e-12,
        "pristine_anode": (metal + stripped) * METAL_MAH_PER_CM3 * 1e-12,
        "pristine_cathode": float(full_mah.sum()),
    }
    before = charges["pristine_anode"] + charges["pristine_cathode"]
    kept = charges["anode"] + charges["cathode"] + charges["inclusions"]
    charges["reacted"] = before - kept
    return pd.DataFrame(
        {
            "store": list(charges),
            "charge_mah": list(charges.values()),
            "lithium_um": [
                charge / (METAL_MAH_PER_CM3 * 1e-12 * area_um2) for charge in charges.values()
            ],
        }
    )


LAYERS = ("lithium", "electrolyte", "cathode")


def grey_values(mu_per_cm: np.ndarray, electrolyte_per_cm: np.ndarray) -> np.ndarray:
    """Give the grey values that μ has on the normalized scale, without any error."""
    return np.asarray(STANDARD_SCALE.grey_value(mu_per_cm / electrolyte_per_cm))


def thickness_maps(cell: VirtualCell) -> dict[str, np.ndarray]:
    """Give the thickness of each layer along z in µm, (y, x), NaN outside of the bore."""
    faces = cell.interfaces.faces
    front = cell.fronts.front_um
    maps = (cell.interfaces.lithium_um, front - faces[2], faces[4] - front)
    return {
        name: np.where(cell.interfaces.inside, values, np.nan).astype(np.float32)
        for name, values in zip(LAYERS, maps, strict=True)
    }


def tables_of(cell: VirtualCell) -> dict[str, pd.DataFrame]:
    """Make the tables that need no voxels.

    Returns
    -------
    dict of str to DataFrame
        ``particles``, ``inclusions``, ``layers``, ``surfaces``, ``lithium_balance``,
        ``electrolyte``.
    """
    surfaces = [
        {"surface": name, **height_parameters(surface.height_um, cell.voxel_um)}
        for name, surface in cell.surfaces.items()
        if name in SURFACES
    ]
    return {
        "particles": _particles(cell),
        "inclusions": _inclusions(cell),
        "layers": _layers(cell),
        "surfaces": pd.DataFrame(surfaces),
        "lithium_balance": lithium_balance(cell),
        "electrolyte": _electrolyte(cell),
    }


def _particles(cell: VirtualCell) -> pd.DataFrame:
    bodies, facts = cell.contents.bodies, cell.contents.facts
    center = bodies.center
    distance = at(cell.fronts.front_um, center, cell.voxel_um) - center[:, 0]
    median = float(np.median(facts["equivalent_diameter_um"]))
    z = cell.turned_um(center[:, 0])
    edge = (np.array(cell.shape) - 1) * cell.voxel_um
    reach = bodies.reach[:, None] - cell.voxel_um / 2
    border = ((center < reach) | (center > edge - reach)).any(axis=1)
    # Cracks are finer than a voxel: what a scan sees of the solid is less by their fraction.
    seen = bodies.mu * (1 - facts["crack_porosity"])
    open_ = (1 - facts["crack_porosity"]) * (facts["outer_volume_um3"] - facts["cavity_um3"])
    return pd.DataFrame(
        {
            "particle": bodies.number,
            "z_um": z,
            "y_um": center[:, 1],
            "x_um": center[:, 2],
            "volume_um3": open_,
            "equivalent_diameter_um": facts["equivalent_diameter_um"],
            "sphericity": facts["sphericity"],
            "core_grey": grey_values(seen, cell.electrolyte_per_cm(z)),
            "distance_to_front_um": distance,
            "drifted": facts["released"] & (distance >= median),
            "touches_border": border,
            "mu_per_cm": bodies.mu,
            "li_content": facts["li_content"],
            "outer_volume_um3": facts["outer_volume_um3"],
            "cavity_um3": facts["cavity_um3"],
            "crack_porosity": facts["crack_porosity"],
            "gap_um": facts["gap_um"],
            "dead": facts["dead"],
        }
    )


def _inclusions(cell: VirtualCell) -> pd.DataFrame:
    facts = cell.inclusions.facts
    center = facts["center"]
    anode = at(cell.interfaces.faces[2], center, cell.voxel_um)
    return pd.DataFrame(
        {
            "inclusion": np.arange(1, len(center) + 1),
            "z_um": cell.turned_um(center[:, 0]),
            "y_um": center[:, 1],
            "x_um": center[:, 2],
            "volume_um3": facts["volume_um3"],
            "thickness_um": facts["thickness_um"],
            "distance_to_anode_um": center[:, 0] - anode,
            "enclosed": facts["class"] == "enclosed",
            "class": facts["class"],
            "kind": facts["kind"],
            "width_um": facts["width_um"],
            "filament": facts["kind"] == "filament",
            "length_um": facts["length_um"],
            "tortuosity": facts["tortuosity"],
        }
    )


def _electrolyte(cell: VirtualCell) -> pd.DataFrame:
    """List μ of the electrolyte between its pores, slice by slice."""
    z = np.arange(cell.shape[0]) * cell.voxel_um
    return pd.DataFrame({"z_um": z, "mu_per_cm": cell.electrolyte_per_cm(z)})


def _layers(cell: VirtualCell) -> pd.DataFrame:
    rows = []
    for name, thickness in thickness_maps(cell).items():
        known = thickness[np.isfinite(thickness)].astype(np.float64)
        rows.append(
            {
                "layer": name,
                "mean_thickness_um": known.mean(),
                "sd_thickness_um": known.std(),
                "absent_area_fraction": float(np.mean(known <= 0)),
            }
        )
    return pd.DataFrame(rows)


def facts_of(cell: VirtualCell, tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Gather every parameter, and the true value of what a run measures, by name.

    Parameters
    ----------
    cell : VirtualCell
        The cell.
    tables : mapping of str to DataFrame
        As `tables_of` gives them.

    Returns
    -------
    dict
    """
    layers = tables["layers"].set_index("layer")
    balance = tables["lithium_balance"].set_index("store")
    particles = tables["particles"]
    geometry = cell.geometry
    tilt = np.hypot(geometry.axis_slope_y, geometry.axis_slope_x)
    inside = cell.interfaces.inside
    return {
        **{f"state.{key}": value for key, value in vars(state_named(cell.state)).items()},
        **cell.drawn_with,
        "seed": cell.seed,
        "anode": cell.anode,
        "voxel_size_um": cell.voxel_um,
        "energy_kev": cell.energy_kev,
        "composite_porosity": POROSITY,
        "tube_radius_um": cell.layout.tube_radius_um,
        "axis_y_um": geometry.axis_y_um,
        "axis_x_um": geometry.axis_x_um,
        "cell_tilt_deg": float(np.rad2deg(np.arctan(tilt))),
        "electrolyte_peak_per_cm": float(
            np.mean(cell.electrolyte_per_cm(_electrolyte_heights(cell)))
        ),
        **{f"thickness_um.{k}": float(layers.mean_thickness_um[k]) for k in LAYERS},
        "absent_area_fraction": float(layers.absent_area_fraction["lithium"]),
        "drifted_particles": int(particles.drifted.sum()),
        "particles": len(particles),
        "inclusions": len(tables["inclusions"]),
        "gap_at_lithium_um": _gaps_um(cell),
        "bridges": int((tables["inclusions"]["class"] == "bridging").sum()),
        "filaments": int(tables["inclusions"]["filament"].sum()),
        "cathode_plateau_fraction": cell.fronts.plateau,
        "correlation_dead_stripped": _correlation(
            cell.interfaces.dead[inside], cell.interfaces.stripped_um[inside]
        ),
        **{f"lithium_mah.{k}": float(balance.charge_mah[k]) for k in balance.index},
    }


def _gaps_um(cell: VirtualCell) -> float:
    """Give the mean thickness, over the bore, of gaps between lithium and electrolyte."""
    facts = cell.inclusions.facts
    volume = float(facts["volume_um3"][facts["kind"] == "gap"].sum())
    return volume / (np.pi * cell.layout.bore_radius_um**2)


def _electrolyte_heights(cell: VirtualCell) -> np.ndarray:
    inside, faces = cell.interfaces.inside, cell.interfaces.faces
    low, high = (float(faces[k][inside].mean()) for k in (2, 3))  # grown into lithium's place
    return cell.turned_um(np.linspace(low, high, 101))


def _correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    if first.std() == 0 or second.std() == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])
