"""Fits the matrices of a LinearFilter: PCA, FastICA, SVD without centring, random projection.

Source: Bhagoji et al. 2017, arXiv:1704.02654, sec. 3 (PCA before the classifier); Hyvärinen
and Oja 2000, doi:10.1016/S0893-6080(00)00026-5 (FastICA).
"""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from robustnets.core.npz import read_arrays
from robustnets.core.store import Damaged, write_atomically

METHODS = ("pca", "fastica", "svd", "random")
ICA_STEPS = 200  # of the fixed-point iteration; the rotation alone depends on them


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """Which linear filter.

    Args:
        method: "pca"; "fastica", which only rotates PCA's whitened components and so
            reconstructs what PCA does, up to rounding; "svd", PCA without centring; "random",
            a projection onto random directions about the mean.
        n_components: how many components are kept, int >= 1, or the share of the training
            variance to keep, float in (0, 1): the fewest components that keep it. FastICA
            takes PCA's number; random directions have no order, so no share either.

    Raises:
        ValueError: for another method or number.
    """

    differentiable: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False

    method: str
    n_components: int | float

    @property
    def label(self) -> str:
        """A few words for progress lines and tables."""
        return f"{self.method} {self.n_components}"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")
        n = self.n_components
        if isinstance(n, bool) or not isinstance(n, (int, float)):
            raise ValueError(f"n_components must be an int or a float, got {n!r}")
        if isinstance(n, int) and n < 1:
            raise ValueError(f"n_components must be >= 1, got {n}")
        if isinstance(n, float) and not 0 < n < 1:
            raise ValueError(
                f"n_components must be an int >= 1, or a share of the variance in (0, 1), got {n}"
            )
        if isinstance(n, float) and self.method == "random":
            raise ValueError(
                f"random directions keep no chosen share of the variance, got n_components={n}; "
                "give an int"
            )


@dataclass(frozen=True, eq=False, slots=True)
class FittedFilter:
    """The map x -> (x - mean) @ encode @ decode + mean on flattened images of D values.

    Args:
        spec: what was asked for.
        encode: float32 (D, k).
        decode: float32 (k, D).
        mean: float32 (D,); zeros for "svd".
        explained_variance: 1 - squared error of the reconstruction / squared distance from
            the mean, over the training images; 1 if all those images are one.
        converged: False if FastICA ran out of steps; the reconstruction does not depend on it.

    Raises:
        ValueError: if the shapes do not agree.
    """

    spec: FilterSpec
    encode: np.ndarray
    decode: np.ndarray
    mean: np.ndarray
    explained_variance: float
    converged: bool

    def __post_init__(self) -> None:
        d, k = self.encode.shape
        if self.decode.shape != (k, d) or self.mean.shape != (d,):
            raise ValueError(
                f"encode {self.encode.shape} needs decode ({k}, {d}) and mean ({d},), "
                f"got {self.decode.shape} and {self.mean.shape}"
            )

    def save(self, path: Path) -> Path:
        """Write one `.npz`, atomically.

        Raises:
            ValueError: for another suffix.
        """
        if path.suffix != ".npz":
            raise ValueError(f"a filter is saved as .npz, got {path.name}")
        n = self.spec.n_components
        arrays: dict[str, Any] = {
            "method": np.array(self.spec.method),
            "n_components": np.array(n, np.int64 if isinstance(n, int) else np.float64),
            "encode": self.encode,
            "decode": self.decode,
            "mean": self.mean,
            "explained_variance": np.array(self.explained_variance),
            "converged": np.array(self.converged),
        }
        return write_atomically(path, lambda p: np.savez(p, **arrays))

    @classmethod
    def load(cls, path: Path) -> "FittedFilter":
        """Read what `save` wrote.

        Raises:
            OSError: if the file cannot be opened.
            Damaged: a ValueError, if the file is damaged or no filter.
        """
        arrays = read_arrays(path)
        try:
            return cls(
                spec=FilterSpec(arrays["method"].item(), arrays["n_components"].item()),
                encode=arrays["encode"],
                decode=arrays["decode"],
                mean=arrays["mean"],
                explained_variance=arrays["explained_variance"].item(),
                converged=arrays["converged"].item(),
            )
        except KeyError as missing:
            raise Damaged(path, f"it is no filter, it lacks {missing}") from None
        except (ValueError, TypeError) as problem:
            raise Damaged(path, f"it is no filter: {problem}") from problem


def fit_filter(spec: FilterSpec, x: np.ndarray, seed: int) -> FittedFilter:
    """Fit on training images, in float64.

    Args:
        spec: method and number of components.
        x: float32 (N, H, W, C), N >= 2; flattened to D = H * W * C values.
        seed: of FastICA's start and of the random directions; the other two draw nothing.

    Raises:
        ValueError: if x has no such shape or is not finite; if more components are asked for
            than min(N, D) or, for FastICA, than the rank of the centred images (constant
            pixels lower it; whitening would divide by zero).
    """
    if x.ndim != 4 or x.dtype != np.float32 or len(x) < 2:
        raise ValueError(f"x must be float32 (N, H, W, C) with N >= 2, got {x.dtype} {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("x holds NaN or infinite values; remove those images")
    flat = x.reshape(len(x), -1).astype(np.float64)
    n, d = flat.shape
    if spec.n_components > min(n, d):
        raise ValueError(
            f"n_components must be <= {min(n, d)} for {n} images of {d} values, "
            f"got {spec.n_components}"
        )
    mean = np.zeros(d) if spec.method == "svd" else flat.mean(axis=0)
    converged = True
    if spec.method == "pca":
        encode, decode = _fit_pca(flat, mean, spec.n_components)
    elif spec.method == "svd":
        encode, decode = _fit_svd(flat, spec.n_components)
    elif spec.method == "fastica":
        encode, decode, converged = _fit_fastica(flat, mean, spec.n_components, seed)
    else:
        encode, decode = _fit_random(flat, spec.n_components, seed)
    left = _squares(flat - mean - ((flat - mean) @ encode) @ decode)
    total = _squares(flat - flat.mean(axis=0))
    return FittedFilter(
        spec=spec,
        encode=encode.astype(np.float32),
        decode=decode.astype(np.float32),
        mean=mean.astype(np.float32),
        explained_variance=1 - left / total if total > 0 else 1.0,
        converged=converged,
    )


def _fit_pca(flat, mean, n_components):
    # scikit-learn finds a share exactly, and both solvers draw nothing
    from sklearn.decomposition import PCA

    if not np.any(flat - mean):  # no direction differs from another, and no share is defined
        k = n_components if isinstance(n_components, int) else 1
        basis = np.eye(flat.shape[1])[:k]
        return basis.T, basis
    solver = "covariance_eigh" if len(flat) >= flat.shape[1] else "full"
    components = PCA(n_components, svd_solver=solver).fit(flat).components_
    return components.T, components


def _fit_svd(flat, n_components):
    # what scikit-learn's TruncatedSVD aims at, exactly: its randomised solver misses a little
    # of it and ARPACK is slow; the share needs the whole spectrum anyway
    if len(flat) >= flat.shape[1]:
        squares, vectors = np.linalg.eigh(flat.T @ flat)
        squares, rows = squares[::-1], vectors.T[::-1]
    else:
        _, singular, rows = np.linalg.svd(flat, full_matrices=False)
        squares = singular**2
    if isinstance(n_components, float):
        left = _squares(flat) - np.cumsum(squares)
        enough = left <= (1 - n_components) * _squares(flat - flat.mean(axis=0))
        n_components = int(np.argmax(enough)) + 1 if enough.any() else len(rows)
    components = rows[:n_components]
    return components.T, components


def _fit_fastica(flat, mean, n_components, seed):
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    centred = flat - mean
    gram = centred.T @ centred if len(flat) >= flat.shape[1] else centred @ centred.T
    rank = int(np.linalg.matrix_rank(gram, hermitian=True))
    if isinstance(n_components, float):
        n_components = _fit_pca(flat, mean, n_components)[0].shape[1]
    if n_components > rank:
        raise ValueError(
            f"fastica needs n_components <= {rank}, the rank of the centred images, "
            f"got {n_components}; constant and dependent pixels lower the rank"
        )
    # FastICA begins by projecting onto these components; given them, it need not find them in
    # images whose constant pixels make its own whitening divide by zero
    inward, outward = _fit_pca(flat, mean, n_components)
    scores = centred @ inward
    ica = FastICA(
        whiten="unit-variance", whiten_solver="svd", max_iter=ICA_STEPS, random_state=seed
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ica.fit(scores)
    converged = True
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            converged = False
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return inward @ ica.components_.T, ica.mixing_.T @ outward, converged


def _fit_random(flat, n_components, seed):
    from sklearn.random_projection import GaussianRandomProjection

    rows = GaussianRandomProjection(n_components, random_state=seed).fit(flat).components_
    # encode @ decode is then the orthogonal projection onto the rows
    return np.linalg.pinv(rows), rows


def _squares(values: np.ndarray) -> float:
    return math.fsum(np.einsum("nd,nd->n", values, values))
