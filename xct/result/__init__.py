"""What a run left on disk, opened lazily: as arrays and tables, or as one tree of xarray."""

from xct.result.folder import Result, Verification, open_result, verify

__all__ = ["Result", "Verification", "open_result", "verify"]
