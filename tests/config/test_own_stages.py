"""Stages of one's own: found beside the configuration, run only where that is allowed."""

import sys
from hashlib import sha256

import pytest

import xct
from xct.cli.main import execute
from xct.config.loading import load_config, read_config
from xct.config.own_stages import load_own_stages
from xct.config.recipe import load_recipe
from xct.errors import ConfigError
from xct.quantity import QUANTITIES
from xct.stages import STAGES, load_stages

MODULE = '''
import numpy as np
from xct import stage
from own_helper import FACTOR

@stage(gives="transmission", cut=("row",))
def own_dimming(transmission: np.ndarray, *, factor: float = FACTOR) -> np.ndarray:
    """Multiply the transmission.

    Parameters
    ----------
    factor : float
        What it is multiplied with.
    """
    return transmission * np.float32(factor)
'''


@pytest.fixture(autouse=True)
def _forget():
    load_stages()
    stages, quantities, path = dict(STAGES), dict(QUANTITIES), list(sys.path)
    yield
    for registry, before in ((STAGES, stages), (QUANTITIES, quantities)):
        registry.clear()
        registry.update(before)
    for name in [n for n in sys.modules if n.partition(".")[0] in ("own_lab", "own_helper")]:
        del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own_lab").mkdir()
    (tmp_path / "own_lab" / "steps.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "own_helper.py").write_text("FACTOR = 0.5\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text(
        "scan: {file: a.h5}\noutput: out\npipeline: own.yaml\nstages: [own_lab.steps]\n",
        encoding="utf-8",
    )
    recipe = "- flat_field\n- own_dimming: {factor: 0.25}\n- line_integrals\n- find_center\n- fbp\n"
    (tmp_path / "own.yaml").write_text(recipe, encoding="utf-8")
    return tmp_path


def test_a_module_beside_the_configuration_is_loaded_with_its_checksum(folder):
    config = load_config(folder / "config.yaml", allow_stages=True)
    steps = load_recipe(config).steps
    assert [step.name for step in steps][1] == "own_dimming"
    assert steps[1].settings == {"factor": 0.25}
    loaded = {module.name: module for module in config.own_stages}
    assert {"own_lab.steps", "own_helper"} <= set(loaded)
    file = folder / "own_lab" / "steps.py"
    assert loaded["own_lab.steps"].path == file
    assert loaded["own_lab.steps"].checksum == sha256(file.read_bytes()).hexdigest()


def test_code_is_not_run_unless_that_is_allowed(folder):
    (folder / "own_lab" / "steps.py").write_text("raise SystemExit('was run')", encoding="utf-8")
    _, errors = read_config(folder / "config.yaml")
    (error,) = errors
    assert (
        ":4: stages: the code of own_lab.steps would be run; allow it with --allow-stages" in error
    )
    assert "own_lab" not in sys.modules


def test_a_changed_module_is_loaded_anew(folder):
    first = load_own_stages(["own_lab.steps"], folder)
    file = folder / "own_lab" / "steps.py"
    file.write_text(MODULE.replace("own_dimming", "own_brightening"), encoding="utf-8")
    second = load_own_stages(["own_lab.steps"], folder)
    assert "own_brightening" in STAGES
    assert first != second
    assert load_own_stages(["own_lab.steps"], folder) == second


def test_an_installed_module_is_found_where_none_is_beside(folder):
    (module,) = [m for m in load_own_stages(["xct.analyze.layers"], folder) if m.name == "xct"]
    assert str(module.path) == xct.__file__


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_like_it\n", r"own_lab\.steps: .*steps\.py:1: No module named 'nothing_li"),
        ("def f(:\n", r"own_lab\.steps: .*steps\.py:1: invalid syntax"),
        ("\n\nimport numpy as np\nnp.zeros(-1)\n", r"steps\.py:4: negative dimensions"),
        ("1 / 0\n", r"steps\.py:1: ZeroDivisionError: division by zero"),
        ("raise SystemExit('end')\n", r"steps\.py:1: SystemExit: end"),
        (MODULE.replace("own_dimming", "fbp"), r"declares the stage fbp, which is there already"),
        (MODULE.replace('"transmission", ', '"brightness", '), r"gives 'brightness', which is not"),
        (
            MODULE.replace('gives="transmission"', 'gives=Quantity("volume")').replace(
                "import stage", "import stage\nfrom xct.quantity import Quantity"
            ),
            r"declares the quantity volume, which is there already",
        ),
    ],
)
def test_a_module_that_fails_is_explained_and_leaves_nothing(folder, text, message):
    (folder / "own_lab" / "steps.py").write_text(text, encoding="utf-8")
    stages, quantities = dict(STAGES), dict(QUANTITIES)
    with pytest.raises(ConfigError, match=message):
        load_own_stages(["own_lab.steps"], folder)
    assert stages == STAGES
    assert quantities == QUANTITIES
    (folder / "own_lab" / "steps.py").write_text(MODULE, encoding="utf-8")
    load_own_stages(["own_lab.steps"], folder)
    assert "own_dimming" in STAGES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_lib.steps", r"own_lib\.steps: no such module, neither beside the configuration"),
        ("own_lab.stops", r"own_lab\.stops: no such module"),
        ("../steps.py", r"\.\./steps\.py: is not the dotted name of a module"),
    ],
)
def test_a_module_that_is_not_there_is_named(folder, name, message):
    with pytest.raises(ConfigError, match=message):
        load_own_stages([name], folder)


def test_a_module_of_another_folder_with_the_same_name_is_not_mistaken(folder, tmp_path_factory):
    load_own_stages(["own_lab.steps"], folder)
    other = tmp_path_factory.mktemp("other")
    (other / "own_lab.py").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="another module own_lab is loaded already"):
        load_own_stages(["own_lab"], other)


def test_commands_take_the_permission(folder, capfd):
    config = str(folder / "config.yaml")
    assert execute(["stages", "own_dimming", "--config", config]) == 2
    assert "allow it with --allow-stages" in capfd.readouterr().err
    assert execute(["stages", "own_dimming", "--config", config, "--allow-stages"]) == 0
    assert "Multiply the transmission." in capfd.readouterr().out
    for command in ("check", "run"):
        assert execute([command, config, "--allow-stages"]) == 2
        errors = capfd.readouterr().err
        assert "a.h5" in errors
        assert "allow it" not in errors
