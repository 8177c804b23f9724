"""Planning a beamtime: what to expect of a scan before it is made."""

from xct.beamtime.expectations import BeamtimePlan, plan_beamtime
from xct.beamtime.layers import Layer, layer_from_text
from xct.beamtime.noise import expected_noise

__all__ = ["BeamtimePlan", "Layer", "expected_noise", "layer_from_text", "plan_beamtime"]
