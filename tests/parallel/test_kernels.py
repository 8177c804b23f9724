"""A kernel on disk never computes as its sources no longer do, and is kept while they stay."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

import xct
from xct.parallel import kernels

FILES = {
    "__init__.py": "",
    "numbers.py": "STEP = 1\n",
    "inner.py": """
from xct.parallel.kernels import njit
from small import (
    numbers as steps,
)
STEP = steps.STEP

@njit(cache=True)
def raised(x):
    return x + STEP
""",
    "outer.py": """
from small.inner import raised
from xct.parallel.kernels import njit

@njit(cache=True)
def doubled(x):
    return 2 * raised(x)
""",
    "alone.py": """
from xct.parallel.kernels import njit

@njit(cache=True)
def same(x):
    return x
""",
}
PROGRAM = """
from small.outer import doubled
from small.alone import same
print(doubled(10), same(3), sum(doubled.stats.cache_hits.values()))
"""


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def start(package: Path, program: str = PROGRAM) -> subprocess.Popen:
    paths = os.pathsep.join([str(package.parent), str(Path(xct.__file__).parents[1])])
    settings = {"PYTHONPATH": paths, "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=settings | {"NUMBA_CACHE_DIR": str(package.parent / "kernels")},
        cwd=package.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def computed(run: subprocess.Popen) -> str:
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    return out.strip()


def folders(package: Path) -> dict[str, int]:
    """Number of folders of compiled kernels by module."""
    made = [folder.name.partition("-")[0] for folder in (package.parent / "kernels").iterdir()]
    return {module: made.count(module) for module in made}


def test_kernels_that_a_changed_constant_reaches_are_compiled_anew_and_others_kept(package):
    assert computed(start(package)) == "22 3 0"
    assert computed(start(package)) == "22 3 1"
    constants = package / "numbers.py"
    times = constants.stat()
    constants.write_text("STEP = 5\n", encoding="utf-8")
    os.utime(constants, ns=(times.st_atime_ns, times.st_mtime_ns))  # dates of files do not count
    assert computed(start(package)) == "30 3 0"
    assert folders(package) == {"inner": 2, "outer": 2, "alone": 1}
    constants.write_text("STEP = 1\n", encoding="utf-8")  # back to what was compiled before
    assert computed(start(package)) == "22 3 1"


def test_a_touched_file_of_the_same_content_changes_nothing(package):
    computed(start(package))
    for file in package.iterdir():
        os.utime(file, (2e9, 2e9))
    assert computed(start(package)) == "22 3 1"


def test_a_process_whose_sources_change_meanwhile_spoils_no_later_one(package):
    program = f"""
from small.outer import doubled
from pathlib import Path
Path({str(package / "numbers.py")!r}).write_text("STEP = 5")
print(doubled(10))
"""
    assert computed(start(package, program)) == "22"  # as imported
    assert computed(start(package)) == "30 3 0"


def test_two_processes_that_compile_at_once_are_both_right(package):
    together = [start(package) for _ in range(2)]
    assert [computed(run)[:4] for run in together] == ["22 3", "22 3"]
    assert computed(start(package)) == "22 3 1"


def test_an_installation_that_may_not_be_written_to_uses_the_users_folder(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(kernels.import_numba().config, "CACHE_DIR", "")
    monkeypatch.setattr(kernels, "__file__", str(tmp_path / "file" / "parallel" / "kernels.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert kernels.kernel_folder() == tmp_path / "user" / "xct" / "kernels"
    assert kernels.kernel_folder().is_dir()


def test_where_no_folder_may_be_written_to_kernels_still_compute(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "kernel_folder", lambda: None)
    doubled = kernels.njit(cache=True)(lambda x: 2 * x)
    assert doubled(4) == 8
    assert doubled.stats.cache_path is None


def test_the_usual_place_of_other_packages_kernels_stays():
    before = kernels.import_numba().config.CACHE_DIR
    kernels.njit(cache=True)(test_the_usual_place_of_other_packages_kernels_stays).made()
    assert kernels.import_numba().config.CACHE_DIR == before


@pytest.mark.parametrize(
    ("text", "module"),
    [
        ("import small.numbers", "small.numbers"),
        ("import os, small.numbers as n", "small.numbers"),
        ("from small.numbers import STEP", "small.numbers"),
        ("from small import alone, numbers as n  # both", "small.numbers"),
        ("    from small import (\n        alone,\n        numbers,\n    )", "small.numbers"),
    ],
)
def test_imports_are_found_in_every_form(text, module):
    assert module in set(kernels._imported(text))


def test_every_kernel_of_xct_comes_from_the_compiler_that_knows_its_sources():
    package = Path(xct.__file__).parent
    texts = {file: file.read_text(encoding="utf-8") for file in sorted(package.rglob("*.py"))}
    direct = [file.name for file, text in texts.items() if "numba import njit" in text]
    relative = [file.name for file, text in texts.items() if "\nfrom ." in text]
    assert direct == []
    assert relative == []  # the fingerprint reads absolute imports


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_collected_after_compiling_as_it_was_before(before):
    during = []
    usual = gc.isenabled()
    numba = kernels.import_numba()

    class Watch(numba.core.event.Listener):
        def on_start(self, event):
            during.append(gc.isenabled())

        def on_end(self, event):
            pass

    try:
        (gc.enable if before else gc.disable)()
        with numba.core.event.install_listener("numba:run_pass", Watch()):
            assert kernels.njit()(lambda x: len(x) + 1)((1, 2)) == 3
        assert gc.isenabled() == before
        with pytest.raises(numba.core.errors.TypingError):
            kernels.njit()(lambda x: x.nothing)(1)
        assert gc.isenabled() == before
    finally:
        (gc.enable if usual else gc.disable)()
    assert set(during) == {False}
