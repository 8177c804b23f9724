"""From counts to line integrals, and what must be known about the axis before reconstruction."""

from xct.io.frames import bin_frames
from xct.preprocess.angles.check import check_angles
from xct.preprocess.center.rotation_axis import find_center
from xct.preprocess.center.tilt import find_tilt
from xct.preprocess.dead_pixels import fill_dead_pixels
from xct.preprocess.flats import flat_field
from xct.preprocess.logarithm import fill_nonpositive, line_integrals
from xct.preprocess.motion.jitter import find_jitter
from xct.preprocess.phase import phase_retrieval
from xct.preprocess.photon_noise import low_signal
from xct.preprocess.resampling import align
from xct.preprocess.rings import measure_stripes, stripes
from xct.preprocess.veiling_glare import glare
from xct.preprocess.zingers import outliers

faint_light = low_signal  # the name of version 0.1

__all__ = [
    "align",
    "bin_frames",
    "check_angles",
    "faint_light",
    "fill_dead_pixels",
    "fill_nonpositive",
    "find_center",
    "find_jitter",
    "find_tilt",
    "flat_field",
    "glare",
    "line_integrals",
    "low_signal",
    "measure_stripes",
    "outliers",
    "phase_retrieval",
    "stripes",
]
