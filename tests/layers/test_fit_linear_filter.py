"""Fitting filters: what each method reconstructs, and what is refused."""

import warnings

import numpy as np
import pytest

from robustnets.layers import FilterSpec, FittedFilter, fit_filter

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(70, 20)) @ RNG.normal(size=(20, 60))).reshape(70, 5, 4, 3)
X = (0.5 + 0.02 * X + 0.01 * RNG.normal(size=X.shape)).astype(np.float32)
FLAT = X.reshape(70, -1).astype(np.float64)
ALL = [FilterSpec(m, 6) for m in ("pca", "fastica", "svd", "random")]


def rebuilt(fitted, flat=FLAT):
    return (flat - fitted.mean) @ fitted.encode @ fitted.decode + fitted.mean


@pytest.mark.parametrize("spec", ALL, ids=lambda s: s.method)
def test_matrices_are_a_projection_of_rank_k_and_the_same_each_time(spec):
    fitted = fit_filter(spec, X, seed=3)
    p = fitted.encode.astype(np.float64) @ fitted.decode
    assert fitted.encode.shape == (60, 6)
    assert {a.dtype for a in (fitted.encode, fitted.decode, fitted.mean)} == {np.dtype("f4")}
    np.testing.assert_allclose(p @ p, p, atol=1e-5)
    np.testing.assert_allclose(p, p.T, atol=1e-5)  # orthogonal
    assert np.trace(p) == pytest.approx(6, abs=1e-4)
    again = fit_filter(spec, X, seed=3)
    assert again.encode.tobytes() == fitted.encode.tobytes()
    kept = 1 - ((FLAT - rebuilt(fitted)) ** 2).sum() / ((FLAT - FLAT.mean(0)) ** 2).sum()
    assert fitted.explained_variance == pytest.approx(kept, abs=1e-5)


def test_fastica_reconstructs_what_pca_does():
    pca, ica = (fit_filter(FilterSpec(m, 6), X, seed=1) for m in ("pca", "fastica"))
    np.testing.assert_allclose(rebuilt(ica), rebuilt(pca), atol=1e-5)
    assert ica.explained_variance == pytest.approx(pca.explained_variance, abs=1e-6)
    assert np.abs(ica.encode - pca.encode).max() > 0.1  # the components do differ


def test_svd_is_the_truncated_svd_of_scikit_learn():
    from sklearn.decomposition import TruncatedSVD

    fitted = fit_filter(FilterSpec("svd", 6), X, seed=0)
    svd = TruncatedSVD(6, algorithm="arpack", random_state=0).fit(FLAT)
    expected = svd.inverse_transform(svd.transform(FLAT))
    np.testing.assert_allclose(rebuilt(fitted), expected, atol=1e-5)
    assert (fitted.mean == 0).all()


def test_few_images_of_many_values_give_the_same_filter_either_way():
    few = X[:31]
    for method in ("pca", "svd", "fastica"):
        fitted = fit_filter(FilterSpec(method, 5), few, seed=0)
        flat = few.reshape(31, -1).astype(np.float64)
        mean = 0 if method == "svd" else flat.mean(axis=0)
        rows = np.linalg.svd(flat - mean, full_matrices=False)[2][:5]
        expected = (flat - mean) @ rows.T @ rows + mean
        np.testing.assert_allclose(rebuilt(fitted, flat), expected, atol=1e-5)


@pytest.mark.parametrize("n_images", [31, 70])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("method", ["pca", "fastica", "svd"])
def test_a_share_takes_the_fewest_components_that_keep_it(method, share, n_images):
    fitted = fit_filter(FilterSpec(method, share), X[:n_images], seed=0)
    k = fitted.encode.shape[1]
    assert fitted.explained_variance >= share - 1e-6
    fewer = fit_filter(FilterSpec(method, k - 1), X[:n_images], seed=0)
    assert fewer.explained_variance < share


def test_all_components_keep_everything():
    for method in ("pca", "svd", "random"):
        fitted = fit_filter(FilterSpec(method, 60), X, seed=0)
        assert fitted.explained_variance == pytest.approx(1, abs=1e-6)


def test_images_that_are_all_one_are_no_nan():
    same = np.repeat(X[:1], 8, axis=0)
    for spec in (FilterSpec("pca", 2), FilterSpec("pca", 0.9), FilterSpec("random", 2)):
        fitted = fit_filter(spec, same, seed=0)
        assert np.isfinite(fitted.encode).all()
        assert fitted.explained_variance == 1


def test_fastica_that_runs_out_of_steps_is_recorded_not_warned(monkeypatch):
    monkeypatch.setattr("robustnets.layers.fit_linear_filter.ICA_STEPS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not fit_filter(FilterSpec("fastica", 6), X, seed=0).converged
    assert fit_filter(FilterSpec("pca", 6), X, seed=0).converged


@pytest.mark.parametrize("n_components", [6, 0.9])
def test_saves_and_loads(tmp_path, n_components):
    fitted = fit_filter(FilterSpec("pca", n_components), X, seed=0)
    back = FittedFilter.load(fitted.save(tmp_path / "filter.npz"))
    assert back.spec == fitted.spec
    assert type(back.spec.n_components) is type(n_components)
    for name in ("encode", "decode", "mean"):
        assert getattr(back, name).tobytes() == getattr(fitted, name).tobytes()
    assert back.explained_variance == fitted.explained_variance
    assert back.converged is True
    with pytest.raises(ValueError, match=r"\.npz"):
        fitted.save(tmp_path / "filter.bin")
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(ValueError, match="is no filter"):
        FittedFilter.load(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("method", "n", "message"),
    [
        ("ica", 3, "pca, fastica, svd, random, got 'ica'"),
        ("pca", 0, ">= 1, got 0"),
        ("pca", 1.0, r"\(0, 1\), got 1.0"),
        ("pca", True, "got True"),
        ("pca", "mle", "got 'mle'"),
        ("random", 0.9, "give an int"),
    ],
)
def test_bad_specs_are_named(method, n, message):
    with pytest.raises(ValueError, match=message):
        FilterSpec(method, n)


def test_what_cannot_be_fitted_is_named():
    with pytest.raises(ValueError, match="<= 60 for 70 images of 60 values, got 61"):
        fit_filter(FilterSpec("pca", 61), X, seed=0)
    with pytest.raises(ValueError, match="float64"):
        fit_filter(FilterSpec("pca", 2), X.astype(np.float64), seed=0)
    with pytest.raises(ValueError, match="NaN"):
        fit_filter(FilterSpec("pca", 2), np.full_like(X, np.nan), seed=0)
    constant = X.copy()
    constant[:, 0] = 0.5  # 12 of the 60 values
    with pytest.raises(ValueError, match="fastica needs n_components <= 48, the rank"):
        fit_filter(FilterSpec("fastica", 50), constant, seed=0)
