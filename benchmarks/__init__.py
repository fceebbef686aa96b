"""Measurements of ganaug; every figure in the documentation comes from here.

``python -m benchmarks NAME`` runs one (see `benchmarks.__main__`), and ``python -m
benchmarks.tables`` writes the tables of the README and of docs/ from their results.
"""
