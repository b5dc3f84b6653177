"""What keys of stored things hold beside the spec: a text per producer that says what it computes.

A producer that comes to compute something else from the same spec changes its own text, to
"network 2", "network 3" and so on: what it made before is made again, and nothing else is. The
first texts are the version of the package that keys held once.
"""

FILTERS = "0.1.0"  # layers.fit_linear_filter
NETWORKS = "0.1.0"  # training.fit
RECORDS = "0.1.0"  # engines and evaluation.measure
EVALUATIONS = "0.1.0"  # evaluation.stages


def schemas(*producers: str) -> tuple[str, ...]:
    """The texts of all whose work is in a thing, each once, as parts of its key.

    Example:
        >>> schemas("0.1.0", "0.1.0"), schemas("network 2", "0.1.0")
        (('0.1.0',), ('network 2', '0.1.0'))
    """
    return tuple(dict.fromkeys(producers))
