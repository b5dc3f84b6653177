"""A batch in flight: finished examples leave, waiting ones take their places.

Which example sits beside which depends on counts alone, never on the clock (but for a
deadline), so that the same call gives the same bytes.
"""

import math
import time

import numpy as np
from keras import ops

from robustnets.attacks.base import LoopedAttack, State
from robustnets.engines.job import Job, Outcome
from robustnets.engines.memory import at_once
from robustnets.models.classifier import has_convolutions
from robustnets.models.size import multiply_adds

SMALLEST = 8  # points asked about at once; smaller batches cost about as much
TRACE = 1e9  # multiply-adds that take as long as what a graph compiles for one more batch size
XLA = 50  # how many times as long compiling all of it takes


class Pool:
    """Runs a looped attack over all examples of a job.

    `start`, `advance` with `done`, and `result` are compiled once per batch size; plain graphs
    of attacks whose examples can finish early once for all. An attack whose examples all take
    equally long fills the batch in one piece. Otherwise a quarter of the batch at a time is
    refilled. At the tail, with nobody waiting, the batch shrinks to what is left (see `_size`)
    once the rows that it carried for nothing have cost as much as the compilation for one more
    size does: at worst that is twice the least possible waste.

    Args:
        spec: the attack, without its radius.
        job: the examples.
        eps: float32 (N,), their radii.
        limit: most forward passes for each example, or None. Steps are then taken one at a
            time, and an example that a step took over it leaves as it was before.
        xla: see `native.uses_xla`.
    """

    def __init__(self, spec: LoopedAttack, job: Job, eps: np.ndarray, limit: int | None, xla: bool):
        self.spec, self.job, self.limit = spec, job, limit
        self.columns = (job.x, job.y.astype(np.int32), job.seeds, eps)
        early = spec.early or limit is not None
        self.block = math.ceil(job.batch_size / 4) if early else job.batch_size
        sensitive = getattr(spec, "sensitive", False)
        self.elastic = early and not xla and not sensitive  # one graph for batches of every size
        self.state: State = {}
        self.ids = np.empty(0, np.int64)  # of the example in each row, -1 for padding
        self.live = np.empty(0, bool)  # rows whose example is not done
        self.waiting = 0  # the place in `job.rows` of the first example that has not begun
        self.harvested = 0
        self.wasted = 0.0
        self.least = job.batch_size if sensitive else max(SMALLEST // at_once(spec), 1)
        self.trace = TRACE * (XLA if xla else 1)
        # a convolution in a TensorFlow loop takes about a tenth longer than one outside it
        single = limit is not None or (not xla and has_convolutions(job.classifier.model))
        self._compile(1 if single else spec.chunk, xla)

    def _compile(self, chunk: int, xla: bool) -> None:
        spec, classifier = self.spec, self.job.classifier
        logits = classifier.logits

        def advance(state):
            state = spec.advance(logits, state, chunk)
            return state, spec.done(state), spec.result(state)["forward"]

        def start(x, y, seeds, eps):
            return spec.start(logits, x, y, seeds, eps)

        def choose(state, rows):
            return {name: ops.take(column, rows, axis=0) for name, column in state.items()}

        elastic = self.elastic
        self.start = classifier.compiled(("start", spec), start, xla, elastic)
        self.advance = classifier.compiled(("advance", spec, chunk), advance, xla, elastic)
        self.result = classifier.compiled(("result", spec), spec.result, False, elastic)
        self.choose = classifier.compiled(("choose", spec), choose, False, True)
        # forward and backward passes of one row through the model
        self.cost = 3.0 * multiply_adds(classifier.model) * chunk * at_once(spec)

    def run(self, outcome: Outcome, finished: np.ndarray) -> None:
        """Attack them all.

        Args:
            outcome: written to, example by example as they finish.
            finished: bool (N,), set where that is so.
        """
        self.outcome, self.finished = outcome, finished
        self._repack()
        while len(self.ids):
            before = self.state
            self.state, done, forward = self.advance(self.state)
            self.live &= ~ops.convert_to_numpy(done)
            if self.limit is not None:
                self._stop_at_limit(before, ops.convert_to_numpy(forward))
            if self.job.deadline is not None and time.perf_counter() > self.job.deadline:
                self._harvest(self.ids >= 0)
                break
            if not self.live.any() or self._room() or self._too_big():
                self._harvest((self.ids >= 0) & ~self.live)
                self._repack()

    def _stop_at_limit(self, before: State, forward: np.ndarray) -> None:
        """Examples that have spent all, and those that have spent more: as they were before."""
        over = (self.ids >= 0) & (forward > self.limit)
        if over.any():
            after, self.state = self.state, before
            self._harvest(over)
            self.state = after
            self.ids = np.where(over, -1, self.ids)
        self.live &= ~over & (forward != self.limit)

    def _room(self) -> bool:
        """Whether a block of waiting examples fits in."""
        left = len(self.job.rows) - self.waiting
        free = self.job.batch_size - int(self.live.sum())
        return left > 0 and free >= min(self.block, left)

    def _too_big(self) -> bool:
        """Whether it is time for a smaller batch."""
        if self.waiting < len(self.job.rows):
            return False
        spare = len(self.ids) - self._size(int(self.live.sum()))
        self.wasted += spare * self.cost
        return spare > 0 and self.wasted >= self.trace

    def _size(self, rows: int) -> int:
        """The smallest batch that holds so many rows, up to the full one.

        Where every size compiles anew, the full batch halved some times; else four sizes
        between a power of two and the next.
        """
        size = self.job.batch_size
        if self.elastic:
            step = 2 ** max(rows.bit_length() - 3, 0)
            return min(math.ceil(rows / step) * step, size)
        while size > self.least and math.ceil(size / 2) >= rows:
            size = math.ceil(size / 2)
        return size

    def _harvest(self, rows: np.ndarray) -> None:
        """Write down what these rows amount to."""
        if not rows.any():
            return
        result = self.result(self.state)
        ids = self.ids[rows]
        self.outcome.x[ids] = ops.convert_to_numpy(result["x"])[rows]
        self.outcome.forward[ids] = ops.convert_to_numpy(result["forward"])[rows]
        self.outcome.backward[ids] = ops.convert_to_numpy(result["backward"])[rows]
        self.finished[ids] = True
        self.harvested += len(ids)
        self.job.progress(self.harvested)

    def _repack(self) -> None:
        """Keep the live rows, let waiting examples in, and fit the batch to them."""
        kept = np.flatnonzero(self.live)
        states, ids = ([self.state], [self.ids]) if len(kept) else ([], [])
        live = [self.live] if len(kept) else []
        begun = False
        while self._room():
            state, numbers = self._begin()
            states.append(state)
            ids.append(numbers)
            live.append(numbers >= 0)
            self.live = np.concatenate(live)
            begun = True
        rows = np.flatnonzero(self.live)
        if len(rows) == 0:
            self.ids = self.ids[:0]
            return
        full = begun and not self.elastic
        size = self.job.batch_size if full else self._size(len(rows))
        self.wasted = 0.0
        if begun and len(states) == 1 and len(ids[0]) == size:
            self.state, self.ids = states[0], ids[0]
            return
        order = np.concatenate([rows, np.repeat(rows[:1], size - len(rows))]).astype(np.int32)
        both = states[0]
        if len(states) > 1:
            both = {name: ops.concatenate([state[name] for state in states]) for name in both}
        self.state = self.choose(both, ops.convert_to_tensor(order))
        self.ids = np.where(np.arange(size) < len(rows), np.concatenate(ids)[order], -1)
        self.live = self.ids >= 0

    def _begin(self) -> tuple[State, np.ndarray]:
        """Start the next block, padded with its last example; (state, ids).

        An empty batch, where its size does not matter, is filled in one piece.
        """
        whole = self.elastic and not self.live.any()
        count = self.job.batch_size if whole else self.block
        numbers = self.job.rows[self.waiting : self.waiting + count]
        self.waiting += len(numbers)
        count = self._size(len(numbers)) if whole else count
        padded = np.concatenate([numbers, np.repeat(numbers[-1:], count - len(numbers))])
        state = self.start(*(ops.convert_to_tensor(column[padded]) for column in self.columns))
        return state, np.where(np.arange(count) < len(numbers), padded, -1)
