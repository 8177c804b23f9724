"""Segmentation: where which material is."""

from xct.segment.cell_shape import find_cell
from xct.segment.classifier import PixelClassifier, classify, train_classifier
from xct.segment.height_maps import surfaces
from xct.segment.instances import particles
from xct.segment.material_table import material_table
from xct.segment.probabilities import material_probabilities
from xct.segment.two_phase import BrightPhase, bright_phase
from xct.segment.voxel_labels import materials

__all__ = [
    "BrightPhase",
    "PixelClassifier",
    "bright_phase",
    "classify",
    "find_cell",
    "material_probabilities",
    "material_table",
    "materials",
    "particles",
    "surfaces",
    "train_classifier",
]
