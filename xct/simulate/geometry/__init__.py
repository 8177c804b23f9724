"""What is simulated: the ideal cell, or a plane of a result."""
