"""How sure the rotation axis is, on many virtual scans."""
