"""Intervals, paired comparisons and multiplicity; statsmodels and scipy do the arithmetic."""

from robustnets.stats.bootstrap import bca
from robustnets.stats.calibration import Reliability, reliability
from robustnets.stats.classification import Classification, Entries, classification, entries
from robustnets.stats.distances import (
    DistanceCurve,
    PairedDistances,
    distance_curve,
    median_distance,
    paired_distances,
)
from robustnets.stats.equivalence import Equivalence, equivalent_means, equivalent_rates
from robustnets.stats.independent import IndependentRates, independent_rates, newcombe
from robustnets.stats.intervals import (
    Interval,
    clopper_pearson,
    mean,
    next_value,
    rate,
    wilson,
)
from robustnets.stats.multiplicity import Adjusted, adjust, holm
from robustnets.stats.paired import (
    PairedMeans,
    PairedRates,
    bonett_price,
    mcnemar,
    paired_means,
    paired_rates,
)
from robustnets.stats.two_level import TwoLevel, two_level
from robustnets.stats.unpaired_normal import unpaired_normal

__all__ = [
    "Adjusted",
    "Classification",
    "DistanceCurve",
    "Entries",
    "Equivalence",
    "IndependentRates",
    "Interval",
    "PairedDistances",
    "PairedMeans",
    "PairedRates",
    "Reliability",
    "TwoLevel",
    "adjust",
    "bca",
    "bonett_price",
    "classification",
    "clopper_pearson",
    "distance_curve",
    "entries",
    "equivalent_means",
    "equivalent_rates",
    "holm",
    "independent_rates",
    "mcnemar",
    "mean",
    "median_distance",
    "newcombe",
    "next_value",
    "paired_distances",
    "paired_means",
    "paired_rates",
    "rate",
    "reliability",
    "two_level",
    "unpaired_normal",
    "wilson",
]
