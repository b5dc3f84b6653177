"""Small models for the black-box tests, and a model that counts the rows it sees."""

import numpy as np
from keras import ops

from robustnets import backend

SHAPE = (4, 3, 2)


class Counted:
    """Logits that count the rows asked about, in eager mode."""

    def __init__(self, logits):
        self.logits = logits
        self.rows = 0

    def __call__(self, x):
        self.rows += x.shape[0]
        return self.logits(x)


def linear(w, b):
    """Two classes, logits (0, <w, x> + b)."""
    w = np.asarray(w, np.float32).reshape(-1, 1)

    def logits(x):
        score = ops.matmul(ops.reshape(x, (-1, len(w))), ops.convert_to_tensor(w)) + b
        return ops.concatenate([ops.zeros_like(score), score], axis=1)

    return logits


def never(x):
    """Class 0, whatever the input, with a score that varies."""
    score = ops.mean(ops.reshape(x, (-1, np.prod(x.shape[1:]))), axis=1, keepdims=True)
    return ops.concatenate([score + 2.0, ops.zeros_like(score)], axis=1)


def images(n, shape=SHAPE, seed=0, low=0.0, high=1.0):
    return np.random.default_rng(seed).uniform(low, high, (n, *shape)).astype(np.float32)


def carry(attack, logits, x, y, seeds=None, eps=None, eager=False):
    """x, forward, backward after all steps, as NumPy arrays."""
    n = len(x)
    seeds = np.arange(n) if seeds is None else seeds
    eps = np.full(n, attack.threat.eps) if eps is None else eps

    def function(x, y, seeds, eps):
        (state,) = ops.while_loop(
            lambda state: ops.any(ops.logical_not(attack.done(state))),
            lambda state: (attack.advance(logits, state, attack.chunk),),
            (attack.start(logits, x, y, seeds, eps),),
        )
        return attack.result(state)

    run = function if eager else backend.compiled(function)
    kinds = ("float32", "int32", "int32", "float32")
    columns = [np.asarray(a).astype(kind) for a, kind in zip((x, y, seeds, eps), kinds)]
    result = run(*[ops.convert_to_tensor(a) for a in columns])
    return {name: ops.convert_to_numpy(value) for name, value in result.items()}


def hits(logits, x, y, targeted=False):
    predicted = ops.convert_to_numpy(logits(ops.convert_to_tensor(x))).argmax(axis=1)
    return (predicted == y) == targeted


def check_counts(attack, logits, y=0, x=None):
    """One image, a block of one: every row that the model sees is a query."""
    x = images(1) if x is None else x
    counted = Counted(logits)
    result = carry(attack, counted, x, np.full(1, y), eager=True)
    assert result["forward"].tolist() == [counted.rows]
    assert result["backward"].tolist() == [0]
    return counted.rows


def check_rows_alone(attack, logits, y=None, n=7):
    """Seven at once, one at a time, and seven again: the same."""
    x = images(n)
    y = np.zeros(n, int) if y is None else y
    whole = carry(attack, logits, x, y)
    alone = [carry(attack, logits, x[i : i + 1], y[i : i + 1], seeds=[i]) for i in (0, 3)]
    for i, part in zip((0, 3), alone):
        np.testing.assert_allclose(part["x"][0], whole["x"][i], rtol=0, atol=1e-6)
        assert part["forward"][0] == whole["forward"][i]
    again = carry(attack, logits, x, y)
    assert again["x"].tobytes() == whole["x"].tobytes()
    assert again["forward"].tobytes() == whole["forward"].tobytes()
    return whole
