"""Check the site that was built: in: its folder; out: exit code 1 and a list of what is wrong.

    python docs/check_site.py build/docs

Every link inside leads to a page and a place that exist, and to look at a page asks the network for
nothing: scripts, styles, fonts and pictures lie in the folder.
"""

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """Places that links may lead to, links, and files that a browser loads by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = {""}
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what a tag defines, links to or loads."""
        given = {name: value for name, value in attributes if value is not None}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in LOADED and LOADED[tag] in given:
            self.loaded.append(given[LOADED[tag]])


def faults(site: Path) -> Iterator[str]:
    """Yield what is wrong with the site, a line for each fault."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in sorted(site.rglob("*.html"))}
    for file, page in pages.items():
        name = file.relative_to(site)
        for address in [*page.loaded, *page.links]:
            if address.startswith("data:"):  # lies in the page itself
                continue
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loaded:
                    yield f"{name}: loads {address} from the network"
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file.resolve()
            if not target.exists():
                yield f"{name}: {address} is not there"
            elif target in pages and unquote(parts.fragment) not in pages[target].places:
                yield f"{name}: {address} names no place of that page"
    for style in sorted(site.rglob("*.css")):
        text = style.read_text(encoding="utf-8")
        for address in re.findall(r"(?:url\(|@import\s+)[\"']?(https?:[^\"')]+)", text):
            yield f"{style.relative_to(site)}: loads {address} from the network"


def main(folder: str) -> int:
    """Print the faults of the site in `folder`."""
    site = Path(folder).resolve()
    found = [*faults(site)] if (site / "index.html").exists() else [f"{folder}: no site is here"]
    print("\n".join(found) or f"{folder}: every link leads somewhere, nothing is fetched")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
