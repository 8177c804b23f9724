"""Segmentation: where which material is."""

from xct.segment.basis import light_missing
from xct.segment.cell.shape import find_cell
from xct.segment.denoised import denoised
from xct.segment.material.classifier import PixelClassifier, classify, train_classifier
from xct.segment.material.labels import materials
from xct.segment.material.phases import phases
from xct.segment.material.probabilities import material_probabilities
from xct.segment.material.table import material_table
from xct.segment.material.two_phase import BrightPhase, bright_phase
from xct.segment.particle.instances import particles
from xct.segment.particle.plausible import look_at_shape
from xct.segment.surface.height_maps import surfaces

__all__ = [
    "BrightPhase",
    "PixelClassifier",
    "bright_phase",
    "classify",
    "denoised",
    "find_cell",
    "light_missing",
    "look_at_shape",
    "material_probabilities",
    "material_table",
    "materials",
    "particles",
    "phases",
    "surfaces",
    "train_classifier",
]
