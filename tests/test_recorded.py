"""Nothing was lost when the house was rebuilt: public names, commands, stages."""

from importlib import import_module

import pytest

from tests.recorded import options_of, recorded
from xct.cli.main import xct as commands
from xct.stages import load_stages

# Packages that have another name today.
RENAMED = {"xct.planner": "xct.beamtime"}


@pytest.mark.parametrize("package", sorted(recorded("names")))
def test_every_public_name_is_still_there(package):
    module = import_module(RENAMED.get(package, package))
    missing = [name for name in recorded("names")[package] if not hasattr(module, name)]
    assert missing == []


@pytest.mark.parametrize("name", sorted(recorded("commands")))
def test_every_command_still_takes_its_arguments_and_options(name):
    today = options_of(commands)
    assert set(recorded("commands")[name]) <= set(today[name])


@pytest.mark.parametrize("name", sorted(recorded("stages")))
def test_every_stage_is_still_there(name):
    assert name in load_stages()
