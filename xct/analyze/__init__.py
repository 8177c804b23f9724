"""Analysis: from labels and grey values to numbers with their uncertainty."""

from xct.analyze.by_depth import count_slices, depth_histogram
from xct.analyze.edges_along import crack_opening, profile_edges
from xct.analyze.grey_bins import GreyBins
from xct.analyze.homogeneity_test import homogeneity
from xct.analyze.mixture import Mixture, fit_mixture
from xct.analyze.peaks import Peak, find_peak
from xct.analyze.profiles import profile_of_roi, thick_profile
from xct.analyze.roi_counts import RoiCounts, count_rois
from xct.analyze.roi_histograms import histogram_table, histograms, statistics_table
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
from xct.analyze.void_distance import void_fraction
from xct.analyze.void_table import void_sizes

__all__ = [
    "BoxRoi",
    "GreyBins",
    "LineRoi",
    "Mixture",
    "Peak",
    "PolygonRoi",
    "Region",
    "Roi",
    "RoiCounts",
    "SectorRoi",
    "count_rois",
    "count_slices",
    "crack_opening",
    "depth_histogram",
    "find_peak",
    "fit_mixture",
    "histogram_table",
    "histograms",
    "homogeneity",
    "profile_edges",
    "profile_of_roi",
    "roi_from_box",
    "roi_from_line",
    "roi_from_polygon",
    "statistics_table",
    "thick_profile",
    "void_fraction",
    "void_sizes",
]
