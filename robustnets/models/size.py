"""How much a model computes and holds for one example: rough counts, for any model.

A layer shows the shapes that it gives where it stands in the graph of a model. Layers that other
layers hold (those of attention, a residual block, a wrapper or a recurrent cell) often show none;
theirs are guessed from the shapes of the layer around them.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

Shape = tuple[int | None, ...]


class Use(NamedTuple):
    """One call of one layer.

    Args:
        layer: or operation.
        places: at how many places, such as pixels or tokens, its weights are used.
        values: how many values it gives.
    """

    layer: Any
    places: int
    values: int


def multiply_adds(model: keras.Model) -> float:
    """A rough count for one example: entries of kernels times the places where each is used.

    Never raises for a model that has been built; a layer that it cannot look into counts nothing.
    """
    return float(sum(use.places * sum(map(math.prod, _kernels(use.layer))) for use in _uses(model)))


def activations(model: keras.Model) -> int:
    """Values that one example takes in all layers, its own included; as rough as that."""
    given = sum(_size(tensor.shape) for tensor in model.inputs)
    return given + sum(use.values for use in _uses(model))


def _uses(model: keras.Model) -> Iterator[Use]:
    """Every call of every layer in the graph of a model, nested models included."""
    waiting, seen = list(model.outputs), set()
    while waiting:
        history = waiting.pop()._keras_history
        operation = history.operation
        node = operation._inbound_nodes[history.node_index]
        if id(node) in seen:
            continue
        seen.add(id(node))
        waiting += node.input_tensors
        if isinstance(operation, keras.layers.InputLayer):
            continue
        if isinstance(operation, keras.Model) and _is_graph(operation):
            yield from _uses(operation)
            continue
        before, after = ([t.shape for t in side] for side in (node.input_tensors, node.outputs))
        yield Use(operation, max(map(_places, after)), sum(map(_size, after)))
        places, size = (max(map(of, before + after)) for of in (_places, _size))
        yield from _inside(operation, places, size, {id(operation)})


def _inside(layer: Any, places: int, size: int, seen: set[int]) -> Iterator[Use]:
    """The layers that a layer holds, guessed from the largest shape that it takes or gives.

    Such a layer is used at no more places than there are, nor at more than hold the values that
    its kernel takes.
    """
    for held in getattr(layer, "_layers", None) or ():
        if id(held) in seen:
            continue
        seen.add(id(held))
        if isinstance(held, keras.Model) and _is_graph(held):
            yield from _uses(held)
            continue
        used, values = 1, size
        for kernel in _kernels(held):
            here = min(places, max(size // max(kernel[-2], 1), 1))
            used, values = max(used, here), max(values, here * kernel[-1])
        yield Use(held, used, values)
        yield from _inside(held, places, size, seen)
    heads = getattr(layer, "num_heads", getattr(layer, "num_query_heads", None))
    if isinstance(heads, int):  # attention: a score of every place for every place
        yield Use(None, 1, heads * places * places)


def _kernels(layer: Any) -> list[tuple[int, ...]]:
    """Shapes of a layer's own weights that are more than a vector."""
    kinds = ("_trainable_variables", "_non_trainable_variables")
    own = [variable for kind in kinds for variable in getattr(layer, kind, None) or ()]
    return [tuple(variable.shape) for variable in own if len(variable.shape) > 1]


def _is_graph(model: keras.Model) -> bool:
    outputs = getattr(model, "outputs", None) or ()
    return bool(outputs) and all(hasattr(tensor, "_keras_history") for tensor in outputs)


def _places(shape: Shape) -> int:
    return math.prod(d for d in shape[1:-1] if d is not None)


def _size(shape: Shape) -> int:
    return math.prod(d for d in shape[1:] if d is not None)
