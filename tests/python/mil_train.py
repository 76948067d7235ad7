"""Makes tests/fixtures/mil_train.json: 20 training steps of slide-level models in PyTorch, without dropout.

The engine repeats the steps from the same start, on the same bags in the same order, and must give the same losses.
Every run is made in float32 and again in float64 from the same float32 start; the distance between the two, kept in
the JSON, is the rounding error that a correct float32 engine may show.

    python tests/python/mil_train.py            write the fixture
    python tests/python/mil_train.py --check    run again, compare with the committed file, write nothing

Needs torch from PyPI. CPU, one thread, deterministic; a few seconds.

Everything that is random elsewhere is a formula here: tensor t with number s has elements c * sin(1.7 k + s), k row-major,
  parameters   in the order of state_dict below, s = 1.1 * place, c = 0.5 for weights and 0.1 for biases
  bag n        s = 0.3 + n, c = 1, plus 0.5 * label in its first column; 1 + (37 n) mod 61 rows, or 1 where n mod 7 = 3
  label of n   (5 n + n div 3) mod 3
Step t takes bags t * batch .. (t + 1) * batch - 1.

Models (`width` d, `hidden` L, K classes, exact GELU)
  rows     h = GELU(W1 x + b1)                    d -> d, not in meanmil
  score    s = w . tanh(V h + b_V) + b_w          gated: w . (tanh(V h + b_V) * sigmoid(U h + b_U)) + b_w
  pooling  u = sum over rows of softmax(s) h, or the mean of x; several heads side by side, then Linear(heads d, d)
  slide    z = GELU(W2 u + b2);  logits = W3 z + b3
Loss: sum over bags of w[label] * cross-entropy / batch. AdamW on all parameters, betas .9 and .999, eps 1e-8, weight
decay 1e-5, rate of step t of 20: 1e-8 + (lr - 1e-8) (1 + cos(pi t / 20)) / 2.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "mil_train.json"
WIDTH, HIDDEN, CLASSES, STEPS, DECAY, LOWEST = 16, 8, 3, 20, 1e-5, 1e-8
RUNS = {
    "abmil": {"model": "abmil", "heads": 1, "batch": 1, "lr": 3e-4, "weights": None},
    "gated": {"model": "gated", "heads": 1, "batch": 1, "lr": 3e-4, "weights": None},
    "meanmil": {"model": "meanmil", "heads": 1, "batch": 1, "lr": 3e-4, "weights": None},
    "abmil, two heads, three bags a step, class weights": {
        "model": "abmil", "heads": 2, "batch": 3, "lr": 1e-2, "weights": [0.5, 1.0, 2.5],
    },
    "gated, two heads, three bags a step": {"model": "gated", "heads": 2, "batch": 3, "lr": 1e-2, "weights": None},
}


def wave(shape: tuple[int, ...], s: float, c: float) -> torch.Tensor:
    k = torch.arange(math.prod(shape), dtype=torch.float64)
    return (c * torch.sin(1.7 * k + s)).to(torch.float32).reshape(shape)


def bag(n: int) -> tuple[torch.Tensor, int]:
    rows = 1 if n % 7 == 3 else 1 + (37 * n) % 61
    label = (5 * n + n // 3) % CLASSES
    x = wave((rows, WIDTH), 0.3 + n, 1.0)
    x[:, 0] += 0.5 * label
    return x, label


class Head(nn.Module):
    def __init__(self, gated: bool) -> None:
        super().__init__()
        self.V = nn.Linear(WIDTH, HIDDEN)
        if gated:
            self.U = nn.Linear(WIDTH, HIDDEN)
        self.w = nn.Linear(HIDDEN, 1)
        self.gated = gated

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        a = torch.tanh(self.V(h))
        if self.gated:
            a = a * torch.sigmoid(self.U(h))
        return self.w(a)


class Mil(nn.Module):
    def __init__(self, model: str, heads: int) -> None:
        super().__init__()
        self.attends = model != "meanmil"
        if self.attends:
            self.rows = nn.Linear(WIDTH, WIDTH)
            self.attention = nn.ModuleList([Head(model == "gated") for _ in range(heads)])
        if heads > 1:
            self.heads = nn.Linear(heads * WIDTH, WIDTH)
        self.slide = nn.Linear(WIDTH, WIDTH)
        self.output = nn.Linear(WIDTH, CLASSES)
        self.count = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.attends:
            h = F.gelu(self.rows(x))
            u = torch.cat([(torch.softmax(head(h), 0) * h).sum(0) for head in self.attention])
        else:
            u = x.mean(0)
        if self.count > 1:
            u = self.heads(u)
        return self.output(F.gelu(self.slide(u)))


def train(run: dict, dtype: torch.dtype) -> tuple[list[float], dict[str, list[float]]]:
    model = Mil(run["model"], run["heads"])
    with torch.no_grad():
        for place, (name, tensor) in enumerate(model.state_dict().items()):
            tensor.copy_(wave(tuple(tensor.shape), 1.1 * place, 0.5 if name.endswith("weight") else 0.1))
    model.to(dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=run["lr"], weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=LOWEST)
    weights = run["weights"] or [1.0] * CLASSES
    losses = []
    for t in range(STEPS):
        total = torch.zeros((), dtype=dtype)
        for n in range(t * run["batch"], (t + 1) * run["batch"]):
            x, label = bag(n)
            total = total + weights[label] * F.cross_entropy(model(x.to(dtype))[None], torch.tensor([label]))
        loss = total / run["batch"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    final = {name: [round(v, 7) for v in t.flatten().tolist()] for name, t in model.state_dict().items()
             if name in ("output.weight", "slide.bias", "attention.0.w.weight")}
    return losses, final


def make() -> dict:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    out = {"torch": torch.__version__, "width": WIDTH, "hidden": HIDDEN, "classes": CLASSES, "steps": STEPS, "runs": {}}
    for name, run in RUNS.items():
        (losses, final), (exact, _) = train(run, torch.float32), train(run, torch.float64)
        apart = max(abs(a - b) for a, b in zip(losses, exact))
        out["runs"][name] = {**run, "losses": [round(v, 8) for v in exact], "rounding": apart, "final": final}
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    made = make()
    if not parser.parse_args().check:
        FIXTURE.write_text(json.dumps(made, indent=1) + "\n")
        return
    kept = json.loads(FIXTURE.read_text())["runs"]
    for name, run in made["runs"].items():
        apart = max(abs(a - b) for a, b in zip(run["losses"], kept[name]["losses"]))
        print(f"{name}: {apart:.1e} from the committed losses, {run['rounding']:.1e} between float32 and float64")
        if apart > 1e-6:
            sys.exit(1)


if __name__ == "__main__":
    main()
