"""Widths of a Gaussian."""

import numpy as np
import pytest

from xct.physics.optics import FWHM_PER_SIGMA


def test_a_gaussian_falls_to_half_at_half_its_full_width():
    assert np.exp(-((FWHM_PER_SIGMA / 2) ** 2) / 2) == pytest.approx(0.5, rel=1e-15)
