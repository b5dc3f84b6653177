"""Substitute gradients, for layers whose own gradient is zero or missing.

Source: backward pass differentiable approximation, Athalye et al. 2018, arXiv:1802.00420,
sec. 4.1.
"""

from collections.abc import Callable
from typing import Any

from keras import ops


def with_gradient_of(
    substitute: Callable[[Any], Any], function: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """A function that is computed as one and differentiated as another.

    A layer that rounds, sorts or decodes declares its substitute by calling it this way in
    its `call`; every attack through the layer then uses it.

    Args:
        substitute: tensor -> tensor, differentiable; what the gradient is taken of.
        function: tensor -> tensor of the same shape; what is computed.

    Returns:
        Tensor -> tensor: the values of `function` bit for bit, the gradient of `substitute`.

    Example:
        >>> from keras import ops
        >>> to_uint8 = with_gradient_of(lambda x: x, lambda x: ops.round(x * 255) / 255)
        >>> round(float(to_uint8(ops.convert_to_tensor([0.3]))[0]) * 255, 3)
        76.0
    """

    def both(x):
        exact, smooth = ops.stop_gradient(function(x)), substitute(x)
        # adding zero that has a gradient keeps the values exact, as smooth + (exact - smooth)
        # would not
        return exact + (smooth - ops.stop_gradient(smooth))

    return both
