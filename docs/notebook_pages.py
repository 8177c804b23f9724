"""Notebooks as pages, with what they print and draw. In: notebooks/; out: Markdown and pictures.

Notebooks are stored without outputs, so each is run for its page, in a folder of its own. What was
run is kept in build/notebooks, by the text of the notebook, the sources of xct and what is
installed: it is run again once one of them changes.
"""

import os
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "build" / "notebooks"
TIMEOUT_S = 1800
AT_A_TIME = 2  # each uses little more than one core
# Settings of whoever runs it that would change what a notebook shows.
_OWN_SETTINGS = ("MPLBACKEND", "PYTHONWARNINGS")


class OwnKernel(AsyncKernelManager):
    """The kernel of this very Python, whatever kernels are registered on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """Where it is."""
        return KernelSpec(resource_dir="", **get_kernel_dict())


def run_all(notebooks: Sequence[Path], kept: Path = KEPT) -> list[nbformat.NotebookNode]:
    """Run notebooks, two at a time; those that were run as they are now are not run again."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(lambda path: run(path, kept), notebooks))


def run(path: Path, kept: Path = KEPT) -> nbformat.NotebookNode:
    """Run a notebook, unless it was run as it is now.

    Parameters
    ----------
    path : Path
        The notebook, without outputs.
    kept : Path, optional
        Folder of what was run.

    Returns
    -------
    NotebookNode
        With its outputs.
    """
    target = kept / f"{path.stem}-{fingerprint(path)}.ipynb"
    if target.exists():
        return nbformat.read(target, 4)
    notebook = nbformat.read(path, 4)
    environment = {k: v for k, v in os.environ.items() if k not in _OWN_SETTINGS}
    with tempfile.TemporaryDirectory(prefix="xct-notebook-") as folder:
        NotebookClient(
            notebook,
            timeout=TIMEOUT_S,
            kernel_manager_class=OwnKernel,
            resources={"metadata": {"path": folder}},
        ).execute(env=environment)
    kept.mkdir(parents=True, exist_ok=True)
    for older in kept.glob(f"{path.stem}-*.ipynb"):
        older.unlink()
    nbformat.write(notebook, target)
    return notebook


def page_of(name: str, notebook: nbformat.NotebookNode) -> tuple[str, dict[str, bytes]]:
    """Write a notebook as a page.

    Returns
    -------
    str
        MyST Markdown.
    dict of str to bytes
        Its pictures, by the names under which the page shows them.
    """
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(_fenced("python", cell.source))
        for text, picture in _outputs(cell):
            if picture is not None:
                file = f"{name}_{len(pictures) + 1}.png"
                pictures[file] = picture
                text = f"![What the cell above draws]({file})"
            parts.append(text)
    return "\n\n".join(parts) + "\n", pictures


def _outputs(cell: nbformat.NotebookNode) -> Iterator[tuple[str, bytes | None]]:
    """Give what a cell printed, as text, and what it drew, as pictures; the richest of each."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield _fenced("text", output.text.rstrip()), None
            continue
        data = output.get("data", {})
        if "image/png" in data:
            yield "", b64decode(data["image/png"])
        elif "text/markdown" in data:
            yield data["text/markdown"], None
        elif "text/html" in data:
            yield _fenced("{raw} html", f'<div class="output">\n{data["text/html"]}\n</div>'), None
        elif "text/plain" in data:
            yield _fenced("text", data["text/plain"]), None


def _fenced(language: str, text: str) -> str:
    return f"````{language}\n{text}\n````"


def fingerprint(path: Path) -> str:
    """Name what a notebook's outputs depend on."""
    installed = sorted(f"{one.name} {one.version}" for one in distributions())
    total = sha256("\n".join([sys.version, *installed]).encode())
    for file in [path, *sorted((ROOT / "xct").rglob("*.py"))]:
        total.update(file.name.encode() + file.read_bytes())
    return total.hexdigest()[:16]
