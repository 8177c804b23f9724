"""The napari plugin: shows results and calls public functions; nothing is computed here."""
