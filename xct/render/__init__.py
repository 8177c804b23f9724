"""Cells in 3-D: pictures and turntables without a window, and a page to turn them by hand."""
