"""Pictures of the tutorial. In: a cell of the demo; out: docs/tutorial/*.png.

    python docs/draw_tutorial.py demo/ncm-100

The sheet of `xct preview` is made anew; the figures are drawn from the result as a run draws them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from draw_report import save
from PIL import Image

import xct
from xct.io.figures import save_figure
from xct.segment.cell.cross_sections import cross_sections_figure
from xct.segment.particle.table import particle_sizes_figure

HERE = Path(__file__).parent / "tutorial"
SWEEP = "find_center.center_px=-3,0,3"


def main() -> None:
    """Draw all of them."""
    cell, place = Path(sys.argv[1]).resolve(), Path(tempfile.mkdtemp())
    HERE.mkdir(exist_ok=True)
    result = xct.open_result(cell / "result")
    particles = result.tables["particles"]
    cut = (result.stored_volume, result.cell, result.surfaces, result.labels("particles"))
    save_figure(cross_sections_figure(*cut, particles), place, "cross_sections", "png")
    sizes = particle_sizes_figure(particles)
    assert sizes is not None  # the demo has particles
    save_figure(sizes, place, "particle_sizes", "png")
    command = [sys.executable, "-m", "xct", "preview", str(cell / "config.yaml")]
    subprocess.run([*command, "--rows", "110", "--sweep", SWEEP], cwd=place, check=True)
    for name in ("cross_sections", "particle_sizes", "preview"):
        with Image.open(place / f"{name}.png") as picture:
            save(picture, HERE / f"{name}.png")


if __name__ == "__main__":
    main()
