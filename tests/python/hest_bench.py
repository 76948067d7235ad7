"""HEST-Benchmark's procedure on a synthetic task, in numpy and scikit-learn, with the result files it writes.

    deno run -A tests/eval/bench_inputs.ts DIR
    pip install "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6" h5py
    python tests/python/hest_bench.py DIR

Makes tests/fixtures/eval/hest_bench.json: the content of every file by its path. Follows benchmark.py and trainer.py of
github.com/mahmoodlab/HEST, with exact solvers in float64 in place of randomised PCA and LSQR in float32; what those give is
kept too (`literal`), to show how far apart they are. Beside it, written out as plain loops: the protocol of the headline
(`depth-cv/1`), features as they are (`hest-bench-raw/1`), and probes that know each spot's total only.
"""

import csv
import json
import pathlib
import sys

import h5py
import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

ENCODERS = ["oracle", "visible"]
ROOT = pathlib.Path(sys.argv[1])
TASK = ROOT / "bench/SYN"


def text(values):
    return [v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(values).ravel()]


def counts(path, barcodes, genes):
    """Raw counts of these spots and genes, and the totals of these spots over all genes but control probes, float64."""
    with h5py.File(path) as f:
        obs = text(f["obs"][f["obs"].attrs["_index"]][:])
        var = text(f["var"][f["var"].attrs["_index"]][:])
        data, indices, indptr = (f["X"][k][:] for k in ("data", "indices", "indptr"))
    rows = {name: i for i, name in enumerate(obs)}
    columns = {name: j for j, name in enumerate(var)}
    out, totals = np.zeros((len(barcodes), len(genes))), np.zeros(len(barcodes))
    wanted = {columns[g]: j for j, g in enumerate(genes)}
    for i, name in enumerate(barcodes):
        r = rows[name]
        for k in range(indptr[r], indptr[r + 1]):
            if not any(word in var[indices[k]].lower() for word in ("blank", "control")):
                totals[i] += data[k]
            if indices[k] in wanted:
                out[i, wanted[indices[k]]] = data[k]
    return out, totals


def side(split, encoder, genes):
    xs, cs, ts, ids = [], [], [], []
    for row in csv.DictReader(open(split)):
        with h5py.File(ROOT / f"features/{encoder}/{row['sample_id']}.h5") as f:
            x, barcodes = f["features"][:].astype(np.float64), text(f["barcode"][:])
        c, t = counts(TASK / row["expr_path"], barcodes, genes)
        xs.append(x)
        cs.append(c)
        ts.append(t)
        ids += [row["sample_id"]] * len(barcodes)
    c, t = np.concatenate(cs), np.concatenate(ts)
    return np.concatenate(xs), np.log1p(c), np.array(ids), np.log1p(c * 1e4 / t[:, None]), np.log1p(t)[:, None]


def pooled(p, y):
    """Mean over genes; a constant one counts as 0."""
    r = [pearsonr(y[:, j], p[:, j])[0] if np.ptp(y[:, j]) > 0 else 0 for j in range(y.shape[1])]
    return float(np.mean(r))


def within(p, y, ids):
    return float(np.mean([pooled(p[ids == s], y[ids == s]) for s in dict.fromkeys(ids)]))


def r2(p, y):
    return float(np.mean([1 - np.sum((y[:, j] - p[:, j]) ** 2) / np.sum((y[:, j] - y[:, j].mean()) ** 2) for j in range(y.shape[1])]))


ALPHAS = [10 ** (-2 + i / 2) for i in range(19)]


def cross_validated(x, y, ids, xt, yt, idst):
    """One penalty for all genes, the best for whole training slides that are left out; the tested spots play no part."""
    scaler = StandardScaler().fit(x)
    pca = PCA(min(256, *x.shape), svd_solver="full").fit(scaler.transform(x))
    a, b = pca.transform(scaler.transform(x)), pca.transform(scaler.transform(xt))
    groups = list(dict.fromkeys(ids))
    assert len(groups) <= 10
    errors = []
    for alpha in ALPHAS:
        total = 0.0
        for g in groups:
            model = Ridge(alpha=alpha, solver="svd").fit(a[ids != g], y[ids != g])
            total += float(((model.predict(a[ids == g]) - y[ids == g]) ** 2).sum())
        errors.append(total)
    alpha = ALPHAS[int(np.argmin(errors))]
    p = Ridge(alpha=alpha, solver="svd").fit(a, y).predict(b)
    return {"alpha": alpha, "pearson": pooled(p, yt), "pearson_per_slide": within(p, yt, idst), "r2_intercept": r2(p, yt)}


def plain(x, y, xt, yt, idst, solver="svd"):
    """HEST without `dimreduce`: nothing is scaled or centred."""
    p = Ridge(alpha=100 / (x.shape[1] * y.shape[1]), fit_intercept=False, solver=solver, random_state=1, max_iter=1000).fit(x, y).predict(xt)
    return {"pearson": pooled(p, yt), "pearson_per_slide": within(p, yt, idst)}


def depth_only(y, t, yt, tt, idst):
    """The benchmark's probe of each spot's total alone."""
    scaler = StandardScaler().fit(t)
    p = Ridge(alpha=100 / y.shape[1], fit_intercept=False, solver="svd").fit(scaler.transform(t), y).predict(scaler.transform(tt))
    return {"pearson": pooled(p, yt), "pearson_per_slide": within(p, yt, idst)}


def literal(x, y, xt, yt, components):
    """As the reference has it: features and scores in float32, scikit-learn's own choice of PCA solver, LSQR."""
    pipe = Pipeline([("scaler", StandardScaler()), ("PCA", PCA(n_components=components, random_state=1))])
    a, b = pipe.fit_transform(x.astype(np.float32)).astype(np.float32), pipe.transform(xt.astype(np.float32)).astype(np.float32)
    alpha = 100 / (a.shape[1] * y.shape[1])
    p = Ridge(solver="lsqr", alpha=alpha, random_state=1, fit_intercept=False, max_iter=1000).fit(a, y).predict(b)
    return float(np.mean([pearsonr(yt[:, j], p[:, j])[0] for j in range(y.shape[1])]))


def main():
    genes = json.load(open(TASK / "var_50genes.json"))["genes"]
    folds = len(list((TASK / "splits").iterdir())) // 2
    files, enc_perfs, apart, beside = {}, [], {}, {}
    for encoder in ENCODERS:
        all_results = []
        for i in range(folds):
            x, y, own, z, t = side(TASK / f"splits/train_{i}.csv", encoder, genes)
            xt, yt, ids, zt, tt = side(TASK / f"splits/test_{i}.csv", encoder, genes)
            components = min(256, *x.shape)
            scaler = StandardScaler().fit(x)
            pca = PCA(components, svd_solver="full").fit(scaler.transform(x))
            a, b = pca.transform(scaler.transform(x)), pca.transform(scaler.transform(xt))
            alpha = 100 / (components * len(genes))
            p = Ridge(alpha=alpha, fit_intercept=False, solver="svd").fit(a, y).predict(b)
            errors = [float(np.mean((p[:, j] - yt[:, j]) ** 2)) for j in range(len(genes))]
            r2s = [float(1 - np.sum((yt[:, j] - p[:, j]) ** 2) / np.sum((yt[:, j] - yt[:, j].mean()) ** 2)) for j in range(len(genes))]
            corr = [float(pearsonr(yt[:, j], p[:, j])[0]) for j in range(len(genes))]
            rho = [float(spearmanr(yt[:, j], p[:, j])[0]) for j in range(len(genes))]
            q = p + y.mean(0)
            r2i = [float(1 - np.sum((yt[:, j] - q[:, j]) ** 2) / np.sum((yt[:, j] - yt[:, j].mean()) ** 2)) for j in range(len(genes))]
            per_sample = []
            for s in dict.fromkeys(ids):
                m = ids == s
                r = [pearsonr(yt[m, j], p[m, j])[0] if np.ptp(yt[m, j]) > 0 else 0 for j in range(len(genes))]
                per_sample.append({"sample_id": str(s), "n": int(m.sum()), "pearson_mean": float(np.mean(r)),
                                   "undefined_genes": int(sum(np.ptp(yt[m, j]) == 0 for j in range(len(genes))))})
            results = {
                "l2_errors": errors, "r2_scores": r2s,
                "pearson_corrs": [{"name": g, "pearson_corr": c} for g, c in zip(genes, corr)],
                "pearson_mean": float(np.mean(corr)), "pearson_std": float(np.std(corr)),
                **{f"l2_error_q{k}": float(np.percentile(errors, 25 * k)) for k in (1, 2, 3)},
                **{f"r2_score_q{k}": float(np.percentile(r2s, 25 * k)) for k in (1, 2, 3)},
                "spearman_corrs": [{"name": g, "spearman_corr": c} for g, c in zip(genes, rho)],
                "spearman_mean": float(np.mean(rho)), "r2_scores_intercept": r2i, "per_sample": per_sample,
                "per_sample_pearson_mean": float(np.mean([s["pearson_mean"] for s in per_sample])),
                "alpha": alpha, "components": components, "degenerate": [],
            }
            files[f"SYN/{encoder}/split{i}/results.json"] = results
            files[f"SYN/{encoder}/split{i}/summary.json"] = {"n_train": len(x), "n_test": len(xt), **results}
            all_results.append(results)
            beside.setdefault(encoder, []).append({
                "headline": cross_validated(x, z, own, xt, zt, ids), "raw": plain(x, y, xt, yt, ids),
                "raw_lsqr": plain(x, y, xt, yt, ids, "lsqr"),
                "depth": depth_only(y, t, yt, tt, ids), "headline_depth": cross_validated(t, z, own, tt, zt, ids),
                "training_mean_r2": r2(np.tile(z.mean(0), (len(zt), 1)), zt),
            })
            apart.setdefault(encoder, []).append(literal(x, y, xt, yt, components))
        per_gene = {}
        for results in all_results:
            for item in results["pearson_corrs"]:
                per_gene.setdefault(item["name"], []).append(item["pearson_corr"])
        rows = [{"name": g, "pearson_corrs": v, "mean": float(np.mean(v)), "std": float(np.std(v))} for g, v in per_gene.items()]
        means = [results["pearson_mean"] for results in all_results]
        files[f"SYN/{encoder}/results_kfold.json"] = {
            "pearson_corrs": sorted(rows, key=lambda r: r["mean"], reverse=True),
            "pearson_mean": float(np.mean(means)), "pearson_std": float(np.std(means)), "mean_per_split": means,
        }
        enc_perfs.append({"encoder_name": encoder, "pearson_mean": float(np.mean(means)), "pearson_std": float(np.std(means))})
    enc_perfs.sort(key=lambda r: r["pearson_mean"], reverse=True)
    files["SYN/enc_results.json"] = {"results": enc_perfs}
    files["dataset_results.json"] = {"results": [{"dataset_name": "SYN", "results": enc_perfs}],
                                     "average": {r["encoder_name"]: r["pearson_mean"] for r in enc_perfs}}
    columns = [c for r in enc_perfs for c in (r["encoder_name"] + "_mean", r["encoder_name"] + "_std")]
    values = [v for r in enc_perfs for v in (r["pearson_mean"], r["pearson_std"])]
    fixture = {"files": files, "csv": {"columns": ["", "dataset", *columns], "row": [0, "SYN", *values]}, "literal": apart, "beside": beside}
    path = pathlib.Path(__file__).parents[1] / "fixtures/eval/hest_bench.json"
    path.write_text(json.dumps(shortened(fixture), separators=(",", ":")) + "\n")
    print(path, path.stat().st_size, "bytes")
    for encoder in ENCODERS:
        exact = files[f"SYN/{encoder}/results_kfold.json"]["mean_per_split"]
        print(encoder, "LSQR less exact, raw:", [f"{b['raw_lsqr']['pearson'] - b['raw']['pearson']:+.1e}" for b in beside[encoder]])
        print(encoder, "literal less exact:", [f"{a - b:+.1e}" for a, b in zip(apart[encoder], exact)])


def shortened(value):
    if isinstance(value, float):
        return float(f"{value:.11g}")
    if isinstance(value, dict):
        return {k: shortened(v) for k, v in value.items()}
    return [shortened(v) for v in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
