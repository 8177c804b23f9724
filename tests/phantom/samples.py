"""Samples whose line integrals are known: coaxial cylinders."""

import numpy as np

from xct.phantom import draw_discs, project_discs
from xct.physics.materials import delta, mu_per_cm

ENERGY_KEV = 25.0


class Cylinder:
    """Electrolyte with a rod of active material, air about it; the same in every slice."""

    def __init__(self, shape=(24, 96, 96), voxel_um=2.0, core_px=12.0, parts=("lpscl", "ncm811")):
        self.shape, self.voxel_um, self.energy_kev = shape, voxel_um, ENERGY_KEV
        self.parts, self.core_px = parts, core_px

    def discs(self, property_of):
        outer, core = (property_of(name, self.energy_kev) for name in self.parts)
        return np.array([[0, 0, 0.4 * self.shape[2], outer], [5, 3, self.core_px, core - outer]])

    def _slices(self, property_of, count):
        drawn = draw_discs(self.discs(property_of), self.shape[2]).astype(np.float32)
        return np.repeat(drawn[None], count, axis=0)

    def mu(self, first, stop):
        return self._slices(mu_per_cm, stop - first)

    def delta(self, first, stop):
        return self._slices(delta, stop - first)

    def line_integrals(self, theta_deg, center_px):
        discs = self.discs(mu_per_cm)
        discs[:, 3] *= self.voxel_um * 1e-4
        return project_discs(discs, theta_deg, self.shape[2], center_px)
