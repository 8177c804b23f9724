"""Files and lazy frames: readers of every layout, writers of volumes and scans."""
