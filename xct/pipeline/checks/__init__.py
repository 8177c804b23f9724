"""Looks at a scan before slabs are made of it: its files, its quantity, every frame."""
