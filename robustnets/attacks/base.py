"""What every attack is: a frozen spec with pure functions, and the loop of those that iterate."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, runtime_checkable

from keras import ops

from robustnets import backend
from robustnets.attacks import balls
from robustnets.core.threat import NORMS, ThreatModel

Logits = Callable[[Any], Any]
State = dict[str, Any]


class Attack(Protocol):
    """A frozen, hashable dataclass. Settings only: it holds no model and no state.

    `norms` are those that it accepts in its threat model. `minimal` says whether it looks for
    the smallest perturbation, in which case eps only cuts the result short: see `shrink`.
    One that draws, iterates or stops early is a `LoopedAttack` too; the others have
    `passes`, the (forward, backward) passes that each example costs.
    A looped attack that turns the last bits of a number into a difference that can be seen says
    `sensitive = True`: an engine then runs it in batches of one shape.
    """

    norms: ClassVar[tuple[str, ...]]
    minimal: ClassVar[bool]

    @property
    def threat(self) -> ThreatModel:
        """Norm, radius and box. An engine passes `threat.eps` on as `eps`."""

    @property
    def targeted(self) -> bool:
        """Whether `y` names the classes to reach instead of the true labels."""

    def perturb(self, logits: Logits, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
        """Attack one batch. Pure and traceable; row i depends on row i of the arguments only.

        Args:
            logits: float32 (N, H, W, C) -> float32 (N, K), traceable.
            x: float32 (N, ...), in the box.
            y: int (N,), true labels, or the classes to reach if targeted.
            seeds: int32 (N,), one per example, so that no draw depends on the batch.
            eps: float32 (N,), a radius per example, in input units. Used in place of
                `threat.eps`, so that one compiled function serves every radius.

        Returns:
            float32 (N, ...), inside the box exactly and inside the ball up to 1e-6 in
            input units. Rows with eps = 0 are those of x bit for bit. Rows whose loss or
            gradient is not a finite number are NaN: an engine refuses those.
        """


@runtime_checkable
class LoopedAttack(Attack, Protocol):
    """An attack that shows its loop, so that finished examples can leave the batch.

    `perturb` is `carry_out(self, ...)`, the composition of the four functions below. A state
    is a flat dict of tensors, each with the batch as its leading axis, and holds everything
    that `advance` and `result` need: they see no other argument.

    `early` says whether examples can be done at different times. `chunk` is the number of
    steps between two looks at which examples are done: all of them where none is done early.
    """

    @property
    def early(self) -> bool:
        """Whether some examples can be done before others."""

    @property
    def chunk(self) -> int:
        """Steps per call of `advance`, >= 1."""

    def start(self, logits: Logits, x: Any, y: Any, seeds: Any, eps: Any) -> State:
        """The state before the first step; arguments as for `perturb`."""

    def advance(self, logits: Logits, state: State, steps: int) -> State:
        """Take `steps` more steps, or fewer where all rows are done sooner.

        Rows that are done come back as they are, so that it does not matter how long they
        stay; shapes and dtypes do not change. Enough steps make every row done.
        """

    def done(self, state: State) -> Any:
        """bool (N,): which rows no step would change any more."""

    def result(self, state: State) -> State:
        """What the state amounts to, also before it is done.

        Returns:
            "x": float32 (N, ...), with the guarantees of `perturb` (a minimal attack: inside
                the box, as near as it came, and x itself where it found nothing);
            "forward", "backward": int32 (N,), passes spent on each example so far.
        """


def carry_out(attack: LoopedAttack, logits: Logits, x: Any, y: Any, seeds: Any, eps: Any) -> Any:
    """`perturb` of a looped attack: start, advance until all rows are done, result."""
    (state,) = ops.while_loop(
        lambda state: ops.any(ops.logical_not(attack.done(state))),
        lambda state: (attack.advance(logits, state, attack.chunk),),
        (attack.start(logits, x, y, seeds, eps),),
    )
    moved = attack.result(state)["x"]
    return shrink(attack.threat, x, moved, eps) if attack.minimal else moved


def loop(step: Callable[[State], State], done: Callable[[State], Any], state: State, steps: int):
    """Apply `step` up to `steps` times, and stop where every row is done.

    Args:
        step: one step of an attack, which leaves rows alone that are done; see `keep`.
        done: state -> bool (N,).
        state: a dict of tensors.
        steps: static.
    """
    if steps == 1:
        return step(state)
    _, state = ops.while_loop(
        lambda i, state: ops.logical_and(i < steps, ops.any(ops.logical_not(done(state)))),
        lambda i, state: (i + 1, step(state)),
        (ops.convert_to_tensor(0, "int32"), state),
    )
    return state


def keep(frozen: Any, old: State, new: State) -> State:
    """Rows of `old` where `frozen`, bool (N,), else those of `new`, for every tensor.

    What most steps end with. Where it costs too much, a step of zero does the same.
    """
    return {name: backend.choose_rows(frozen, old[name], new[name]) for name in old}


def ascend(threat: ThreatModel, x: Any, at: Any, gradient: Any, length: Any, eps: Any) -> Any:
    """One step of steepest ascent: clipped to the box, projected onto the ball, clipped again.

    Args:
        threat: norm "linf" or "l2", and the box.
        x: float32 (N, ...), centres of the balls.
        at: float32 (N, ...), where the step begins.
        gradient: float32 (N, ...).
        length: float32 (N,), of the step in the norm.
        eps: float32 (N,), radii.

    Returns:
        float32 (N, ...).
    """
    norm, low, high = threat.norm, threat.low, threat.high

    def step(x, at, gradient, length, eps):
        stepped = balls.move(
            at, balls.per_example(length, at) * balls.steepest(gradient, norm), low, high
        )
        return balls.move(x, balls.project(stepped - x, norm, eps), low, high)

    # some twenty operations on every value, which as a graph cost a fifth of a convolution's pass
    return backend.fused(step)(x, at, gradient, length, eps)


def shrink(threat: ThreatModel, x: Any, moved: Any, eps: Any) -> Any:
    """Cut the perturbations of a minimal attack down to balls of radius eps.

    Args:
        threat: whose norm and box are used.
        x: float32 (N, ...).
        moved: float32 (N, ...), in the box.
        eps: float32 (N,).

    Returns:
        float32 (N, ...): the points of the balls nearest to `moved`, which is Foolbox's way
        from one run to a whole curve (Rauber et al. 2017, arXiv:1707.04131).
    """
    delta = balls.project(moved - x, threat.norm, eps)
    # what is inside stays bit for bit, as x + (moved - x) would not
    inside = ops.all(delta == moved - x, axis=tuple(range(1, len(x.shape))))
    return ops.where(
        balls.per_example(inside, x), moved, balls.move(x, delta, threat.low, threat.high)
    )


def check(attack: Attack) -> None:
    """What every spec checks of itself: its threat model and norm, and that `targeted` is a bool.

    Raises:
        ValueError: naming what is wrong.
    """
    name = type(attack).__name__
    check_threat(name, attack.threat, attack.norms)
    norm = attack.threat.norm
    if norm not in attack.norms:
        able = " or ".join(map(repr, attack.norms))
        raise ValueError(f"{name} needs norm {able}, got {norm!r}")
    if not isinstance(attack.targeted, bool):
        raise ValueError(f"targeted must be True or False, got {attack.targeted!r}")


def check_threat(name: str, threat: Any, norms: tuple[str, ...] = NORMS) -> None:
    """Raise ValueError unless an attack of this name was given a ThreatModel."""
    if isinstance(threat, ThreatModel):
        return
    norm = threat if threat in norms else norms[0]
    raise ValueError(
        f"{name} needs a ThreatModel, got {threat!r}; such as "
        f"{name}(ThreatModel({norm!r}, {0.5 if norm == 'l2' else '8 / 255'}))"
    )


def check_step(step: float | None, steps: int) -> None:
    """What specs of gradient steps check.

    Raises:
        ValueError: for a step that is not finite and > 0, or a number of steps below 1.
    """
    if step is not None and not (math.isfinite(step) and step > 0):
        raise ValueError(f"step must be finite and > 0, got {step}")
    check_count("steps", steps)


def check_count(name: str, value: int, least: int = 1) -> None:
    """Raise ValueError unless the setting of this name is an int of at least so much."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an int >= {least}, got {value!r}")
