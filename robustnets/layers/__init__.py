"""Keras layers that defend; importing this package registers them for `load_model`."""

from robustnets.layers.bit_depth import BitDepth, BitDepthSpec
from robustnets.layers.fit_linear_filter import FilterSpec, FittedFilter, fit_filter
from robustnets.layers.fold import fold
from robustnets.layers.linear_filter import LinearFilter
from robustnets.layers.mean_probability import MeanProbability
from robustnets.layers.prepend import prepend
from robustnets.layers.spatial_smoothing import SmoothingSpec, SpatialSmoothing
from robustnets.layers.substitute import with_gradient_of
from robustnets.layers.temperature_softmax import TemperatureSoftmax
from robustnets.layers.two_logits import TwoLogits

# what can be put in front of a network: a spec that says how it is made, fitted to data or not
LAYER_SPECS = (FilterSpec, SmoothingSpec, BitDepthSpec)
LayerSpec = FilterSpec | SmoothingSpec | BitDepthSpec
LAYERS = (
    LinearFilter,
    SpatialSmoothing,
    BitDepth,
    TemperatureSoftmax,
    MeanProbability,
    TwoLogits,
)

__all__ = [
    "LAYERS",
    "LAYER_SPECS",
    "BitDepth",
    "BitDepthSpec",
    "FilterSpec",
    "FittedFilter",
    "LayerSpec",
    "LinearFilter",
    "MeanProbability",
    "SmoothingSpec",
    "SpatialSmoothing",
    "TemperatureSoftmax",
    "TwoLogits",
    "fit_filter",
    "fold",
    "prepend",
    "with_gradient_of",
]
