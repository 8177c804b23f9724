"""Planning a beamtime: what to expect of a scan before it is made."""

from xct.planner.beamtime import BeamtimePlan, plan_beamtime
from xct.planner.layers import Layer, layer_from_text
from xct.planner.noise import expected_noise

__all__ = ["BeamtimePlan", "Layer", "expected_noise", "layer_from_text", "plan_beamtime"]
