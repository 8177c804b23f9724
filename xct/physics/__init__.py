"""X-ray physics of the materials of a cell."""
