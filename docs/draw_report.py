"""Pictures of a study's report for README and docs. In: what `xct compare` wrote; out: docs/*.png.

    python docs/draw_report.py demo/comparison

Two figures of the six cells and the first page of their report, as Chromium shows it, all
no wider than they are shown.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
FIGURES = ("in_3d", "sections")
WIDTH = 1000
PAGE = (1280, 1000)


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture no wider than it is shown."""
    height = round(picture.height * WIDTH / picture.width)
    small = picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
    small.save(path, optimize=True)


def main() -> None:
    """Draw all three."""
    folder = Path(sys.argv[1]).resolve()
    for name in FIGURES:
        with Image.open(folder / "figures" / f"{name}.png") as picture:
            save(picture, HERE / f"{name}.png")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("the page is drawn by Chromium, which is not installed")
    with tempfile.TemporaryDirectory() as place:
        shot = Path(place) / "page.png"
        command = [browser, "--headless=new", "--no-sandbox", "--hide-scrollbars"]
        command += [f"--window-size={PAGE[0]},{PAGE[1]}", f"--screenshot={shot}"]
        subprocess.run([*command, (folder / "report.html").as_uri()], check=True)
        with Image.open(shot) as picture:
            save(picture, HERE / "report.png")


if __name__ == "__main__":
    main()
