"""Analysis: from labels and grey values to numbers with their uncertainty."""

from xct.analyze.detection_limits import detection_limits
from xct.analyze.displacement import Displacement, displacement_map
from xct.analyze.grey_counts import (
    GreyBins,
    SliceCounts,
    count_planes,
    count_slices,
    depth_histogram,
    plane_transmission,
)
from xct.analyze.inclusions import inclusions
from xct.analyze.layers import (
    absent_area_sweep,
    absent_lithium,
    layer_thickness,
    thickness_maps,
)
from xct.analyze.lithium.charge import state_of_charge
from xct.analyze.lithium.drifted_charge import ChargeContrast, charge_contrast
from xct.analyze.profiles import crack_opening, profile_edges, profile_of_roi, thick_profile
from xct.analyze.registration import Motion, find_motion
from xct.analyze.roi.counts import RoiCounts, count_rois
from xct.analyze.roi.homogeneity_test import homogeneity
from xct.analyze.roi.scaled import ScaledRoi
from xct.analyze.roi.shapes import (
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
from xct.analyze.roi.tables import histogram_table, histograms, statistics_table
from xct.analyze.roughness import roughness_of, surface_roughness
from xct.analyze.shells import particle_shells
from xct.analyze.stack.particles import stack_particles
from xct.analyze.stack.roles import roles
from xct.analyze.stack.shells import stack_shells
from xct.analyze.stack.voids import stack_voids, void_profile, void_series
from xct.analyze.swelling import swelling_map, swelling_of
from xct.analyze.voids import void_fraction, void_sizes
from xct.statistics.mixture import Mixture
from xct.statistics.mixture_fits import fit_mixture
from xct.statistics.peaks import Peak, find_peak

__all__ = [
    "BoxRoi",
    "ChargeContrast",
    "Displacement",
    "GreyBins",
    "LineRoi",
    "Mixture",
    "Motion",
    "Peak",
    "PolygonRoi",
    "Region",
    "Roi",
    "RoiCounts",
    "ScaledRoi",
    "SectorRoi",
    "SliceCounts",
    "absent_area_sweep",
    "absent_lithium",
    "charge_contrast",
    "count_planes",
    "count_rois",
    "count_slices",
    "crack_opening",
    "depth_histogram",
    "detection_limits",
    "displacement_map",
    "find_motion",
    "find_peak",
    "fit_mixture",
    "histogram_table",
    "histograms",
    "homogeneity",
    "inclusions",
    "layer_thickness",
    "particle_shells",
    "plane_transmission",
    "profile_edges",
    "profile_of_roi",
    "roi_from_box",
    "roi_from_line",
    "roi_from_polygon",
    "roles",
    "roughness_of",
    "stack_particles",
    "stack_shells",
    "stack_voids",
    "state_of_charge",
    "statistics_table",
    "surface_roughness",
    "swelling_map",
    "swelling_of",
    "thick_profile",
    "thickness_maps",
    "void_fraction",
    "void_profile",
    "void_series",
    "void_sizes",
]
