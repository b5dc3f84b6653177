"""What a Cell measured, one outcome per example, and its file."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from robustnets.core.npz import read_arrays
from robustnets.core.store import Damaged, write_atomically

if TYPE_CHECKING:
    import pandas as pd

_EMPTY: Mapping[str, np.ndarray] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Record:
    """Outcomes of one Cell on N examples at E radii (E = 0: nothing was attacked).

    Args:
        cell: the Cell as a dictionary (`core.spec.to_dict`).
        label: int (N,), true labels.
        clean: int (N,), predicted classes before the attack.
        epsilons: float64 (E,), radii, increasing.
        adversarial: int (E, N), predicted classes after the attack.
        arrays: further measurements by name: "clean_confidence" (N,),
            "adversarial_confidence", "linf" and "l2" (E, N) float32, the distances of the
            attacked examples; "linf_channels" and "l2_channels" (E, N), where images have
            several channels, the same distances of each channel added up; "forward" and
            "backward" (E, N) int32 passes used; "target" int (N,), the classes that a targeted
            attack was to reach. Where the Cell asked for probabilities also
            "clean_log_probabilities" (N, K) and "adversarial_log_probabilities" (E, N, K),
            float16: logarithms keep the small ones, which a float16 of its own would lose.
        curves: training curves by name, float64 (epochs,) each.
        pictures: images of the first M examples by name, float32 in [0, 1]:
            "adversarial" (E + 1, M, H, W, C), the originals and then each radius;
            "filtered" (M, H, W, C), what a filter makes of the originals.
        about: seeds, versions, device, seconds and other facts, as JSON types; "means" has the
            mean over all N examples of each (E, N) measurement, a list of E numbers by name.

    Raises:
        ValueError: if the shapes do not agree.
    """

    cell: Mapping[str, Any]
    label: np.ndarray
    clean: np.ndarray
    epsilons: np.ndarray
    adversarial: np.ndarray
    arrays: Mapping[str, np.ndarray] = field(default_factory=lambda: _EMPTY)
    curves: Mapping[str, np.ndarray] = field(default_factory=lambda: _EMPTY)
    pictures: Mapping[str, np.ndarray] = field(default_factory=lambda: _EMPTY)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n, e = len(self.label), len(self.epsilons)
        if self.clean.shape != (n,):
            raise ValueError(f"clean must be ({n},), got {self.clean.shape}")
        if self.adversarial.shape != (e, n):
            raise ValueError(f"adversarial must be ({e}, {n}), got {self.adversarial.shape}")
        for name, array in self.arrays.items():
            # the probabilities of all classes have one more axis
            classes = name.endswith("_log_probabilities")
            if array.shape[: array.ndim - classes] not in ((n,), (e, n)) or array.ndim <= classes:
                wanted = f"({n}, K) or ({e}, {n}, K)" if classes else f"({n},) or ({e}, {n})"
                raise ValueError(f"{name} must be {wanted}, got {array.shape}")

    @property
    def correct(self) -> np.ndarray:
        """bool (N,), right before the attack."""
        return self.clean == self.label

    @property
    def right(self) -> np.ndarray:
        """bool (E, N), right after the attack, whatever was said before it."""
        return self.adversarial == self.label

    @property
    def robust(self) -> np.ndarray:
        """bool (E, N), right before and after the attack."""
        return self.correct & self.right

    @property
    def fooled(self) -> np.ndarray:
        """bool (E, N), right before the attack and wrong after it."""
        return self.correct & ~self.right

    @property
    def aimed(self) -> np.ndarray:
        """bool (N,), neither of the class that the attack was to reach nor taken for it before.

        Raises:
            ValueError: if the attack had no target.
        """
        target = self._target()
        return (self.label != target) & (self.clean != target)

    @property
    def reached(self) -> np.ndarray:
        """bool (E, N), aimed at another class and given that class after the attack.

        Raises:
            ValueError: if the attack had no target.
        """
        return self.aimed & (self.adversarial == self._target())

    def probabilities(self, radius: int | None = None) -> np.ndarray:
        """The probability of every class: float64 (N, K), rows sum to 1.

        Args:
            radius: the number of a radius (see `at`); None, before the attack.

        Raises:
            ValueError: if the Cell did not ask for probabilities.
        """
        name = ("clean" if radius is None else "adversarial") + "_log_probabilities"
        if name not in self.arrays:
            raise ValueError(f"this Record has no {name}; ask for Cell(..., probabilities=True)")
        logarithms = self.arrays[name] if radius is None else self.arrays[name][radius]
        p = np.exp(logarithms.astype(np.float64))
        return p / p.sum(axis=1, keepdims=True)

    def _target(self) -> np.ndarray:
        if "target" not in self.arrays:
            raise ValueError("this Record's attack had no target")
        return self.arrays["target"]

    def at(self, eps: float) -> int:
        """Index of a radius.

        Raises:
            ValueError: if the Record has no such radius.
        """
        hits = np.flatnonzero(np.isclose(self.epsilons, eps, rtol=0, atol=1e-9))
        if len(hits) != 1:
            raise ValueError(f"no eps {eps} in this Record; it has {self.epsilons.tolist()}")
        return int(hits[0])

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over all that was measured; seconds and versions left out."""
        sha = hashlib.sha256(json.dumps(dict(self.cell), sort_keys=True).encode())
        named = [self.arrays, {k: v for k, v in self.curves.items() if k != "seconds"}]
        for array in (
            *(self.label, self.clean, self.epsilons, self.adversarial),
            *(group[k] for group in named for k in sorted(group)),
        ):
            sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()[:16]

    def slim(self, keep: Collection[str] = ()) -> "Record":
        """The same Record without per-example confidences, distances and passes.

        The target stays, for without it nobody can tell what succeeded. A Record with
        probabilities stays whole: a page that asked for them counts on single examples.

        Args:
            keep: names of further `arrays` that stay.
        """
        if any(name.endswith("_log_probabilities") for name in self.arrays):
            return self
        return replace(
            self, arrays={k: v for k, v in self.arrays.items() if k == "target" or k in keep}
        )

    def to_frame(self) -> "pd.DataFrame":
        """One row for each radius and example, for pandas: `record.to_frame().to_csv(path)`.

        Returns:
            E * N rows, all examples of the first radius first, with the columns "eps" float64;
            "example" int, 0..N-1; "label", "clean" and "adversarial" int, the classes of the
            fields of these names; "clean_correct", "robust" and "fooled" bool; "aimed" and
            "reached" bool, where the attack had a target; and each of `arrays` by its name,
            with what has no radius repeated for each. The probabilities of all classes are
            left out (see `probabilities`). Where nothing was attacked (E = 0): N rows, without
            "eps" and what describes the attack.
        """
        import pandas as pd

        n, e = len(self.label), len(self.epsilons)
        by_example = {
            "example": np.arange(n),
            "label": self.label,
            "clean": self.clean,
            "clean_correct": self.correct,
        }
        by_radius: dict[str, np.ndarray] = {}
        if e:
            by_radius = {
                "adversarial": self.adversarial,
                "robust": self.robust,
                "fooled": self.fooled,
            }
            if "target" in self.arrays:
                by_example["aimed"] = self.aimed
                by_radius["reached"] = self.reached
        for name, array in self.arrays.items():
            if name.endswith("_log_probabilities"):
                continue
            if array.shape == (n,):
                by_example[name] = array
            elif e:
                by_radius[name] = array
        eps = {"eps": np.repeat(self.epsilons, n)} if e else {}
        return pd.DataFrame(
            eps
            | {name: np.tile(array, max(e, 1)) for name, array in by_example.items()}
            | {name: array.ravel() for name, array in by_radius.items()}
        )

    def save(self, path: Path) -> Path:
        """Write one compressed `.npz`, atomically; classes are stored as uint8 or int16."""
        classes = (self.label, self.clean, self.adversarial)
        smallest = np.uint8 if max(c.max(initial=0) for c in classes) < 256 else np.int16
        arrays: dict[str, Any] = {
            "label": self.label.astype(smallest),
            "clean": self.clean.astype(smallest),
            "epsilons": self.epsilons,
            # an example's outcomes at growing radii lie side by side: they compress 3x better
            "adversarial": np.ascontiguousarray(self.adversarial.T.astype(smallest)),
            **{f"array:{k}": v for k, v in self.arrays.items()},
            **{f"curve:{k}": v for k, v in self.curves.items()},
            **{
                f"picture:{k}": np.round(v * 255).astype(np.uint8) for k, v in self.pictures.items()
            },
        }
        facts = json.dumps({"cell": dict(self.cell), "about": dict(self.about)}, sort_keys=True)
        arrays["facts"] = np.frombuffer(facts.encode(), np.uint8)
        return write_atomically(path, lambda p: np.savez_compressed(p, **arrays))

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Read what `save` wrote; pictures come back rounded to 1/255.

        Raises:
            OSError: if the file cannot be opened.
            Damaged: a ValueError, if the file is damaged or not a Record.
        """
        arrays = read_arrays(path)
        try:
            facts = json.loads(arrays.pop("facts").tobytes())
            return cls(
                cell=facts["cell"],
                label=arrays["label"].astype(np.int64),
                clean=arrays["clean"].astype(np.int64),
                epsilons=arrays["epsilons"],
                adversarial=np.ascontiguousarray(arrays["adversarial"].T.astype(np.int64)),
                arrays=_named("array:", arrays),
                curves=_named("curve:", arrays),
                pictures={
                    k: (v / 255).astype(np.float32) for k, v in _named("picture:", arrays).items()
                },
                about=facts["about"],
            )
        except KeyError as missing:
            raise Damaged(path, f"it is not a Record, it lacks {missing}") from None
        except (ValueError, TypeError, AttributeError) as problem:
            raise Damaged(path, f"it is not a Record: {problem}") from problem


def _named(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
