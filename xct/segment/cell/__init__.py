"""Where the cell lies in a volume: bore, tube, axis, planes of its layers."""
