"""The largest standard deviation of any column over the last rows of a stream."""

import math

import numpy as np

# Columns handled at a time: float64 temporaries of this size stay in the processor's cache.
_CHUNK = 16384
# The column of largest deviation is found to this accuracy (relative above 1).
_TOLERANCE = 1e-8
# Rounding of `sum of squares / length` after at most `length` updates, in units of the
# largest sum of squares that the updates went through.
_ROUNDING = 16 * np.finfo(np.float64).eps


class SlidingDeviation:
    """Keeps the last `length` rows of P numbers and their sums about a reference.

    A new row costs O(P): the sums gain what enters and lose what leaves the window. So that
    rounding cannot add up, every row also renews one part of the columns from the stored
    values, each column exactly once in `length` rows. The deviation given out is computed
    afresh, in float64, from the stored values of the one column that has the largest.

    Args:
        length: rows in the window, >= 2.
        columns: P, numbers in a row.

    Memory: 4 * length * P bytes (float32 window) and 20 * P (sums and reference).
    """

    def __init__(self, length: int, columns: int):
        self.length = length
        self.columns = columns
        self._rows = np.zeros((length, columns), np.float32)
        self._finite = np.ones(length, bool)
        self._count = 0  # rows in the window
        self._next = 0  # where the next row goes, and the oldest row once the window is full
        self._reference = np.zeros(columns, np.float32)
        self._sum = np.zeros(columns)
        self._squares = np.zeros(columns)
        self._peaks = np.zeros(length)  # largest sum of squares, for the last `length` rows
        self._part = 0  # columns to renew next
        self._usable = False  # whether the sums describe the window

    @property
    def full(self) -> bool:
        """Whether `length` rows have come."""
        return self._count == self.length

    def push(self, row: np.ndarray) -> float:
        """Take in a row, float32 (P,); the oldest one leaves a full window.

        Returns:
            The largest population standard deviation of any column: NaN until the window is
            full, infinity while it holds a value that is not finite.
        """
        finite = bool(np.isfinite(row).all())
        self._usable = self._usable and self.full and finite
        if self._usable:
            self._slide(row)
        self._rows[self._next] = row
        self._finite[self._next] = finite
        self._next = (self._next + 1) % self.length
        self._count = min(self._count + 1, self.length)
        if not self.full:
            return math.nan
        if self._usable:
            self._renew_part()
        elif self._finite.all():
            self._renew_all()
        return self._largest() if self._usable else math.inf

    def latest(self) -> np.ndarray | None:
        """The row that came last, float32 (P,), or None."""
        return self._rows[self._next - 1].copy() if self._count else None

    def forget(self, rows: int) -> None:
        """Take back the rows that came last."""
        self._count = max(0, self._count - rows)
        self._usable = False
        self._next = (self._next - rows) % self.length
        # rows taken back are neither in the window nor counted as not finite
        for k in range(rows):
            self._finite[(self._next + k) % self.length] = True

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that `set_state` needs to go on bit for bit; arrays are copies."""
        order = self._order()
        return {
            "window": self._rows[order],
            "reference": self._reference.copy(),
            "sum": self._sum.copy(),
            "squares": self._squares.copy(),
            "peaks": self._peaks.copy(),
            "progress": np.array([self._part, self._usable], np.int64),
        }

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what `get_state` gave; the state must fit `length` and `columns`."""
        window = state["window"]
        self._count = len(window)
        self._rows[: len(window)] = window
        self._finite[:] = True
        self._finite[: len(window)] = np.isfinite(window).all(axis=1)
        self._next = self._count % self.length
        self._reference[:] = state["reference"]
        self._sum[:] = state["sum"]
        self._squares[:] = state["squares"]
        self._peaks[:] = state["peaks"]
        self._part, self._usable = int(state["progress"][0]), bool(state["progress"][1])

    def _order(self) -> np.ndarray:
        """Where the rows of the window lie, oldest first."""
        return (self._next - self._count + np.arange(self._count)) % self.length

    def _largest(self) -> float:
        column, peak = self._widest()
        deviation = self._deviation(column)
        # After a value has moved far, what is left of its squares may hide small deviations
        tolerance = _TOLERANCE * max(1.0, deviation)
        if _ROUNDING * max(peak, self._peaks.max()) > tolerance * max(tolerance, deviation):
            self._renew_all()
            column, peak = self._widest()
            deviation = self._deviation(column)
        self._peaks[self._part] = peak
        return deviation

    def _deviation(self, column: int) -> float:
        # oldest first, so that the sum is rounded alike wherever the window starts
        return float(self._rows[self._order(), column].astype(np.float64).std())

    def _slide(self, row: np.ndarray) -> None:
        """Let `row` enter the sums and the oldest row leave them."""
        oldest = self._rows[self._next]
        for start in range(0, self.columns, _CHUNK):
            part = slice(start, start + _CHUNK)
            reference = self._reference[part].astype(np.float64)
            enters = row[part] - reference
            leaves = oldest[part] - reference
            change = enters - leaves
            self._sum[part] += change
            change *= enters + leaves
            self._squares[part] += change

    def _renew_part(self) -> None:
        """Compute the sums of the next columns from the window itself."""
        bounds = [self.columns * (self._part + k) // self.length for k in (0, 1)]
        self._renew(*bounds)
        self._part = (self._part + 1) % self.length

    def _renew_all(self) -> None:
        for start in range(0, self.columns, _CHUNK // 8):
            self._renew(start, min(start + _CHUNK // 8, self.columns))
        self._peaks[:] = 0
        self._usable = True

    def _renew(self, start: int, stop: int) -> None:
        if start == stop:
            return
        block = self._rows[:, start:stop].astype(np.float64)
        reference = block.mean(axis=0).astype(np.float32)
        block -= reference
        self._reference[start:stop] = reference
        self._sum[start:stop] = block.sum(axis=0)
        self._squares[start:stop] = np.einsum("ij,ij->j", block, block)

    def _widest(self) -> tuple[int, float]:
        """The column of largest variance and the largest sum of squares of any column."""
        best, widest, peak = -math.inf, 0, 0.0
        for start in range(0, self.columns, _CHUNK):
            squares = self._squares[start : start + _CHUNK]
            total = self._sum[start : start + _CHUNK]
            variance = squares * self.length - total * total
            column = int(variance.argmax())
            if variance[column] > best:
                best, widest = variance[column], start + column
            peak = max(peak, float(squares.max()))
        return widest, peak
