"""Values of a configuration are changed in place; everything else stays as it was written."""

import pytest

from xct.config.rewrite import rewrite_config
from xct.errors import ConfigError
from xct.io.yaml import parse

TEXT = """# measured in March
scan:
  file: scan.h5   # the second one
  # center_px: guess
  bin: 2          # enough
cell: {name: A}   # the cell
steps: {fbp: {window: hann}}
output: out
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_values_are_set_and_comments_stay(config):
    rewrite_config(config, {"scan.center_px": 92.25, "steps.stripes.size_px": 31})
    text = config.read_text(encoding="utf-8")
    for line in ("# measured in March", "  file: scan.h5   # the second one", "  bin: 2  "):
        assert line in text
    value = parse(text).value
    assert value["scan"] == {"file": "scan.h5", "bin": 2, "center_px": 92.25}
    assert value["steps"] == {"fbp": {"window": "hann"}, "stripes": {"size_px": 31}}
    rewrite_config(config, {"scan.center_px": 93.5, "scan.bin": 1})
    assert parse(config.read_text(encoding="utf-8")).value["scan"] == {
        "file": "scan.h5",
        "bin": 1,
        "center_px": 93.5,
    }
    assert config.read_text(encoding="utf-8").count("center_px:") == 2  # the comment, and one value
    rewrite_config(config, {"scan.center_px": None})
    assert "center_px" not in parse(config.read_text(encoding="utf-8")).value["scan"]


def test_section_that_is_missing_is_added(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("scan: {file: a.h5}\noutput: out", encoding="utf-8")
    rewrite_config(path, {"steps.fbp.window": "parzen"})
    assert parse(path.read_text(encoding="utf-8")).value == {
        "scan": {"file": "a.h5"},
        "output": "out",
        "steps": {"fbp": {"window": "parzen"}},
    }


@pytest.mark.parametrize("changes", [{"scan.bin": 0}, {"scan.bins": 2}, {"run.dtype": "int8"}])
def test_wrong_value_is_refused_and_nothing_is_written(config, changes):
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        rewrite_config(config, changes)
    assert config.read_text(encoding="utf-8") == TEXT


def test_what_is_no_configuration_is_refused(config):
    config.write_text("- a list", encoding="utf-8")
    with pytest.raises(ConfigError, match="no mapping"):
        rewrite_config(config, {"scan.bin": 2})
