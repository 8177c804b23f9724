"""Imports point one way, and what is heavy is imported where it is used."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import xct

PACKAGE = Path(xct.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8"), str(file)) for file in FILES}

# The house from the ground up: a room may use those below it and those of its own floor.
FLOORS = (
    ("errors", "geometry"),
    ("physics", "statistics", "parallel"),
    ("figures", "quantity", "stages"),
    ("io", "scan", "result", "report"),
    ("reconstruct",),
    ("preprocess",),
    ("normalize",),
    ("segment",),
    ("analyze",),
    ("phantom", "beamtime"),
    ("config",),
    ("pipeline",),
    ("score", "render", "simulate", "study"),
    ("bench",),
    ("cli", "plugin"),
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
PROCESSES = ("run", "Popen", "check_output")
# Not imported before it is needed, anywhere: slow to import, or under the GPL.
LATE = (
    "NewareNDA", "PyQt5", "PyQt6", "astra", "dask_jobqueue", "distributed", "galvani", "napari",
    "qtpy", "vtk", "vtkmodules",
)  # fmt: skip

HEAVY = {"astra", "dask", "matplotlib", "numba", "pandas", "pydantic", "scipy", "skimage", "zarr"}


def name_of(file: Path) -> str:
    """Name of a module: xct.io.scans.raw, or xct.io for its __init__."""
    parts = ("xct", *file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes(tree: ast.AST, *, everywhere: bool) -> Iterator[ast.AST]:
    """Yield what runs when the module is imported; with `everywhere`, functions too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from nodes(node, everywhere=everywhere)


def imports(file: Path, *, everywhere: bool) -> Iterator[tuple[str, int]]:
    """Yield the full names that a module imports, with their lines."""
    for node in nodes(TREES[file], everywhere=everywhere):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            assert node.module is not None
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def offenders(files: list[Path], names: tuple[str, ...], *, everywhere: bool = True) -> list[str]:
    """List every import of one of `names`, or of something inside it, in `files`."""
    return [
        f"{file.relative_to(PACKAGE.parent)}:{line} imports {imported}"
        for file in files
        for imported, line in imports(file, everywhere=everywhere)
        if any(f"{imported}.".startswith(f"{name}.") for name in names)
    ]


def below(*folders: str) -> list[Path]:
    """List the modules below folders (or files) of the package."""
    return [f for f in FILES if f.relative_to(PACKAGE).parts[0] in folders]


def except_below(*folders: str) -> list[Path]:
    """List the modules outside of folders (or files) of the package."""
    return [f for f in FILES if f not in below(*folders)]


def room_of(name: str) -> str | None:
    """Name the room of a module: `io` of xct.io.scans.raw; None for the front door."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOOR_OF else None


def test_every_room_has_its_floor():
    rooms = {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in FILES}
    assert rooms - {"__init__", "__main__"} == set(FLOOR_OF)


def test_imports_point_downwards_also_inside_functions_and_for_type_checking():
    upwards = []
    for file in FILES:
        room = room_of(name_of(file))
        for imported, line in everything(file):
            other = room_of(imported) if imported.startswith("xct.") else None
            if room is not None and other is not None and FLOOR_OF[other] > FLOOR_OF[room]:
                upwards.append(f"{file.relative_to(PACKAGE.parent)}:{line} imports {imported}")
    assert upwards == []


def everything(file: Path) -> Iterator[tuple[str, int]]:
    """Yield all that a module imports, whenever that happens."""
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def test_no_room_is_too_full_or_too_deep():
    folders = {file.parent for file in FILES}
    crowded = {
        str(folder.relative_to(PACKAGE.parent)): count
        for folder in folders
        if (count := len([file for file in folder.glob("*.py") if file.stem != "__init__"])) > 17
    }
    assert crowded == {}
    assert len(list(PACKAGE.glob("*.py"))) <= 9
    assert max(len(folder.relative_to(PACKAGE.parent).parts) for folder in folders) <= 3


def test_no_module_hides_a_public_function_of_its_package():
    """A submodule that has a function's name takes its place once it is imported."""
    for file in FILES:
        import_module(name_of(file)) if "plugin" not in file.parts else None
    for package in [file for file in FILES if file.stem == "__init__"]:
        module = import_module(name_of(package)) if "plugin" not in package.parts else None
        for name in getattr(module, "__all__", []):
            assert not isinstance(getattr(module, name), ModuleType), f"{name_of(package)}.{name}"


def test_no_two_modules_need_each_other_to_be_imported():
    known = {name_of(file) for file in FILES}
    graph = {}
    for file in FILES:
        named = {name for name, _ in imports(file, everywhere=False)}
        needed = {name if name in known else name.rpartition(".")[0] for name in named}
        graph[name_of(file)] = (needed & known) - {"xct", name_of(file)}
    TopologicalSorter(graph).prepare()  # raises, naming the circle


def test_only_parallel_and_io_know_dask():
    assert offenders(except_below("parallel", "io"), ("dask",)) == []


def test_only_the_pipeline_and_its_callers_know_its_parts():
    callers = except_below("pipeline", "score", "bench", "cli", "plugin", "__init__.py")
    assert offenders(callers, ("xct.pipeline",)) == []


def test_only_the_plugin_knows_napari():
    assert offenders(except_below("plugin"), ("napari", "npe2", "qtpy", "PyQt5", "PyQt6")) == []


def test_heavy_or_gpl_packages_are_imported_late():
    assert offenders(except_below("plugin"), LATE, everywhere=False) == []
    assert offenders(except_below("plugin"), ("matplotlib",), everywhere=False) == []


def test_the_package_does_not_print():
    printed = [
        f"{file.relative_to(PACKAGE.parent)}:{node.lineno}"
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("print", "pprint")
    ]
    assert printed == []


@pytest.mark.parametrize("program", [("-c", "import xct"), ("-m", "xct.cli.main", "--help")])
def test_start_is_fast_because_nothing_heavy_is_imported(program):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *program],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0
    # Lines of the log: import time: microseconds | microseconds in all | name
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "xct" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import dask.array as da", ["dask.array"]),
        ("from dask import delayed", ["dask.delayed"]),
        ("def f():\n    import dask", []),
        ("class A:\n    import dask", ["dask"]),
        ("try:\n    import dask\nexcept ImportError:\n    pass", ["dask"]),
        ("if TYPE_CHECKING:\n    import dask", []),
        ("import daskless", ["daskless"]),
    ],
)
def test_imports_are_found_wherever_they_stand(text, found, monkeypatch):
    file = PACKAGE / "example.py"
    monkeypatch.setitem(TREES, file, ast.parse(text))
    assert [name for name, _ in imports(file, everywhere=False)] == found
    assert len(offenders([file], ("dask",), everywhere=False)) == sum(
        name.split(".")[0] == "dask" for name in found
    )


@pytest.mark.parametrize("room", ["preprocess", "reconstruct", "normalize", "segment", "analyze"])
def test_what_stages_refuse_is_told_from_faults_of_the_program(room):
    """A run shows a refusal as a word about the data, and any other error as a fault of xct."""
    raised = [
        f"{file.relative_to(PACKAGE)}:{node.lineno}"
        for file, tree in TREES.items()
        if file.is_relative_to(PACKAGE / room)
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and getattr(node.exc.func, "id", "") == "ValueError"
    ]
    assert not raised, "raise xct.errors.DataError instead"


def test_text_of_other_programs_is_read_as_utf_8():
    """Not by the locale: while a kernel is compiled in another thread, that is C for all."""
    found = []
    for file in [*FILES, *Path(__file__).parent.rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") not in PROCESSES:
                continue
            given = {word.arg for word in node.keywords}
            if given & {"text", "universal_newlines"} and "encoding" not in given:
                found.append(f"{file.name}:{node.lineno}")
    assert found == []
