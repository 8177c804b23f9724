"""TIFF files: which frames they hold, stacks of them, and parts of frames."""
