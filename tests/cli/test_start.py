"""Commands that only list, explain or check load nothing that computes: they answer at once."""

import subprocess
import sys

import pytest

# Each takes a quarter of a second to a second to import; more than all the rest together.
COMPUTING = {
    "astra", "dask", "matplotlib", "numba", "pandas", "scipy.fft", "scipy.interpolate", "tifffile",
    "scipy.ndimage", "scipy.optimize", "scipy.sparse", "scipy.spatial", "scipy.special",
    "scipy.stats", "skimage", "sklearn", "xarray", "xraydb", "yaml", "zarr",
}  # fmt: skip


def loaded(*arguments: str, folder=None) -> tuple[int, set[str], str]:
    """Run a command; give its exit code, the modules that it imported, and its errors."""
    command = [sys.executable, "-X", "importtime", "-m", "xct", *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, cwd=folder)
    # Lines of the log: import time: microseconds | microseconds in all | name
    log = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    errors = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    return done.returncode, {line.rpartition("|")[2].strip() for line in log}, "\n".join(errors)


@pytest.mark.parametrize(
    "arguments", [["--version"], ["stages"], ["stages", "fbp"], ["stages", "fpb"], ["schema"]]
)
def test_what_lists_and_explains_loads_nothing_that_computes(arguments):
    code, modules, errors = loaded(*arguments)
    assert code == (2 if "fpb" in arguments else 0), errors
    assert "click" in modules
    assert modules & COMPUTING == set()


def test_a_mistyped_configuration_is_refused_without_loading_what_computes(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "scan: {fiel: scan.h5}\nsteps: {fpb: {}}\noutput: out\n", encoding="utf-8"
    )
    code, modules, errors = loaded("check", "config.yaml", folder=tmp_path)
    assert code == 2
    assert "scan.fiel: unknown key (did you mean file?)" in errors
    assert "steps.fpb: the recipe reconstruct has no such step (did you mean fbp?)" in errors
    assert modules & COMPUTING == set()


def test_a_mistyped_name_of_a_configuration_is_refused_without_loading_what_computes(tmp_path):
    (tmp_path / "config.yaml").touch()
    code, modules, errors = loaded("check", "confg.yaml", folder=tmp_path)
    assert (code, "did you mean config.yaml?" in errors) == (2, True)
    assert modules & COMPUTING == set()


def test_a_result_that_is_not_there_is_said_before_napari_is_loaded(tmp_path):
    code, modules, errors = loaded("view", "gone", folder=tmp_path)
    assert (code, errors) == (2, "error: gone: no such file or folder")
    assert "napari" not in modules
