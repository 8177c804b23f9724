"""Several cells side by side: one report, with tables and figures."""

from xct.study.comparing import Comparison, compare

__all__ = ["Comparison", "compare"]
