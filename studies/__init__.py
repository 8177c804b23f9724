"""Studies with virtual cells that settled a question about a method; run from a checkout."""
