"""What napari shows of results and scans."""
