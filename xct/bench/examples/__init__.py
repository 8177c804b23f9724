"""Examples to try things on: small virtual cells, made once and kept."""

from xct.bench.examples.small_cells import example_results, example_truth

__all__ = ["example_results", "example_truth"]
