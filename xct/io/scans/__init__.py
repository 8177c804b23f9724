"""Raw scans of every layout, recognized by their content."""
