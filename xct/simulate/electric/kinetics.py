"""Reaction at the particles. In: overpotential; out: current density, and its slope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from xct.errors import RunError
from xct.physics.lithium import FARADAY_C_MOL

GAS_J_MOL_K = 8.314462618
_STEPS = 60


@dataclass(frozen=True)
class Kinetics:
    """Butler–Volmer law, i = i₀ [exp(α F η/RT) − exp(−(1 − α) F η/RT)], or its slope at 0.

    Attributes
    ----------
    exchange_a_m2 : float
        Exchange current density i₀, A/m².
    law : {"linear", "butler_volmer"}
        ``linear``: i = i₀ F η/RT.
    transfer : float
        α, from 0 to 1.
    temperature_k : float
        Temperature.
    """

    exchange_a_m2: float
    law: Literal["linear", "butler_volmer"] = "butler_volmer"
    transfer: float = 0.5
    temperature_k: float = 298.15

    def current_a_m2(self, overpotential_v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give i and di/dη at overpotentials, A/m² and A/(m² V)."""
        per_volt = FARADAY_C_MOL / (GAS_J_MOL_K * self.temperature_k)
        if self.law == "linear":
            slope = np.full_like(overpotential_v, self.exchange_a_m2 * per_volt)
            return slope * overpotential_v, slope
        up = self.exchange_a_m2 * np.exp(self.transfer * per_volt * overpotential_v)
        down = self.exchange_a_m2 * np.exp(-(1 - self.transfer) * per_volt * overpotential_v)
        return up - down, per_volt * (self.transfer * up + (1 - self.transfer) * down)

    def solve(
        self, matrix: Any, at_lithium: np.ndarray, length_m: np.ndarray, current_a_m: float
    ) -> tuple[np.ndarray, float]:
        """Solve K φ = ℓ i(V − φ), Σ ℓ i(V − φ) = I, φ = 0 at lithium, by Newton's method.

        Parameters
        ----------
        matrix : sparse matrix (node, node)
            K.
        at_lithium : ndarray of bool, shape (node,)
            Nodes at 0 V.
        length_m : ndarray, shape (node,)
            ℓ: length of reacting surface of each node, m.
        current_a_m : float
            I, A per metre of depth.

        Returns
        -------
        potential_v : ndarray, shape (node,)
            φ.
        cathode_v : float
            V.

        Raises
        ------
        RunError
            If it does not converge.
        """
        from scipy.sparse import diags_array
        from scipy.sparse.linalg import splu

        free = ~at_lithium
        inner, length = matrix[free][:, free].tocsc(), length_m[free]
        values = np.zeros(int(free.sum()))
        voltage = self._at_rest(current_a_m / length.sum())
        size = max(abs(current_a_m), 1e-300)
        for _ in range(_STEPS):
            density, slope = self.current_a_m2(np.where(length > 0, voltage - values, 0.0))
            residual = length * density - inner @ values
            missing = current_a_m - (length * density).sum()
            if max(np.abs(residual).sum(), abs(missing)) < 1e-12 * size:
                break
            weight = length * slope
            jacobian = (inner + diags_array(weight)).tocsc()
            factors = splu(jacobian, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
            by_field, by_voltage = factors.solve(residual), factors.solve(weight)
            # The last equation, Σ weight·(dV − dφ) = missing, with dφ = by_field + dV by_voltage.
            step = (missing + weight @ by_field) / (weight.sum() - weight @ by_voltage)
            change = by_field + step * by_voltage
            # A hundred millivolts at a time: beyond that the exponential is another one.
            part = min(1.0, 0.1 / max(abs(step), np.abs(change).max(), 1e-300))
            values, voltage = values + part * change, voltage + part * step
            if max(abs(step), np.abs(change).max()) < 1e-13 * max(abs(voltage), 1e-12):
                break
        else:
            raise RunError(
                f"the reaction's law did not converge in {_STEPS} steps; a larger "
                "kinetics.exchange_current_a_m2 or a smaller current is easier"
            )
        found = np.zeros(len(at_lithium))
        found[free] = values
        return found, float(voltage)

    def _at_rest(self, density_a_m2: float) -> float:
        """Give an overpotential to start from, for a mean current density."""
        ratio = density_a_m2 / self.exchange_a_m2
        scale = GAS_J_MOL_K * self.temperature_k / FARADAY_C_MOL
        return float(scale * (ratio if self.law == "linear" else 2 * np.arcsinh(ratio / 2)))
