"""Whether the sample turned as the angles say: from view to view, and over half a turn."""
