"""What the site holds beyond docs/*.md: in: xct and notebooks/; out: pages in docs/made/.

Reference pages are made from docstrings and `--help`; notebooks become pages that can be searched,
with what they print and draw.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import notebook_pages
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

import xct
from xct.cli.main import xct as command

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"

ROOT_PAGES = ("CONTRIBUTING.md", "CHANGELOG.md")

# Packages with public names (their `__all__`), and modules of which all is public.
PUBLIC = (
    "xct.preprocess",
    "xct.reconstruct",
    "xct.normalize",
    "xct.segment",
    "xct.analyze",
    "xct.phantom",
    "xct.score",
    "xct.simulate",
    "xct.study",
    "xct.beamtime",
    "xct.stages",
    "xct.quantity",
    "xct.geometry",
    "xct.physics.materials",
    "xct.parallel.blocks",
    "xct.parallel.executors",
)


def add_to(app: Sphinx) -> None:
    """Make the pages before Sphinx reads, and say how names and paths become links."""
    app.add_role("name", Name())
    app.connect("builder-inited", lambda _: write_pages())
    app.connect("missing-reference", _find_name)
    app.connect("source-read", _paths_of_the_checkout)


def write_pages(folder: Path = HERE / "made") -> None:
    """Write every page that is made; one that has not changed keeps its time."""
    made = [*_reference(), ("commands.md", _commands()), *_notebooks(), *_of_the_root()]
    pages = {name: what.encode() if isinstance(what, str) else what for name, what in made}
    folder.mkdir(exist_ok=True)
    for name, content in pages.items():
        file = folder / name
        if not file.exists() or file.read_bytes() != content:
            file.write_bytes(content)
    for file in set(folder.iterdir()) - {folder / name for name in pages}:
        file.unlink()


def _reference() -> Iterator[tuple[str, str]]:
    names = [f"xct.{name}" for name in xct.__all__]
    kinds = ["class" if isinstance(getattr(xct, n), type) else "function" for n in xct.__all__]
    described = [
        f".. auto{kind}:: {name}\n" + "   :members:\n" * (kind == "class")
        for kind, name in zip(kinds, names, strict=True)
    ]
    yield "xct.rst", "\n".join([_title("xct"), ".. automodule:: xct\n", *described])
    for name in PUBLIC:
        options = "   :members:\n   :imported-members:\n"
        if "__all__" not in vars(__import__(name, fromlist=["*"])):
            options = "   :members:\n"
        yield f"{name}.rst", f"{_title(name)}\n.. automodule:: {name}\n{options}"


def _title(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"


def _commands() -> str:
    parts = ["# Commands\n\nWhat `--help` says.\n"]
    context = click.Context(command, info_name="xct")
    for name, one in sorted(command.commands.items()):
        text = one.get_help(click.Context(one, info_name=name, parent=context))
        parts.append(f"## xct {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _notebooks() -> Iterator[tuple[str, str | bytes]]:
    files = sorted(NOTEBOOKS.glob("*.ipynb"))
    for file, notebook in zip(files, notebook_pages.run_all(files), strict=True):
        text, pictures = notebook_pages.page_of(file.stem, notebook)
        yield f"{file.stem}.md", text
        yield from pictures.items()


def _of_the_root() -> Iterator[tuple[str, str]]:
    for name in ROOT_PAGES:
        yield name, (HERE.parent / name).read_text(encoding="utf-8").replace("](docs/", "](../")


class Name(SphinxRole):
    """`name` in a docstring: a link where the site describes one thing of this name, else code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave the answer to `_find_name`, when all pages have been read."""
        reference = pending_xref("", refdomain="", reftype="name", reftarget=self.text)
        reference += nodes.literal("", self.text)
        return [reference], []


def _find_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, inside: nodes.Node):
    if node["reftype"] != "name":
        return None  # an unknown cross-reference: Sphinx says so
    target = re.sub(r"\(.*\)$", "", node["reftarget"])
    known = env.domains.python_domain.objects
    found = [
        key for key in known if f".{key}".endswith(f".{target}") and not _is_module(known[key])
    ]
    if len(found) != 1:
        return inside
    entry = known[found[0]]
    page = node.get("refdoc", env.docname)
    return make_refnode(app.builder, page, entry.docname, entry.node_id, inside, found[0])


def _is_module(entry: ObjectEntry) -> bool:
    return entry.objtype == "module"


def _paths_of_the_checkout(app: Sphinx, page: str, content: list[str]) -> None:
    """Let links out of docs/ lead to the notebooks' pages, and paths of sources stand as code."""
    if not Path(app.env.doc2path(page)).suffix == ".md":
        return
    made, docs = ("", "../") if page.startswith("made/") else ("made/", "")
    rules = (
        (r"\]\(\.\./notebooks/(\w+)\.ipynb\)", rf"]({made}\1.md)"),
        (r"\]\(\.\./notebooks\)", f"]({docs}index.rst)"),
        (r"\]\(\.\./(CONTRIBUTING|CHANGELOG)\.md\)", rf"]({made}\1.md)"),
        (r"\]\(\.\./docs/", f"]({docs}"),
        (r"\[[^\]]*\]\(\.\./((?:xct|tests|pipelines|configs)/[^)]*)\)", r"`\1`"),
    )
    for pattern, replacement in rules:
        content[0] = re.sub(pattern, replacement, content[0])
