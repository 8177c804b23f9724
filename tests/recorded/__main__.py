"""Record the numbers of the cells below a demo's folder: ``python -m tests.recorded DEMO``."""

import json
import sys
from pathlib import Path

from tests.recorded import HERE, numbers_of
from xct.result import open_result

cells = {
    path.parent.name: numbers_of(open_result(path))
    for path in sorted(Path(sys.argv[1]).glob("*/result"))
}
text = json.dumps(cells, indent=1, sort_keys=True)
(HERE / "cells.json").write_text(text + "\n", encoding="utf-8")
