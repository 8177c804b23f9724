"""Benchmarks: xct beside other packages, measured in one run."""
