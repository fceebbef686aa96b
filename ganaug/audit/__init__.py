"""Measures of synthetic rows: arrays in, numbers out. Knows nothing of the rest of the package."""
