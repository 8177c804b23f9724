"""ROIs in the viewer: drawn, listed, measured."""
