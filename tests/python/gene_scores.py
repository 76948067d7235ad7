"""Writes tests/fixtures/gene_scores: scores of gene sets by scanpy, on small tables of counts.

    python tests/python/gene_scores.py

Needs scanpy (made with 1.11.5).
"""

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scanpy as sc
import scipy.sparse as sp

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "gene_scores.json"


def case(seed: int, spots: int, genes: int, dense: bool) -> dict:
    rng = np.random.default_rng(seed)
    rate = np.exp(rng.normal(-0.5, 1.2, genes))
    counts = rng.poisson(rate[None, :] * rng.gamma(2.0, 0.5, spots)[:, None]).astype(np.float32)
    counts[:, :3] = 0  # genes nobody expresses
    counts[:, 4] = counts[:, 3]  # equal means
    names = [f"G{i}" for i in range(genes)]
    table = anndata.AnnData(
        counts.copy() if dense else sp.csr_matrix(counts), obs=pd.DataFrame(index=[str(i) for i in range(spots)]),
        var=pd.DataFrame(index=names),
    )
    sc.pp.normalize_total(table, target_sum=1e4)
    sc.pp.log1p(table)
    sizes = [1, 2, 7, min(40, genes // 2)]
    sets = [sorted(rng.choice(genes, size, replace=False).tolist()) for size in sizes] + [[0, 3, 4]]
    scores = []
    for i, of in enumerate(sets):
        sc.tl.score_genes(table, [names[j] for j in of], score_name=f"s{i}")
        scores.append([float(f"{value:.10g}") for value in table.obs[f"s{i}"]])
    kept = [[int(i), int(j), int(counts[i, j])] for i, j in zip(*np.nonzero(counts))]
    return {"spots": spots, "genes": genes, "dense": dense, "counts": [x for one in kept for x in one], "sets": sets,
            "scores": scores}


cases = [case(1, 12, 300, False), case(2, 9, 1600, False), case(3, 15, 10, False), case(4, 8, 400, True)]
OUT.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
print(OUT, OUT.stat().st_size)
