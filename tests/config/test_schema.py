"""The schema describes every property; `xct init` leaves it where editors find it."""

import json

from jsonschema import Draft202012Validator

from tests.scans import write_dxchange
from xct.config.loading import load_config
from xct.config.new_config import write_config
from xct.config.schema import config_schema, parameter_texts
from xct.stages import load_stages


def properties(schema, path=""):
    """Yield every property of a schema, with its path."""
    if isinstance(schema, dict):
        for name, definition in schema.get("properties", {}).items():
            yield f"{path}.{name}", definition
        for key, inner in schema.items():
            yield from properties(inner, f"{path}.{key}")
    elif isinstance(schema, list):
        for number, inner in enumerate(schema):
            yield from properties(inner, f"{path}.{number}")


def test_every_property_has_a_description():
    found = dict(properties(config_schema()))
    assert len(found) > 100
    assert [path for path, definition in found.items() if not definition.get("description")] == []


def test_settings_say_their_unit():
    steps = config_schema()["properties"]["steps"]["properties"]
    for name, unit in (("_um", ("µm",)), ("_px", ("pixel", "voxel"))):
        texts = {
            f"{stage}.{setting}": definition["description"]
            for stage, step in steps.items()
            for setting, definition in step["anyOf"][0].get("properties", {}).items()
            if setting.endswith(name)
        }
        assert texts
        assert [key for key, text in texts.items() if not any(u in text for u in unit)] == []


def test_descriptions_are_those_of_the_docstring():
    def example(a, *, first=1, second=2, third=3):
        """Do something.

        Parameters
        ----------
        a : ndarray
            Data.
        first, second : float, optional
            One of two lines,
            in µm.
        third
            Without a type.

        Returns
        -------
        fourth : float
            Not a parameter.
        """

    assert parameter_texts(example) == {
        "a": "Data.",
        "first": "One of two lines, in µm.",
        "second": "One of two lines, in µm.",
        "third": "Without a type.",
    }
    assert parameter_texts(lambda: None) == {}


def test_every_stage_is_described():
    steps = config_schema()["properties"]["steps"]["properties"]
    assert set(steps) == set(load_stages())
    assert all(step["description"] for step in steps.values())


def test_a_new_configuration_names_its_schema_in_the_first_line(tmp_path):
    scan = write_dxchange(tmp_path / "scan.h5")
    to = tmp_path / "config.yaml"
    write_config(scan, pipeline="reconstruct", output=tmp_path / "out", to=to)
    first, *_ = to.read_text(encoding="utf-8").splitlines()
    name = first.removeprefix("# yaml-language-server: $schema=")
    schema = json.loads((to.parent / name).read_text(encoding="utf-8"))
    assert schema == config_schema()
    load_config(to)


def test_the_schema_accepts_what_xct_accepts_and_refuses_what_it_refuses():
    check = Draft202012Validator(config_schema()).is_valid
    right = {"scan": {"file": "a.h5", "bin": 2}, "output": "o", "steps": {"fbp": {"cutoff": 0.5}}}
    assert check(right)
    for section, key, wrong in (
        ("scan", "bni", 2), ("scan", "bin", "two"), ("steps", "fpb", {}), ("run", "dtype", "int8")
    ):  # fmt: skip
        assert not check({**right, section: {**right.get(section, {}), key: wrong}})
