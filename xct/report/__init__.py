"""Report: numbers and pictures of a run, as files."""
