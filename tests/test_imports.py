"""Imports point one way, and what is heavy is imported where it is used."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import xct

PACKAGE = Path(xct.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8"), str(file)) for file in FILES}

# Folders in which an array or a file is all that is known; `plugin` shows their results.
SCIENCE = {file.relative_to(PACKAGE).parts[0] for file in FILES if file.parent != PACKAGE} - {
    "plugin"
}
ABOVE_SCIENCE = (
    "xct.cli.main",
    "xct.config.model",
    "xct.pipeline.runner",
    "xct.plugin",
    "xct.config.recipe",
)
# Not imported before it is needed, anywhere: slow to import, or under the GPL.
LATE = ("PyQt5", "PyQt6", "astra", "dask_jobqueue", "distributed", "napari", "qtpy")

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


def test_science_does_not_know_configuration_pipeline_or_commands():
    assert {"io", "preprocess", "reconstruct", "phantom"} <= SCIENCE
    assert offenders(below(*SCIENCE), ABOVE_SCIENCE) == []


def test_stages_do_not_know_the_science_that_they_declare():
    names = tuple(f"xct.{folder}" for folder in (*SCIENCE, "plugin"))
    tools = below("stages.py", "threads.py", "errors.py")
    assert offenders(tools, (*names, *ABOVE_SCIENCE), everywhere=False) == []


def test_preprocessing_and_reconstruction_do_not_know_each_other():
    assert offenders(below("preprocess"), ("xct.reconstruct",)) == []
    assert offenders(below("reconstruct"), ("xct.preprocess",)) == []


@pytest.mark.parametrize(
    ("name", "importers"),
    [
        ("xct.cli.main", ("cli.py", "__main__.py")),
        ("xct.pipeline.runner", ("cli.py", "__init__.py", "demo.py", "plugin")),
    ],
)
def test_nothing_below_imports_what_stands_on_top(name, importers):
    assert offenders(except_below(*importers), (name,)) == []


def test_no_two_modules_need_each_other_to_be_imported():
    known = {name_of(file) for file in FILES}
    graph = {}
    for file in FILES:
        named = {name for name, _ in imports(file, everywhere=False)}
        needed = {name if name in known else name.rpartition(".")[0] for name in named}
        graph[name_of(file)] = (needed & known) - {"xct", name_of(file)}
    TopologicalSorter(graph).prepare()  # raises, naming the circle


def test_only_blocks_and_io_know_dask():
    assert offenders(except_below("blocks.py", "io"), ("dask",)) == []


def test_only_the_plugin_knows_napari():
    assert offenders(except_below("plugin"), ("napari", "npe2", "qtpy", "PyQt5", "PyQt6")) == []


def test_heavy_or_gpl_packages_are_imported_late():
    assert offenders(except_below("plugin"), LATE, everywhere=False) == []
    assert offenders(except_below("plugin", "report"), ("matplotlib",), everywhere=False) == []


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
        [sys.executable, "-X", "importtime", *program], capture_output=True, text=True, timeout=60
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
