"""Configurations: every mistake at once, each with its place and a remedy."""

import pytest

from xct.config.loading import load_config, read_config
from xct.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "c.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


RIGHT = "scan: {file: raw/a.h5}\noutput: out\n"


def test_paths_start_at_the_folder_of_the_file(write, tmp_path):
    config = load_config(write(RIGHT))
    assert config.scan.file == str(tmp_path / "raw/a.h5")
    assert config.output == str(tmp_path / "out")


def test_every_mistake_is_named_at_once(write):
    path = write("scan: {fiel: a.h5, bin: two}\nrun: {dtype: float64}\npipelin: x\noutput: out\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    text = "\n".join(caught.value.errors)
    assert len(caught.value.errors) == 4
    assert ":1: scan.fiel: unknown key (did you mean file?)" in text
    assert ":1: scan.bin: 'two' is not accepted" in text
    assert ":2: run.dtype: 'float64' is not accepted" in text
    assert ":3: pipelin: unknown key (did you mean pipeline?)" in text


def test_what_is_right_is_kept_beside_what_is_wrong(write):
    config, errors = read_config(write("scan: {file: a.h5, bin: 0}\noutput: out\n"))
    assert len(errors) == 1
    assert config.scan.file.endswith("a.h5")


def test_set_overrules_the_file_and_is_checked_like_it(write):
    assert load_config(write(RIGHT), ["scan.bin=2", "run.dtype=uint16"]).scan.bin == 2
    with pytest.raises(ConfigError, match=r"--set: scan\.bin: 'x' is not accepted"):
        load_config(write(RIGHT), ["scan.bin=x"])
    with pytest.raises(ConfigError, match="write KEY=VALUE"):
        load_config(write(RIGHT), ["scan.bin"])


def test_an_empty_key_is_as_good_as_none(write):
    assert load_config(write("scan:\n  file: a.h5\n  energy_kev:\noutput: o\n")).scan.bin == 1


def test_a_mapping_is_checked_like_a_file():
    with pytest.raises(ConfigError, match=r"configuration: scan\.bin: 'a' is not accepted"):
        load_config({"scan": {"file": "a.h5", "bin": "a"}, "output": "o"})


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n"])
def test_a_file_without_settings_says_how_to_start(write, text):
    with pytest.raises(ConfigError, match="xct init"):
        load_config(write(text))


def test_a_missing_file_names_the_nearest(write, tmp_path):
    write(RIGHT)
    with pytest.raises(ConfigError, match=r"did you mean c\.yaml"):
        load_config(tmp_path / "c.yml")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("volume: {file: a.tif, voxel_size_um: x}", "three numbers, [z, y, x] in µm"),
        ("scan: {file: a.h5, roi: {row: 5}}", "two numbers, [first, stop]"),
    ],
)
def test_a_number_where_a_list_is_due_is_refused_with_what_to_list(write, text, wanted):
    _, errors = read_config(write(text + "\noutput: out\n"))
    assert any("is not accepted: it should be " + wanted in one for one in errors)
