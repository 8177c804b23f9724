"""What is true of a virtual cell, laid out like a result."""
