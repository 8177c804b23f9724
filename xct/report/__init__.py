"""Report: numbers and pictures of a run, as files."""

# Pictures that a run draws, each as PNG and SVG.
FIGURES = (
    "slice",
    "sinogram",
    "center",
    "cross_sections",
    "thickness",
    "depth_histogram",
    "particle_sizes",
    "histograms",
)
