"""Statistics of grey values: mixtures, peaks, bootstrap."""
