"""A kernel on disk never computes as its sources no longer do."""

import os
import subprocess
import sys
import time
from pathlib import Path

import xct
from xct.parallel.kernels import forget_outdated

FILES = {
    "__init__.py": "",
    "numbers.py": "STEP = 1\n",
    "inner.py": """
from numba import njit
from small.numbers import STEP

@njit(cache=True)
def raised(x):
    return x + STEP
""",
    "outer.py": """
from numba import njit
from small.inner import raised

@njit(cache=True)
def doubled(x):
    return 2 * raised(x)
""",
    "alone.py": """
from numba import njit

@njit(cache=True)
def same(x):
    return x
""",
}
PROGRAM = """
from small.outer import doubled
from small.alone import same
print(doubled(10), same(3))
"""


def small_package(parent: Path) -> Path:
    package = parent / "small"
    package.mkdir()
    for name, text in FILES.items():
        (package / name).write_text(text)
    return package


def computed(package: Path) -> str:
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def change(file: Path, text: str) -> None:
    file.write_text(text)
    later = time.time() + 2  # clocks of file systems may be coarse
    os.utime(file, (later, later))


def test_a_kernel_is_compiled_anew_when_a_constant_of_another_file_changes(tmp_path):
    package = small_package(tmp_path)
    assert computed(package) == "22 3"
    assert forget_outdated(package) == []
    change(package / "numbers.py", "STEP = 5\n")
    gone = forget_outdated(package)
    assert sorted(index.name.partition(".")[0] for index in gone) == ["inner", "outer"]
    assert computed(package) == "30 3"


def test_only_the_kernels_that_a_change_reaches_are_forgotten(tmp_path):
    package = small_package(tmp_path)
    computed(package)
    change(package / "alone.py", FILES["alone.py"] + "\n# a remark\n")
    assert [index.name.partition(".")[0] for index in forget_outdated(package)] == ["alone"]
    kept = {file.name.partition(".")[0] for file in package.rglob("*.nbc")}
    assert kept == {"inner", "outer"}


def test_kernels_of_a_module_that_is_gone_are_forgotten(tmp_path):
    package = small_package(tmp_path)
    computed(package)
    (package / "alone.py").unlink()
    assert [index.name.partition(".")[0] for index in forget_outdated(package)] == ["alone"]


def test_an_index_that_another_process_removes_meanwhile_is_no_error(tmp_path):
    package = small_package(tmp_path)
    (package / "__pycache__").mkdir()
    listed = package / "__pycache__" / "alone.same-5.py311.nbi"
    listed.symlink_to(tmp_path / "gone")  # is listed, and is not there when it is looked at
    assert forget_outdated(package) == [listed]


def test_an_installation_that_may_not_be_written_to_is_left_alone(tmp_path, monkeypatch):
    package = small_package(tmp_path)
    computed(package)
    change(package / "numbers.py", "STEP = 5\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert forget_outdated(package) == []
    assert len(list(package.rglob("*.nbi"))) == 3


def test_every_kernel_of_xct_comes_from_the_compiler_that_forgets_outdated_ones():
    package = Path(xct.__file__).parent
    direct = [
        str(file.relative_to(package))
        for file in sorted(package.rglob("*.py"))
        if "from numba import njit" in file.read_text(encoding="utf-8")
    ]
    assert direct == ["parallel/kernels.py"]
