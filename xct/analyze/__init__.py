"""Analysis: from labels and grey values to numbers with their uncertainty."""
