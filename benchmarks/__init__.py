"""Measurements of ganaug; every figure in the README comes from here."""
