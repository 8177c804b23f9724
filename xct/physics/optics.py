"""Widths of point spreads. A blur is stated as full width at half maximum (FWHM), as in papers."""

from __future__ import annotations

import math

# Full width at half maximum of a Gaussian over its standard deviation.
FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
