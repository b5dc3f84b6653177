"""Keras layers that defend; importing this package registers them for `load_model`."""

from robustnets.layers.fit_linear_filter import FilterSpec, FittedFilter, fit_filter
from robustnets.layers.fold import fold
from robustnets.layers.linear_filter import LinearFilter
from robustnets.layers.mean_probability import MeanProbability
from robustnets.layers.prepend import prepend
from robustnets.layers.spatial_smoothing import SpatialSmoothing
from robustnets.layers.substitute import with_gradient_of
from robustnets.layers.temperature_softmax import TemperatureSoftmax
from robustnets.layers.two_logits import TwoLogits

LAYERS = (LinearFilter, MeanProbability, SpatialSmoothing, TemperatureSoftmax, TwoLogits)

__all__ = [
    "LAYERS",
    "FilterSpec",
    "FittedFilter",
    "LinearFilter",
    "MeanProbability",
    "SpatialSmoothing",
    "TemperatureSoftmax",
    "TwoLogits",
    "fit_filter",
    "fold",
    "prepend",
    "with_gradient_of",
]
