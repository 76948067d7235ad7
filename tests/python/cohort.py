"""Metrics, logistic regression, ridge, Cox and elastic-net Cox of small random cohorts, in scikit-learn, scipy and scikit-survival.

    pip install numpy scipy scikit-learn scikit-survival
    python tests/python/cohort.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn import metrics
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sksurv.linear_model import CoxnetSurvivalAnalysis, CoxPHSurvivalAnalysis
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

OUT = Path(__file__).parents[1] / "fixtures" / "eval" / "cohort.json"


def plain(value):
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def classification(rng, n, classes):
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
    raw = rng.normal(size=(n, classes))
    raw[np.arange(n), y] += 1
    p = np.exp(raw)
    p = np.round(p / p.sum(1, keepdims=True), 2)
    said = p.argmax(1)
    one_hot = np.eye(classes)[y]
    kappa = lambda weights: metrics.cohen_kappa_score(y, said, weights=weights, labels=range(classes))
    if classes == 2:
        auc, ap = metrics.roc_auc_score(y, p[:, 1]), metrics.average_precision_score(y, p[:, 1])
    else:
        auc = np.mean([metrics.roc_auc_score(one_hot[:, k], p[:, k]) for k in range(classes)])
        ap = metrics.average_precision_score(one_hot, p, average="macro")
    return {
        "labels": y, "probabilities": p.ravel(), "classes": classes,
        "auc": auc, "average_precision": ap,
        "balanced_accuracy": metrics.balanced_accuracy_score(y, said),
        "kappa": {"none": kappa(None), "linear": kappa("linear"), "quadratic": kappa("quadratic")},
        "macro_f1": metrics.f1_score(y, said, average="macro", zero_division=0),
        "weighted_f1": metrics.f1_score(y, said, average="weighted", zero_division=0),
    }


def delong(y, a, b):
    """Structural components, as the paper has them."""
    win = lambda s: (s[y == 1][:, None] > s[y == 0]) + 0.5 * (s[y == 1][:, None] == s[y == 0])
    w = [win(a), win(b)]
    m, n = w[0].shape
    cov = np.cov([v.mean(1) for v in w]) / m + np.cov([v.mean(0) for v in w]) / n
    se = np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    difference = w[0].mean() - w[1].mean()
    return {"covariance": cov, "se": se, "z": difference / se, "p": 2 * stats.norm.sf(abs(difference / se))}


def logistic(rng, classes):
    x = np.round(rng.normal(size=(40, 6)), 3)
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, 40 - classes)])
    fitted = LogisticRegression(C=0.5, class_weight="balanced", solver="newton-cg", tol=1e-14, max_iter=10_000).fit(x, y)
    return {"x": x, "y": y, "coef": fitted.coef_, "intercept": fitted.intercept_, "probabilities": fitted.predict_proba(x)}


def ridge(rng, n, d):
    x, y = np.round(rng.normal(size=(n, d)), 3), np.round(rng.normal(size=(n, 3)), 3)
    y[:, 0] += x[:, 0]
    alphas = [0.1, 1.0, 10.0, 100.0]
    cv = RidgeCV(alphas, store_cv_results=True).fit(x, y)
    groups = np.arange(n) // 3
    by_group = []
    for alpha in alphas:
        error = 0.0
        for g in np.unique(groups):
            out = groups == g
            error += ((Ridge(alpha, solver="svd").fit(x[~out], y[~out]).predict(x[out]) - y[out]) ** 2).sum()
        by_group.append(error / y.size)
    return {
        "x": x, "y": y, "alphas": alphas, "alpha": cv.alpha_, "coef": cv.coef_, "intercept": cv.intercept_,
        "errors": cv.cv_results_.mean(axis=(0, 1)), "groups": groups, "group_errors": by_group,
    }


def survival(rng, n, d, ties):
    x = np.round(rng.normal(size=(n, d)), 3)
    risk = x[:, 0] - 0.5 * x[:, 1]
    t = rng.exponential(np.exp(-risk)) * 10 + 0.1
    t = np.ceil(t) if ties else np.round(t, 4)
    event = rng.random(n) < 0.7
    y = Surv.from_arrays(event, t)
    said = np.round(risk + rng.normal(size=n), 1)
    cox = [
        {"ties": how, "alpha": alpha,
         "coef": CoxPHSurvivalAnalysis(alpha=alpha, ties=how, tol=1e-14, n_iter=1000).fit(x, y).coef_}
        for how in ("breslow", "efron") for alpha in ((0.1, 1.0, 10.0) if d >= n / 3 else (0.0, 0.1, 1.0))
    ]
    # Its stopping rule is one of the deviance, hence the many steps and the nets compared at 1e-7.
    net = CoxnetSurvivalAnalysis(l1_ratio=0.5, n_alphas=12, tol=1e-16, max_iter=10_000_000).fit(x, y)
    chosen = CoxnetSurvivalAnalysis(l1_ratio=0.5, alphas=[0.07, 0.02, 0.01], tol=1e-16, max_iter=10_000_000).fit(x, y)
    return {
        "x": x, "times": t, "events": event.astype(int), "risks": said,
        "cindex": concordance_index_censored(event, t, said),
        "cox": cox,
        "path": {"alphas": net.alphas_, "coef": net.coef_.T},
        "net": {"alphas": [0.07, 0.02, 0.01], "coef": chosen.coef_.T},
    }


def published():
    """The small cohort with coefficients in six digits in the project's specification."""
    x = np.array([
        (1.79, .44, .10), (-1.86, -.28, -.35), (-.08, -.63, -.04), (-.48, -1.31, .88), (.88, 1.71, .05), (-.40, -.55, -1.55),
        (.98, -1.10, -1.19), (-.21, 1.49, .24), (-1.02, -.71, .63), (-.16, -.77, -.23), (.75, 1.98, -1.24), (-.63, -.80, -2.42),
    ])
    t = np.array([1.7, 1.8, 3.2, 9.9, 4.5, 1.8, 1.7, 3.1, 1.2, 1.2, 3.7, .6])
    event = np.array([i not in (2, 3) for i in range(12)])
    return x, t, event


def main():
    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(20)
    y = np.array([0, 1, 0, 1, 1, 0, 0, 1, 0, 0])
    a = np.array([.1, .8, .4, .4, .9, .3, .4, .6, .2, .7])
    b = np.array([.2, .6, .5, .3, .7, .4, .1, .5, .3, .6])
    state = np.random.RandomState(0)
    draws = [d for d in (state.choice(10, 10) for _ in range(100)) if len(set(y[d])) == 2]
    scores = [metrics.roc_auc_score(y[d], a[d]) for d in draws]
    u, v = np.round(rng.normal(size=30), 1), np.round(rng.normal(size=30), 1)
    x, t, event = published()
    target = Surv.from_arrays(event, t)
    small = {
        "x": x, "times": t, "events": event.astype(int),
        "cox": [{"ties": "breslow", "alpha": alpha, "coef": CoxPHSurvivalAnalysis(alpha=alpha, ties="breslow", tol=1e-14).fit(x, target).coef_}
                for alpha in (0.1, 1.0)],
        "net": {"alphas": [0.07], "coef": CoxnetSurvivalAnalysis(l1_ratio=.5, alphas=[.07], tol=1e-16, max_iter=10_000_000).fit(x, target).coef_.T},
    }
    out = {
        "classification": [classification(rng, 60, k) for k in (2, 3, 5)],
        "delong": delong(y, a, b),
        "bootstrap": {"draws": len(draws), "mean": np.mean(scores), "interval": np.percentile(scores, [2.5, 97.5])},
        "correlation": {"a": u, "b": v, "pearson": stats.pearsonr(u, v)[0], "spearman": stats.spearmanr(u, v)[0]},
        "logistic": [logistic(rng, k) for k in (2, 3)],
        "ridge": [ridge(rng, 24, 6), ridge(rng, 18, 30)],
        "survival": [survival(rng, 60, 4, False), survival(rng, 60, 4, True), survival(rng, 30, 40, True)],
        "small": small,
    }
    OUT.write_text(json.dumps(plain(out), separators=(",", ":")) + "\n")
    print(OUT.name, OUT.stat().st_size)


main()
