"""Fixture of the linear probe: standardisation, PCA, ridge, correlations, percentiles, logistic regression, RankMe.

Makes tests/fixtures/eval/probe.json with scikit-learn and scipy in float64. Inputs are not stored: numbers of a hash that the
tests compute too, combined with +, -, * and / only, so that both sides start from the same bits.

    pip install "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"
    python tests/python/probe.py
"""

import json
import pathlib

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import StandardScaler


def mix(h):
    h ^= h >> 16
    h = h * 0x7FEB352D & 0xFFFFFFFF
    h ^= h >> 15
    h = h * 0x846CA68B & 0xFFFFFFFF
    return h ^ h >> 16


def noise(seed, rows, columns):
    """Uniform in [-0.5, 0.5)."""
    cells = [mix((seed * 1000003 + i * columns + j + 1) & 0xFFFFFFFF) / 2**32 - 0.5 for i in range(rows) for j in range(columns)]
    return np.array(cells).reshape(rows, columns)


def features(kind, seed, rows, columns):
    x = noise(seed, rows, columns)
    if kind == "ill":  # Column j is column j-1 and ever less that is new.
        for j in range(1, columns):
            x[:, j] = x[:, j - 1] + x[:, j] / 4
        x[:, 1::2] = x[:, 0::2] * 3 + x[:, 1::2] / 65536
    if kind == "offset":
        x = x + 1000
        x[:, 3] = 7
    return x


def targets(x, seed, count):
    """A few columns each, with noise; the last is zero for most rows, as counts are."""
    n = x.shape[0]
    e = noise(seed, n, count)
    y = np.stack([x[:, j] - x[:, 2 * j + 1] / 2 + e[:, j] for j in range(count)], 1)
    y[:, count - 1] = np.where(e[:, count - 1] > 0.25, y[:, count - 1] * y[:, count - 1], 0)
    return y


def numbers(values):
    return [float(f"{v:.14g}") for v in np.asarray(values, np.float64).ravel()]


def probe_case(name, kind, rows, test, columns, components, genes, standardise=True):
    x, y = features(kind, 1, rows + test, columns), None
    y = targets(x, 2, genes)
    a, b = x[:rows], x[rows:]
    if standardise:
        scaler = StandardScaler().fit(a)
        a, b = scaler.transform(a), scaler.transform(b)
    out = {"standardise": standardise, "name": name, "kind": kind, "rows": rows, "test": test, "columns": columns, "components": components, "genes": genes}
    if components is not None:
        pca = PCA(min(components, rows, columns), svd_solver="full").fit(a)
        out["scatter"] = numbers(pca.explained_variance_ * (rows - 1))
        a, b = pca.transform(a), pca.transform(b)
    alpha = 100 / (a.shape[1] * genes)
    model = Ridge(alpha=alpha, fit_intercept=False, solver="svd").fit(a, y[:rows])
    predictions = model.predict(b)
    want = y[rows:]
    # Moved so that the training rows are predicted with their mean; with centred features the mean itself.
    shifted = predictions + (y[:rows] - model.predict(a)).mean(0)
    out |= {
        "alpha": alpha,
        "predictions": numbers(predictions[:7]),
        "pearson": numbers([pearsonr(predictions[:, j], want[:, j])[0] for j in range(genes)]),
        "spearman": numbers([spearmanr(predictions[:, j], want[:, j])[0] for j in range(genes)]),
        "r2": numbers(r2_score(want, predictions, multioutput="raw_values")),
        "r2Intercept": numbers(r2_score(want, shifted, multioutput="raw_values")),
        "mse": numbers(((predictions - want) ** 2).mean(0)),
    }
    return out


def ridge_case(kind, rows, columns, alpha, intercept):
    x = features(kind, 3, rows, columns)
    y = targets(x, 4, 3)
    model = Ridge(alpha=alpha, fit_intercept=intercept, solver="svd").fit(x, y)
    probe = features(kind, 5, 4, columns)
    return {"kind": kind, "rows": rows, "columns": columns, "alpha": alpha, "intercept": intercept,
            "predictions": numbers(model.predict(probe))}


ALPHAS = [10 ** (-2 + i / 2) for i in range(19)]


def cross_validated(rows, columns, genes, slides):
    """One penalty for all targets, by squared error on left-out folds, written out: each fold its own regression."""
    x = features("random", 6, rows, columns)
    y = targets(x, 7, genes)
    fold = np.arange(rows) * slides // rows % 10
    errors = []
    for alpha in ALPHAS:
        total = 0.0
        for f in range(min(10, slides)):
            model = Ridge(alpha=alpha, solver="svd").fit(x[fold != f], y[fold != f])
            total += ((model.predict(x[fold == f]) - y[fold == f]) ** 2).sum()
        errors.append(total / y.size)
    return {"rows": rows, "columns": columns, "genes": genes, "slides": slides, "errors": numbers(errors)}


def logistic_case(kind, rows, columns, classes, c, balanced):
    x = features(kind, 8, rows, columns)
    score = x[:, 0] - x[:, 1] + noise(9, rows, 1)[:, 0] / 2
    labels = np.minimum(classes - 1, np.floor((score + 1.5) / 3 * classes)).astype(int)
    labels = np.maximum(0, labels)
    x = StandardScaler().fit_transform(x)
    model = LogisticRegression(C=c, tol=1e-13, max_iter=100000, class_weight="balanced" if balanced else None).fit(x, labels)
    predicted = model.predict(x)
    return {"kind": kind, "rows": rows, "columns": columns, "classes": classes, "c": c, "balanced": balanced,
            "coefficients": numbers(model.coef_), "intercepts": numbers(model.intercept_),
            "accuracy": float((predicted == labels).mean()),
            "balancedAccuracy": balanced_accuracy_score(labels, predicted)}


def split(n, fold):
    train, test = next(ShuffleSplit(1, test_size=None, train_size=0.8, random_state=fold).split(np.zeros(n)))
    return {"n": n, "fold": fold, "test": test[:12].tolist(), "train": train[:12].tolist(),
            "trainCount": len(train), "testCount": len(test)}


def smooth_rank(x):
    s = np.linalg.svd(x, compute_uv=False)
    p = s / s.sum() + 1e-7
    return float(np.exp(-(p * np.log(p)).sum()))


def main():
    tied = [0, 0, 1, 2, 0, 5, 3, 3, 0, 1]
    other = [1, 0, 0, 2, 2, 5, 1, 4, 0, 0.5]
    quartiles = noise(10, 1, 11)[0]
    fixture = {
        "probes": [
            probe_case("random, fewer components than columns", "random", 90, 40, 24, 10, 5),
            probe_case("random, all components", "random", 90, 40, 24, 256, 5),
            probe_case("without PCA", "random", 90, 40, 24, None, 5),
            probe_case("ill-conditioned", "ill", 90, 40, 24, 10, 5),
            probe_case("ill-conditioned, without PCA", "ill", 90, 40, 24, None, 5),
            probe_case("fewer rows than columns", "random", 20, 30, 64, 256, 5),
            probe_case("fewer rows than columns, without PCA", "random", 20, 30, 64, None, 5),
            probe_case("far from zero, with a constant column", "offset", 90, 40, 24, 10, 5),
            probe_case("features as they are", "random", 90, 40, 24, None, 5, standardise=False),
            probe_case("features as they are, far from zero", "offset", 90, 40, 24, None, 5, standardise=False),
            probe_case("features as they are, fewer rows than columns", "random", 20, 30, 64, None, 5, standardise=False),
        ],
        "ridges": [
            ridge_case(kind, 50, 14, alpha, intercept)
            for kind in ("random", "ill", "offset") for alpha in (0.01, 3.0) for intercept in (False, True)
        ],
        "crossValidated": [cross_validated(120, 12, 4, 3), cross_validated(150, 12, 4, 15)],
        "logistic": [
            logistic_case("random", 80, 10, 2, 1.0, False),
            logistic_case("random", 90, 10, 4, 1.0, False),
            logistic_case("random", 90, 10, 3, 0.5, True),
            logistic_case("ill", 80, 10, 3, 10.0, False),
            logistic_case("random", 24, 60, 3, 1.0, False),
        ],
        "tied": {"a": tied, "b": other, "spearman": float(spearmanr(tied, other)[0]),
                 "pearson": float(pearsonr(tied, other)[0])},
        "percentiles": {"q": [0, 25, 50, 75, 90, 100], "values": numbers(np.percentile(quartiles, [0, 25, 50, 75, 90, 100]))},
        "splits": [split(n, f) for n in (10, 13, 1000, 4097) for f in range(5)],
        "smoothRank": [
            {"kind": kind, "rows": rows, "columns": columns, "value": smooth_rank(features(kind, 11, rows, columns))}
            for kind, rows, columns in (("random", 40, 12), ("ill", 40, 12), ("random", 8, 30))
        ],
    }
    path = pathlib.Path(__file__).parents[1] / "fixtures/eval/probe.json"
    path.write_text(json.dumps(fixture, indent=1) + "\n")
    print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
