"""Makes tests/fixtures/bulk_train.json: 30 training steps of both arms on bulk RNA in PyTorch, and worked numbers of their loss.

The engine repeats the steps from the same start, on the same bags in the same order, and must give the same losses. Runs are made
in float64; the distance of a float32 run is kept beside as the rounding that a correct float32 engine may show.

    python tests/python/bulk_train.py            write the fixture
    python tests/python/bulk_train.py --check    run again, compare with the committed file, write nothing

Needs torch from PyPI. CPU, one thread, deterministic; a few seconds.

Everything that is random elsewhere is a formula here: tensor t with number s has elements c * sin(1.7 k + s), k row-major,
  parameters   in the order of `start`, s = 1.1 * place, c = 0.3 for matrices, 0.1 for vectors; factors of norms are 1 + that
  tile (n, i)  s = 0.3 + n + 0.7 i, c = 1; genes of patient n: s = 0.9 + 1.3 n, c = 1
Step t takes bags t * batch .. (t + 1) * batch - 1 modulo `bags`, `tiles` tiles each; bags 2 m and 2 m + 1 are of patient m where
m mod 3 = 0, else each of its own; the expression is the bag's own number's. No dropout. AdamW, betas .9 and .999, eps 1e-8, weight
decay 1e-2 on matrices, rate of step t of 30: lr (1 + cos(pi t / 30)) / 2.
"""

from __future__ import annotations

import math
import sys

import torch
import torch.nn.functional as F

from waves import finish, relative, wave

DIM, GENES, HIDDEN, ATTENTION, RNA, WIDTH, BATCH, TILES, BAGS, STEPS, DECAY, LR, TEMPERATURE = 10, 14, 6, 5, 9, 7, 8, 3, 24, 30, 1e-2, 3e-3, 0.07
RUNS = {
    "direct, mean": ("direct", "mean"),
    "contrastive, mean": ("contrastive", "mean"),
    "contrastive, gated": ("contrastive", "gated"),
}


def shapes(arm: str, aggregate: str) -> dict[str, tuple[int, ...]]:
    out = {"tiles.norm.weight": (DIM,), "tiles.norm.bias": (DIM,), "tiles.1.weight": (HIDDEN, DIM), "tiles.1.bias": (HIDDEN,)}
    out |= {"tiles.2.weight": (DIM, HIDDEN), "tiles.2.bias": (DIM,)}
    if aggregate == "gated":
        for name in "VU":
            out |= {f"attention.{name}.weight": (ATTENTION, DIM), f"attention.{name}.bias": (ATTENTION,)}
        out |= {"attention.w.weight": (1, ATTENTION), "attention.w.bias": (1,)}
    if arm == "direct":
        return out | {"head.weight": (GENES, DIM), "head.bias": (GENES,)}
    out |= {"image.weight": (WIDTH, DIM), "image.bias": (WIDTH,)}
    for place, (a, b) in {0: (RNA, GENES), 4: (RNA, RNA)}.items():
        out |= {f"rna.{place}.weight": (a, b), f"rna.{place}.bias": (a,)}
        out |= {f"rna.{place + 1}.weight": (a,), f"rna.{place + 1}.bias": (a,)}
    return out | {"rna.8.weight": (WIDTH, RNA), "rna.8.bias": (WIDTH,), "logit_scale": (1,)}


def start(arm: str, aggregate: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    out = {}
    for place, (name, shape) in enumerate(shapes(arm, aggregate).items()):
        value = wave(shape, 1.1 * place, 0.3 if len(shape) > 1 else 0.1)
        if name in ("tiles.norm.weight", "rna.1.weight", "rna.5.weight"):
            value = 1 + value
        if name == "logit_scale":
            value = torch.tensor([math.log(1 / TEMPERATURE)])
        out[name] = value.to(dtype).requires_grad_(True)
    return out


def patient(n: int) -> int:
    return n // 2 * 2 if n // 2 % 3 == 0 else n


def clip(a: torch.Tensor, c: torch.Tensor, scale: torch.Tensor, patients: list[int]) -> torch.Tensor:
    s = a @ c.T * scale
    same = torch.tensor([[i != j and p == q for j, q in enumerate(patients)] for i, p in enumerate(patients)])
    s = s.masked_fill(same, -torch.inf)
    labels = torch.arange(len(patients))
    return (F.cross_entropy(s, labels) + F.cross_entropy(s.T, labels)) / 2


def loss_of(arm: str, aggregate: str, p: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor, patients: list[int]) -> torch.Tensor:
    linear = lambda name, v: F.linear(v, p[f"{name}.weight"], p[f"{name}.bias"])
    norm = lambda name, v: F.layer_norm(v, (v.shape[-1],), p[f"{name}.weight"], p[f"{name}.bias"], 1e-5)
    h = x + linear("tiles.2", F.gelu(linear("tiles.1", norm("tiles.norm", x))))
    if aggregate == "mean":
        u = h.mean(1)
    else:
        score = linear("attention.w", torch.tanh(linear("attention.V", h)) * torch.sigmoid(linear("attention.U", h)))
        u = (torch.softmax(score, 1) * h).sum(1)
    if arm == "direct":
        return ((linear("head", u) - y) ** 2).mean()
    a = F.normalize(linear("image", u), dim=1)
    v = F.relu(norm("rna.1", linear("rna.0", y)))
    v = F.relu(norm("rna.5", linear("rna.4", v)))
    c = F.normalize(linear("rna.8", v), dim=1)
    return clip(a, c, p["logit_scale"].exp().clamp(max=100), patients)


def run(arm: str, aggregate: str, dtype: torch.dtype) -> list[float]:
    p = start(arm, aggregate, dtype)
    groups = [{"params": [v for v in p.values() if v.dim() > 1], "weight_decay": DECAY}, {"params": [v for v in p.values() if v.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LR)
    losses = []
    for t in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = LR * (1 + math.cos(math.pi * t / STEPS)) / 2
        bags = [(t * BATCH + b) % BAGS for b in range(BATCH)]
        x = torch.stack([torch.stack([wave((DIM,), 0.3 + n + 0.7 * i, 1.0) for i in range(TILES)]) for n in bags]).to(dtype)
        y = torch.stack([wave((GENES,), 0.9 + 1.3 * n, 1.0) for n in bags]).to(dtype)
        loss = loss_of(arm, aggregate, p, x, y, [patient(n) for n in bags])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def make() -> dict:
    runs = {}
    for name, (arm, aggregate) in RUNS.items():
        exact, single = run(arm, aggregate, torch.float64), run(arm, aggregate, torch.float32)
        runs[name] = {"arm": arm, "aggregate": aggregate, "losses": exact, "rounding": max(abs(a - b) / b for a, b in zip(single, exact))}
    a = F.normalize(torch.tensor([[1, 0], [0.6, 0.8], [0.9, 0.1]], dtype=torch.float64), dim=1)
    c = F.normalize(torch.tensor([[0.8, 0.6], [0, 1], [1, -0.2]], dtype=torch.float64), dim=1)
    scale = torch.tensor(1 / 0.07, dtype=torch.float64)
    worked = {"plain": clip(a, c, scale, [0, 1, 2]).item(), "masked": clip(a, c, scale, [0, 1, 0]).item()}
    sizes = {"dim": DIM, "genes": GENES, "hidden": HIDDEN, "attention": ATTENTION, "rna": RNA, "width": WIDTH, "batch": BATCH}
    sizes |= {"tiles": TILES, "bags": BAGS, "steps": STEPS, "decay": DECAY, "lr": LR, "temperature": TEMPERATURE}
    return {**sizes, "runs": runs, "worked": worked}


if __name__ == "__main__":
    sys.exit(finish("bulk_train.json", make, relative, 1e-10))
