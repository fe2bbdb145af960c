"""Amortized inference: draws, weights, verdicts, and the fit that holds them."""
