"""Pages for users: every command, program and YAML that they show is run, in order, in a folder.

A page is a story: commands (`$ xct …`) are run one after the other, Python in one set of names, and
YAML whose first line is a comment with a file's name is kept under that name for what follows.
"""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import h5py
import pytest
import yaml

from tests.plugin.drawn import draw_result
from xct.analyze.roi.files import parse_rois
from xct.cli.main import execute
from xct.config.loading import read_config
from xct.config.model import RunSection
from xct.phantom.writing import write_phantom
from xct.quantity import QUANTITIES
from xct.simulate.settings import load_settings
from xct.stages import STAGES, load_stages
from xct.study.settings import load_study

ROOT = Path(__file__).parent.parent
# Those that only an installed package, a screen, several results or minutes of time can run.
RESULTS = (
    "xct view",
    "xct compare",
    "xct render",
    "xct rois",
    "xct simulate plane",
    "xct simulate block",
)
ELSEWHERE = ("make ", "pip ", "xct demo", "xct bench", *RESULTS)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted((ROOT / "docs").glob("*.md"))
AT_THE_ROOT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
TINY = {"shape": (144, 144, 144), "angles": 120}


def blocks(page):
    return FENCE.findall(page.read_text(encoding="utf-8"))


def with_blocks(*languages):
    return [page for page in PAGES if {name for name, _ in blocks(page)} & set(languages)]


def by_name(page):
    return page.stem


@pytest.mark.parametrize("page", [*PAGES, *AT_THE_ROOT], ids=by_name)
def test_every_fence_has_a_language_that_is_tested(page):
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(blocks(page))
    assert {name for name, _ in blocks(page)} <= {"console", "python", "yaml", "text"}


@pytest.mark.parametrize("page", [*PAGES, *AT_THE_ROOT], ids=by_name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not link.startswith(("http:", "https:")):
            assert (page.parent / link).exists(), link


def test_troubleshooting_quotes_what_xct_says_and_settings_that_there_are():
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "xct").rglob("*.py"))
    whole = re.sub(r'"\s*\n\s*(\+ )?f?"', "", sources)  # texts that go over several lines
    quoted = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", page)
    assert len(quoted) > 25
    assert [text for text in quoted if text not in whole] == []
    for steps in re.findall(r"`(steps: \{.+?\}\})`", page):
        for name, settings in yaml.safe_load(steps)["steps"].items():
            load_stages()[name].settings.model_validate(settings)


@pytest.mark.parametrize("page", [*with_blocks("yaml"), ROOT / "README.md"], ids=by_name)
def test_yaml_is_what_xct_reads(page, tmp_path):
    for language, text in blocks(page):
        if language == "yaml":
            check_yaml(text, tmp_path)


def check_yaml(text, folder):
    content = yaml.safe_load(text)
    if isinstance(content, list):
        known = load_stages()
        for step in content:
            [(name, settings)] = step.items()
            known[name].settings.model_validate(settings or {})
    elif "study" in content:
        assert load_study(content).output
    elif "simulate" in content:
        assert load_settings(content).output
    elif "rois" in content and isinstance(content["rois"], dict):
        assert parse_rois(text)
    elif set(content) == {"run"}:
        RunSection.model_validate(content["run"])
    elif "output" in content:
        file = folder / "page.yaml"
        file.write_text(text, encoding="utf-8")
        assert read_config(file)[1] == []
    else:  # a phantom of one's own: read by the command that follows
        assert content["volume"]["quantity"] in ("labels", "attenuation")


@pytest.mark.slow
@pytest.mark.parametrize("page", with_blocks("console", "python"), ids=by_name)
def test_commands_and_programs_run_as_shown(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given_beforehand(page)
    load_stages()
    stages, quantities = dict(STAGES), dict(QUANTITIES)
    names: dict = {}
    try:
        for language, text in blocks(page):
            if language == "yaml" and (name := re.match(r"# (\S+\.yaml)\n", text)):
                Path(name[1]).write_text(text, encoding="utf-8")
            elif language == "console":
                run_console(text, capsys)
            elif language == "python":
                exec(compile(text, page.name, "exec"), names)
    finally:
        for known, before in ((STAGES, stages), (QUANTITIES, quantities)):
            known.clear()
            known.update(before)


def given_beforehand(page):
    """Make what a page takes for granted: a ROI set that was drawn before, a result."""
    if page.stem == "napari":
        rois = {"E-1": {"surface": None, "depth_um": [0, 9], "y_um": [0, 9], "x_um": [0, 9]}}
        Path("rois.yaml").write_text(yaml.safe_dump({"rois": rois}), encoding="utf-8")
    if page.stem == "volumes":
        measured_result(Path("out/from_raw"))


def measured_result(path):
    """Write a small drawn result that has a number."""
    summary = draw_result(path) / "summary.json"
    lithium = {"thickness_um.lithium": {"value": 32.0, "sd": 0.2, "unit": "µm"}}
    anode = {"anode": {"value": "low_z", "unit": "1"}}
    text = json.dumps(json.loads(summary.read_text(encoding="utf-8")) | lithium | anode)
    summary.write_text(text, encoding="utf-8")


def run_console(text, capsys):
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        command = command.split("  #")[0].strip().removeprefix(".venv/bin/")
        if command.startswith(ELSEWHERE):
            continue
        program, *arguments = shlex.split(command)
        assert program == "xct", f"{command}: not run by this test"
        assert execute(arguments) == 0, f"{command}: {capsys.readouterr()}"
        said = "".join(capsys.readouterr())
        for line in filter(None, shown):
            assert line in said


@pytest.mark.slow
def test_the_commands_of_the_readme_run_on_a_scan_that_lacks_its_pixel_size(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_phantom("ncm-0", "made", layout="dxchange", pipeline="reconstruct", **TINY)
    [written] = Path("made/raw").iterdir()
    written.rename("my_scan.h5")
    with h5py.File("my_scan.h5", "r+") as file:
        found: list[str] = []
        file.visit(found.append)
        for name in found:
            if re.search("pixel_size|resolution", name):
                del file[name]
    for text in (text for language, text in blocks(ROOT / "README.md") if language == "console"):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            run_console(f"$ {part}", capsys)
            fill_in("pixel_size_um", "2.0")


def fill_in(key, value):
    """Do what the page says by "fill these in"."""
    for config in Path().glob("*.yaml"):
        text = config.read_text(encoding="utf-8")
        text = re.sub(rf"{key}: *(#.*)?$", f"{key}: {value}", text, flags=re.MULTILINE)
        config.write_text(text, encoding="utf-8")


def tool(name):
    """Import a program of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="other.html#there">x</a> <a href="#here">x</a><p id="here">', None),
        ('<a href="https://example.org/elsewhere">x</a>', None),
        ('<a href="gone.html">x</a>', "gone.html is not there"),
        ('<a href="other.html#gone">x</a>', "other.html#gone names no place of that page"),
        ('<script src="https://example.org/a.js"></script>', "a.js from the network"),
        ('<link rel="stylesheet" href="//example.org/a.css">', "a.css from the network"),
        ('<img src="gone.png">', "gone.png is not there"),
        ('<img src="data:image/png;base64,iVBORw0KGgo=">', None),
    ],
)
def test_a_site_with_a_broken_link_or_one_that_fetches_is_refused(body, fault, tmp_path):
    (tmp_path / "index.html").write_text(body, encoding="utf-8")
    (tmp_path / "other.html").write_text('<p id="there">', encoding="utf-8")
    found = list(tool("check_site").faults(tmp_path))
    assert len(found) == (fault is not None)
    assert all(line.endswith(fault) for line in found)


def test_a_style_that_fetches_a_font_is_refused(tmp_path):
    (tmp_path / "site.css").write_text(
        "@font-face {src: url('https://example.org/a.woff')}", encoding="utf-8"
    )
    assert list(tool("check_site").faults(tmp_path)) == [
        "site.css: loads https://example.org/a.woff from the network"
    ]


def test_the_picture_of_the_house_shows_the_rooms_that_there_are():
    house = tool("draw_house")
    rooms = house.read_rooms()
    assert {"io", "pipeline", "stages", "plugin"} <= set(rooms)
    drawn = re.findall(
        r'font-weight="bold">(\w+)<', (ROOT / "docs/house.svg").read_text(encoding="utf-8")
    )
    assert sorted(drawn) == sorted(rooms), "run make docs and commit docs/house.svg"


def test_an_import_that_follows_from_others_is_not_drawn(tmp_path):
    house = tool("draw_house")
    for name, text in {
        "errors": "",
        "io/__init__": '"""Files."""\nimport xct.errors',
        "analyze/__init__": "def f():\n    from xct.io import tables\n    import xct.errors",
    }.items():
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    rooms = house.read_rooms(tmp_path)
    assert rooms["analyze"].imports == {"io", "errors"}
    assert rooms["io"].purpose == "Files."
    assert sorted(house.arrows(rooms)) == [("analyze", "io"), ("io", "errors")]
    assert house.is_upward("io", "analyze")
    assert not house.is_upward("analyze", "io")
