"""Analysis: from labels and grey values to numbers with their uncertainty."""

from xct.analyze.mixture import Mixture, fit_mixture
from xct.analyze.rois import (
    BoxRoi,
    LineRoi,
    PolygonRoi,
    Region,
    Roi,
    SectorRoi,
    roi_from_box,
    roi_from_line,
    roi_from_polygon,
)

__all__ = [
    "BoxRoi",
    "LineRoi",
    "Mixture",
    "PolygonRoi",
    "Region",
    "Roi",
    "SectorRoi",
    "fit_mixture",
    "roi_from_box",
    "roi_from_line",
    "roi_from_polygon",
]
