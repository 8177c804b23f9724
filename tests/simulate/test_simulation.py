"""`xct simulate`: files, numbers and messages of whole simulations, ideal and on labels."""

import json
import os
import re
import shutil
import subprocess

import meshio
import numpy as np
import pytest
import yaml
import zarr

from xct.cli.main import execute
from xct.errors import ConfigError, XctError
from xct.io.tables import read_table
from xct.io.volume_files.opening import open_foreign
from xct.phantom.writing import write_phantom
from xct.simulate import simulate
from xct.simulate.block.found import BlockFound
from xct.simulate.block.reading import Block
from xct.simulate.names import slug
from xct.simulate.output.raster import raster
from xct.simulate.settings import load_settings

SMALL = {"width_um": 90, "columns": 6, "rows": 2, "height_um": 100, "lithium_um": 80}
COARSE = {"boundary_um": 4, "coarsest_um": 16}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate")
    config = folder / "ideal.yaml"
    deposit = {"height_um": 10, "half_width_um": 8}
    cases = [
        {"name": "all active"},
        {"name": "sides/off", "inactive": "sides", "deposit": deposit},
    ]
    settings = {
        "simulate": {
            "ideal": SMALL,
            "cases": cases,
            "mesh": COARSE,
            "plating": {"charge_uah_cm2": 50, "steps": 2},
            "mechanics": {"charge_uah_cm2": 1},
        },
        "output": "out",
    }
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert execute(["simulate", str(config)]) == 0
    return folder / "out"


def test_the_command_writes_numbers_tables_fields_and_figures(written):
    summary = json.loads((written / "summary.json").read_text(encoding="utf-8"))
    first, second = summary["cases"]
    # 80 µm of lithium's face over particles that end at 27.5 µm, at 100 A/m² and 0.3 S/m.
    assert 17 < first["potential_drop_mv"]["value"] < 19.5
    assert first["potential_drop_mv"]["unit"] == "mV"
    assert second["focusing_max"]["value"] > 1.5
    assert 0 < second["focusing_max"]["sd"] < 0.3
    assert {"fields", "lithium", "plating"} <= {p.stem for p in (written / "figures").iterdir()}
    lithium = read_table(written / "tables" / "lithium.csv")
    for name, rows in lithium.groupby("case"):
        through = (rows["current_a_m2"] * rows["length_um"]).sum() / 90
        assert through == pytest.approx(100, rel=1e-6), name
        assert np.allclose(rows["flux_mol_m2_s"] * 96485.33, rows["current_a_m2"], rtol=1e-5)
    particles = read_table(written / "tables" / "particles.csv")
    for _, rows in particles.groupby("case"):
        assert rows["current_a_m"].sum() == pytest.approx(100 * 90e-6, rel=1e-5)
    assert (particles.loc[~particles["active"], "current_a_m"] == 0).all()
    plating = read_table(written / "tables" / "plating.csv")
    assert sorted(set(plating["charge_uah_cm2"])) == [25, 50]


def test_paraviews_file_and_the_pixels_show_one_potential(written):
    place = written / "cases" / "sides_off"
    mesh = meshio.read(place / "fields.vtu")
    assert {"potential_v", "displacement_um"} <= set(mesh.point_data)
    assert {"material", "current_a_m2", "von_mises_mpa"} <= set(mesh.cell_data)
    fields = zarr.open_group(place / "fields.zarr", mode="r")
    assert fields["potential_v"].attrs["unit"] == "V"
    most = float(np.nanmax(fields["potential_v"][:]))
    assert most == pytest.approx(np.nanmax(mesh.point_data["potential_v"]), rel=0.02)
    material = fields["material"][:]
    assert set(material[0]) == {1}  # the anode's end comes first


def test_paraview_opens_the_fields_of_a_simulation(written, tmp_path):
    pvpython = shutil.which("pvpython")
    if pvpython is None:
        pytest.skip("ParaView is not installed (Debian's package paraview)")
    path = written / "cases" / "sides_off" / "fields.vtu"
    script = tmp_path / "look.py"
    script.write_text(
        "import json\n"
        "from paraview.simple import OpenDataFile; from paraview import servermanager\n"
        f"seen = servermanager.Fetch(OpenDataFile({str(path)!r}))\n"
        "parts = seen.GetPointData(), seen.GetCellData()\n"
        "arrays = [part.GetArray(n) for part in parts for n in range(part.GetNumberOfArrays())]\n"
        "ranges = {a.GetName(): a.GetRange(-1 if a.GetNumberOfComponents() > 1 else 0)\n"
        "          for a in arrays}\n"
        "print('seen', json.dumps([seen.GetNumberOfPoints(), seen.GetNumberOfCells(),\n"
        "                          seen.GetBounds(), ranges]))\n",
        encoding="utf-8",
    )
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [pvpython, str(script)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, env=alone)
    [said] = [line for line in done.stdout.splitlines() if line.startswith("seen ")]
    points, cells, bounds, ranges = json.loads(said.removeprefix("seen "))
    mesh = meshio.read(path)
    assert (points, cells) == (len(mesh.points), len(mesh.cells[0].data))
    assert bounds == pytest.approx([0, 90, 0, 100, 0, 0])
    expected = np.nanmax(mesh.point_data["potential_v"])
    assert ranges["potential_v"] == pytest.approx([0, expected], abs=1e-9)
    flux = np.linalg.norm(mesh.cell_data["current_a_m2"][0], axis=1)
    assert ranges["current_a_m2"][1] == pytest.approx(np.nanmax(flux), rel=1e-6)
    assert ranges["von_mises_mpa"][1] > 0
    assert "displacement_um" in ranges


def test_pixels_are_what_lies_below_them():
    settings = load_settings({"simulate": {"ideal": SMALL}})
    found = simulate({"simulate": {"ideal": SMALL, "mesh": COARSE}})
    mesh = found.cases[0].solved.conduction.circuit.mesh
    below = raster(mesh, 0.7)
    assert (below.triangle >= 0).all()
    x = (np.arange(below.triangle.shape[1]) + 0.5) * 0.7
    assert np.allclose(below.of_nodes(mesh.points[:, 0]), x, atol=1e-9)
    assert settings.simulate.mechanics is None


def test_names_of_cases_make_folders():
    assert slug("a/b: c") == "a_b_c"
    assert slug("..") == "case"


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Give the truth of a virtual cell: it is laid out as a result is."""
    folder = tmp_path_factory.mktemp("cell")
    write_phantom("ncm-100", folder / "cell", shape=(144, 112, 112), angles=4)
    return folder / "cell" / "truth"


def test_a_plane_of_a_result_carries_its_current_past_dead_particles(truth):
    plane = {"result": str(truth), "along": "y", "offset_um": -10}
    table = read_table(truth / "tables" / "particles.csv")
    front = table.loc[table["distance_to_front_um"] > -12, "particle"].tolist()
    cases = [{"name": "all"}, {"name": "dead", "dead": {"drifted": True, "particles": front}}]
    settings = {"simulate": {"slice": plane, "cases": cases, "mesh": {"boundary_um": 4}}}
    every, dead = simulate(settings).cases
    assert dead.numbers["inactive_particles"].value > 3
    drops = [case.numbers["potential_drop_mv"].value for case in (every, dead)]
    assert drops[0] + 1 < drops[1]
    assert abs(every.solved.conduction.balance) < 1e-9
    places = every.solved.domain.frame.volume_um(every.solved.face.middle_um)
    # The face is where the truth has it, in the coordinates of its volume.
    from xct.result import open_result

    result = open_result(truth)
    edge = result.voxel_size_um
    height = result.surfaces["lithium_electrolyte"].height_um
    rows, columns = (np.rint(places[:, k] / edge).astype(int) for k in (1, 2))
    known = height[rows, columns]
    assert np.nanmedian(np.abs(known - places[:, 0])) < 0.5 * edge


def test_a_block_of_a_result_has_a_map_and_a_tortuosity(truth, tmp_path):
    mechanics = {"charge_uah_cm2": 0.1, "stack_pressure_mpa": 5}
    wanted = {"block": {"result": str(truth), "voxels": 32}, "mechanics": mechanics}
    [found] = simulate({"simulate": wanted}, out=tmp_path / "block").blocks
    assert found.focusing.mean() == pytest.approx(1, rel=1e-6)
    assert 1 < found.numbers["composite_tortuosity"].value < 6
    assert found.numbers["potential_drop_mv"].sd > 0
    smooth = found.numbers["composite_tortuosity_smooth"].value
    assert 1 < smooth < found.numbers["composite_tortuosity"].value
    # 5 MPa and nothing across: a von Mises stress of 5 (1 − 2ν)/(1 − ν), and more about grains.
    assert 3 < found.numbers["von_mises_mpa.p99"].value < 60
    assert found.numbers["von_mises_mpa.p99"].sd > 0
    fields = zarr.open_group(tmp_path / "block" / "cases" / "all_active" / "fields.zarr", mode="r")
    assert fields["von_mises_mpa"].attrs["unit"] == "MPa"
    assert fields["von_mises_mpa"].shape == fields["material"].shape
    assert (tmp_path / "block" / "figures" / "focusing_all_active.png").is_file()
    place = tmp_path / "block" / "cases" / "all_active"
    for name, field, shown in (
        ("fields", "potential_v", found.potential_v), ("stress", "von_mises_mpa", None),
    ):  # fmt: skip
        origin, spacing, seen = read_vti(place / f"{name}.vti")
        values = fields[field][:]
        np.testing.assert_array_equal(seen[field], values if found.block.sign > 0 else values[::-1])
        assert spacing == pytest.approx(fields[field].attrs["voxel_size_um"][::-1])
        assert origin[0] == pytest.approx(found.block.first_um[2] - spacing[0] / 2)
        assert shown is None or np.nanmax(shown) == pytest.approx(np.nanmax(values))


@pytest.mark.parametrize("sign", [1, -1])
def test_fields_of_a_block_lie_in_paraview_where_the_block_lies_in_the_result(tmp_path, sign):
    values = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    block = Block(values.astype(np.uint8), values.astype(int), (2.0, 3.0, 4.0), (100.0, 5.0, 6.0),
                  1, sign)  # fmt: skip
    current = np.stack([values, values + 100, values + 200])
    found = BlockFound("a", "t", {}, [], block, values, current, values[0])
    found.write(tmp_path)
    origin, spacing, seen = read_vti(tmp_path / "fields.vti")
    assert spacing == (4.0, 3.0, 2.0)
    assert origin == (4.0, 3.5, 99.0 if sign > 0 else 97.0)
    step = slice(None, None, sign)
    np.testing.assert_array_equal(seen["potential_v"], values[step])
    along_x, along_y, along_z = np.moveaxis(seen["current_a_m2"], -1, 0)
    np.testing.assert_array_equal(along_z, sign * values[step])
    np.testing.assert_array_equal(along_y, values[step] + 100)
    np.testing.assert_array_equal(along_x, values[step] + 200)
    # xct itself opens it as a volume, too: the first of its fields.
    assert open_foreign(tmp_path / "fields.vti").voxels.shape == (2, 3, 4)


def read_vti(path):
    """Give origin, spacing and the fields of voxels, by the reader that ParaView has."""
    xml = pytest.importorskip("vtkmodules.vtkIOXML")
    from vtkmodules.util.numpy_support import vtk_to_numpy

    reader = xml.vtkXMLImageDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    x, y, z = (length - 1 for length in image.GetDimensions())
    cells = image.GetCellData()
    arrays = [cells.GetArray(number) for number in range(cells.GetNumberOfArrays())]
    found = {}
    for array in arrays:
        values = vtk_to_numpy(array)
        found[array.GetName()] = values.reshape((z, y, x, *values.shape[1:]))
    return image.GetOrigin(), image.GetSpacing(), found


def test_a_flat_face_lies_at_the_mean_height_of_the_measured_one(truth):
    plane = {"result": str(truth), "lithium": "flat"}
    [found] = simulate({"simulate": {"slice": plane, "mesh": {"boundary_um": 6}}}).cases
    assert np.ptp(found.solved.face.middle_um[:, 1]) < 1e-6


@pytest.mark.parametrize(
    ("simulated", "told"),
    [
        ({}, "name one of ideal, slice and block"),
        ({"ideal": {}, "electrolyte": {"conductivity_s_m": 0}}, "conductivity_s_m: 0 is not"),
        ({"ideal": {}, "electrolyte": {"conductivity_s_m": 3000}}, "less than or equal|at most"),
        ({"ideal": {}, "current_density_ma_cm2": 10}, "did you mean current_density_a_m2"),
        ({"ideal": {"lithium_um": 50}}, "must lie above the particles, which end at 72.5"),
        ({"ideal": {"columns": 40}}, "are wider than width_um: 420"),
        ({"ideal": {}, "cases": [{"name": "a"}, {"name": "a"}]}, "two cases are named 'a';"),
        (
            {"ideal": {}, "cases": [{"name": "A/b"}, {"name": "a_b"}]},
            "'a_b' and 'A/b', which is one folder",
        ),
        ({"ideal": {}, "cases": [{"name": "a", "dead": {}}]}, "dead: is for a result"),
        ({"ideal": {}, "cases": [{"name": "a", "deposit": {"height_um": 150}}]}, "102.5 µm away"),
        ({"slice": {"result": "x"}, "cases": [{"name": "a", "inactive": "sides"}]}, "dead: {drift"),
        ({"ideal": {}, "electrolyte": {"density_exponent": 1.5}}, "is for a result, whose grey"),
        ({"block": {"result": "x"}, "plating": {}}, "plating: only of an ideal cell or a slice"),
        ({"block": {"result": "x"}, "kinetics": {"exchange_current_a_m2": 1}}, "kinetics: only of"),
    ],
)
def test_wrong_settings_are_one_line_each(simulated, told):
    with pytest.raises(ConfigError, match=told) as refused:
        load_settings({"simulate": simulated})
    assert len(refused.value.errors) == 1


def test_a_drop_that_no_cell_has_names_the_units():
    wanted = {"ideal": SMALL, "mesh": COARSE, "electrolyte": {"conductivity_s_m": 0.003}}
    [case] = simulate({"simulate": wanted}).cases
    [said] = case.warnings
    assert re.search(r"loses 1\.\d+ V, more than a cell has: current_density_a_m2 is in A/m²", said)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"slice": {"result": "."}}, "is a simulation; name the folder of the result"),
        ({"block": {"result": "."}}, "is a simulation; name the folder of the result"),
    ],
)
def test_a_simulation_is_no_result(written, wanted, told):
    [[kind, section]] = wanted.items()
    with pytest.raises(XctError, match=told) as refused:
        simulate({"simulate": {kind: {**section, "result": str(written)}}})
    assert len(refused.value.errors) == 1


def test_an_output_that_is_a_file_is_refused_before_anything_is_solved(tmp_path):
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(XctError, match="taken is a file; name a folder"):
        simulate({"simulate": {"ideal": {}}}, out=tmp_path / "taken")


def test_a_block_beside_the_bore_is_refused(truth):
    block = {"result": str(truth), "center_um": [900, 0]}
    with pytest.raises(XctError, match="lies 900 µm from the bore's axis: no block fits there"):
        simulate({"simulate": {"block": block}})


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"offset_um": 5000}, "offset_um: 5000 lies outside of the bore"),
        ({"across_um": [-9000, 0]}, "leaves the bore, which reaches from"),
        ({"depth_um": [0, 9000]}, "leaves the volume"),
        ({"result": "nowhere"}, "nowhere: no such folder"),
    ],
)
def test_a_plane_that_is_not_in_the_cell_is_refused(truth, changed, told):
    plane = {"result": str(truth), **changed}
    with pytest.raises(XctError, match=told):
        simulate({"simulate": {"slice": plane}})


def test_a_plane_without_lithium_is_refused(truth):
    plane = {"result": str(truth), "depth_um": [150, 250]}
    with pytest.raises(XctError, match="case 'all active': there is no lithium"):
        simulate({"simulate": {"slice": plane, "mesh": {"boundary_um": 4}}})
