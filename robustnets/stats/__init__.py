"""Intervals, paired comparisons and multiplicity; statsmodels and scipy do the arithmetic."""
