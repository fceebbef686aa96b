"""Which remedy is best for a classifier and its data: measured, and handed over."""

from ganaug.gain.cost import CostEstimate
from ganaug.gain.evaluate import evaluate_gain
from ganaug.gain.verdict import Verdict

__all__ = ["CostEstimate", "Verdict", "evaluate_gain"]
