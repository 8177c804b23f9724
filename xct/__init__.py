"""Synchrotron X-ray tomography of solid-state battery cells: raw scan in, calibrated volume out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Result", "Scan", "compare", "open_result", "read_scan", "run", "stage"]

if TYPE_CHECKING:
    from xct.io.scans.reading import read_scan
    from xct.pipeline.runner import run
    from xct.result import Result, open_result
    from xct.scan import Scan
    from xct.stages import stage
    from xct.study.comparing import compare

# Imported on first use, so that `import xct` and `xct --help` stay fast.
_HOMES = {
    "Result": "xct.result",
    "compare": "xct.study.comparing",
    "open_result": "xct.result",
    "Scan": "xct.scan",
    "read_scan": "xct.io.scans.reading",
    "run": "xct.pipeline.runner",
    "stage": "xct.stages",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'xct' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
