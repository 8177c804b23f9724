"""What is written: numbers, fields and figures."""
