"""Makes tests/fixtures/spade_train.json: 30 training steps of one SPADE expert in PyTorch, and worked numbers of its parts.

The engine repeats the steps from the same start, on the same pairs in the same order, and must give the same losses. Runs are
made in float64; the distance of a float32 run is kept beside as the rounding that a correct float32 engine may show.

    python tests/python/spade_train.py            write the fixture
    python tests/python/spade_train.py --check    run again, compare with the committed file, write nothing

Needs torch from PyPI. CPU, one thread, deterministic; a few seconds.

Everything that is random elsewhere is a formula here: tensor t with number s has elements c * sin(1.7 k + s), k row-major,
  parameters   img.w1 img.b1 img.w2 img.b2 img.ln_g img.ln_b gene.w1 ..., s = 1.1 * place, c = 0.5 for w, 0.1 for b; ln 1 and 0
  pair n       image s = 0.3 + n, c = 1; genes s = 0.7 + 1.3 n, c = 1, to which 0.5 * image[k mod d] is added
Step t takes pairs t * batch .. (t + 1) * batch - 1, all modulo `pairs`. Loss: soft targets, T = 1, not detached, no lengths of
one. AdamW on all parameters, betas .9 and .999, eps 1e-8, weight decay 1e-2, rate of step t of 30: lr (1 + cos(pi t / 30)) / 2.
"""

from __future__ import annotations

import math
import sys

import torch
import torch.nn.functional as F

from waves import finish, relative, wave

IMAGE, GENES, WIDTH, BATCH, PAIRS, STEPS, DECAY = 12, 20, 8, 16, 64, 30, 1e-2
RUNS = {"T 1": {"lr": 1e-3, "T": 1.0}, "T 0.5, large steps": {"lr": 1e-2, "T": 0.5}}
NAMES = ["w1", "b1", "w2", "b2", "ln_g", "ln_b"]


def start(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    out = {}
    for side, width in (("img", IMAGE), ("gene", GENES)):
        shapes = {"w1": (WIDTH, width), "w2": (WIDTH, WIDTH)}
        for name in NAMES:
            shape = shapes.get(name, (WIDTH,))
            if name.startswith("ln"):
                value = torch.full(shape, 1.0 if name == "ln_g" else 0.0)
            else:
                value = wave(shape, 1.1 * len(out), 0.5 if name[0] == "w" else 0.1)
            out[f"{side}.{name}"] = value.to(dtype).requires_grad_(True)
    return out


def head(p: dict[str, torch.Tensor], side: str, x: torch.Tensor) -> torch.Tensor:
    u = F.linear(x, p[f"{side}.w1"], p[f"{side}.b1"])
    y = u + F.linear(F.gelu(u), p[f"{side}.w2"], p[f"{side}.b2"])
    return F.layer_norm(y, (y.shape[1],), p[f"{side}.ln_g"], p[f"{side}.ln_b"], 1e-5)


def loss_of(i: torch.Tensor, s: torch.Tensor, T: float, detach: bool = False) -> torch.Tensor:
    z = s @ i.T / T
    q = torch.softmax((i @ i.T + s @ s.T) / 2 * T, 1)
    q = q.detach() if detach else q
    spot = -(q * torch.log_softmax(z, 1)).sum(1)
    img = -(q * torch.log_softmax(z, 0)).sum(0)
    return (spot + img).mean() / 2


def pair(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    image = wave((IMAGE,), 0.3 + n, 1.0)
    genes = wave((GENES,), 0.7 + 1.3 * n, 1.0) + 0.5 * image[torch.arange(GENES) % IMAGE]
    return image, genes


def run(lr: float, T: float, dtype: torch.dtype) -> tuple[list[float], dict[str, list[float]]]:
    p = start(dtype)
    optimizer = torch.optim.AdamW(list(p.values()), lr=lr, weight_decay=DECAY)
    losses = []
    for t in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 + math.cos(math.pi * t / STEPS)) / 2
        pairs = [pair((t * BATCH + i) % PAIRS) for i in range(BATCH)]
        image = torch.stack([a for a, _ in pairs]).to(dtype)
        genes = torch.stack([b for _, b in pairs]).to(dtype)
        loss = loss_of(head(p, "img", image), head(p, "gene", genes), T)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: p[name].detach().double().flatten()[:4].tolist() for name in ("img.w1", "gene.w2", "img.ln_g")}


def worked() -> dict:
    """The loss and its gradients, and a head, in float64."""
    i = torch.tensor([[1, 0.5], [-0.5, 1], [0.2, -1.2]], dtype=torch.float64)
    s = torch.tensor([[0.8, 0.1], [-0.2, 0.9], [0.4, -0.7]], dtype=torch.float64)
    out = []
    for T, detach in ((1.0, False), (1.0, True), (0.5, False)):
        a, b = i.clone().requires_grad_(True), s.clone().requires_grad_(True)
        loss = loss_of(a, b, T, detach)
        loss.backward()
        out.append({"T": T, "detach": detach, "loss": loss.item(), "image": a.grad.flatten().tolist(), "gene": b.grad.flatten().tolist()})
    wave64 = lambda shape, sh, c: wave(shape, sh, c, torch.float64)
    p = {
        "img.w1": wave64((3, 3), 0.1, 0.6), "img.b1": wave64((3,), 2.1, 0.1), "img.w2": wave64((3, 3), 0.7, 0.6),
        "img.b2": wave64((3,), 2.9, 0.1), "img.ln_g": torch.ones(3, dtype=torch.float64), "img.ln_b": torch.zeros(3, dtype=torch.float64),
    }
    y = head(p, "img", wave64((2, 3), 1.3, 1.0))
    return {"loss": out, "head": y.flatten().tolist()}


def make() -> dict:
    runs = {}
    for name, given in RUNS.items():
        exact, final = run(given["lr"], given["T"], torch.float64)
        single, _ = run(given["lr"], given["T"], torch.float32)
        runs[name] = {**given, "losses": exact, "rounding": max(abs(a - b) / b for a, b in zip(single, exact)), "final": final}
    sizes = {"image": IMAGE, "genes": GENES, "width": WIDTH, "batch": BATCH, "pairs": PAIRS, "steps": STEPS, "decay": DECAY}
    return {**sizes, "runs": runs, "worked": worked()}


if __name__ == "__main__":
    sys.exit(finish("spade_train.json", make, relative, 1e-10))
