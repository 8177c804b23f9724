"""Frames as a whole: which of them are good, the light beside the sample, where the beam ends."""
