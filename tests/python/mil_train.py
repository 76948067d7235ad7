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
  clam     h = ReLU(W1 x + b1), d -> 12; gated; logits = W3 u + b3; two logits a class of each row
Other goals: Cox's partial likelihood of a batch by Efron, discrete survival in 4 intervals, squared error of 2 numbers. Bag n is
observed until 1 + 13 n mod 17, with an event unless n mod 3 = 1, in interval 3 n mod 4; its numbers are sin n and cos 2n.
Trained to the end (`trained`): 200 steps of one bag, step t takes bag t mod 40, rate 3e-3 by cosine over all steps; then the
probabilities of bags 100 .. 159.
Loss: sum over bags of w[label] * cross-entropy / batch. AdamW on all parameters, betas .9 and .999, eps 1e-8, weight
decay 1e-5, rate of step t of 20: 1e-8 + (lr - 1e-8) (1 + cos(pi t / 20)) / 2.
"""

from __future__ import annotations

import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

from waves import finish, wave

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

GOALS = {
    "clam": {"model": "clam", "goal": "classes", "batch": 1, "lr": 3e-3},
    "clam, three bags a step": {"model": "clam", "goal": "classes", "batch": 3, "lr": 1e-2},
    "gated, Cox, eight bags a step": {"model": "gated", "goal": "cox", "batch": 8, "lr": 3e-3},
    "abmil, discrete survival": {"model": "abmil", "goal": "hazards", "batch": 1, "lr": 3e-3},
    "meanmil, numbers, two bags a step": {"model": "meanmil", "goal": "numbers", "batch": 2, "lr": 3e-3},
}
INTERVALS, CLAM_WIDTH, SIDES, WHOLE = 4, 12, 8, 200


def bag(n: int) -> tuple[torch.Tensor, int]:
    rows = 1 if n % 7 == 3 else 1 + (37 * n) % 61
    label = (5 * n + n // 3) % CLASSES
    x = wave((rows, WIDTH), 0.3 + n, 1.0)
    x[:, 0] += 0.5 * label
    return x, label


class Head(nn.Module):
    def __init__(self, gated: bool, width: int = WIDTH) -> None:
        super().__init__()
        self.V = nn.Linear(width, HIDDEN)
        if gated:
            self.U = nn.Linear(width, HIDDEN)
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


class Goal(nn.Module):
    """A model of one head with the outputs of its goal."""

    def __init__(self, model: str, outputs: int) -> None:
        super().__init__()
        self.model, self.outputs = model, outputs
        width = CLAM_WIDTH if model == "clam" else WIDTH
        if model != "meanmil":
            self.rows = nn.Linear(WIDTH, width)
            self.attention = nn.ModuleList([Head(model in ("gated", "clam"), width)])
        if model != "clam":
            self.slide = nn.Linear(width, width)
        self.output = nn.Linear(width, outputs)
        if model == "clam":
            self.instances = nn.Linear(width, 2 * outputs)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if self.model == "meanmil":
            return self.output(F.gelu(self.slide(x.mean(0)))), x, x[:, 0]
        h = (F.relu if self.model == "clam" else F.gelu)(self.rows(x))
        s = self.attention[0](h)
        u = (torch.softmax(s, 0) * h).sum(0)
        return self.output(u if self.model == "clam" else F.gelu(self.slide(u))), h, s[:, 0]

    def instance_loss(self, h: torch.Tensor, s: torch.Tensor, label: int) -> torch.Tensor:
        m = min(SIDES, len(s) // 2)
        total = torch.zeros((), dtype=h.dtype)
        if m == 0:
            return total
        # The first of equal scores is the higher.
        order = sorted(range(len(s)), key=lambda j: (-s[j].item(), j))
        high, low = h[order[:m]], h[order[-m:]]
        for c in range(self.outputs):
            one = lambda rows: self.instances(rows)[:, 2 * c:2 * c + 2]
            if c == label:
                total = total + F.cross_entropy(torch.cat([one(high), one(low)]), torch.tensor([1] * m + [0] * m))
            else:
                total = total + F.cross_entropy(one(high), torch.zeros(m, dtype=torch.long))
        return total / self.outputs


def follow(n: int) -> tuple[float, int, int]:
    return 1 + (13 * n) % 17, int(n % 3 != 1), (3 * n) % INTERVALS


def goal_loss(model: Goal, goal: str, numbers: list[int], dtype: torch.dtype) -> torch.Tensor:
    said = [model(bag(n)[0].to(dtype)) for n in numbers]
    outputs = torch.stack([one[0] for one in said])
    if goal == "classes":
        each = [0.7 * F.cross_entropy(y[None], torch.tensor([bag(n)[1]])) + 0.3 * model.instance_loss(h, s, bag(n)[1])
                for n, (y, h, s) in zip(numbers, said)]
        return torch.stack(each).mean()
    if goal == "numbers":
        wanted = torch.tensor([[math.sin(n), math.cos(2 * n)] for n in numbers], dtype=dtype)
        return F.mse_loss(outputs, wanted.to(torch.float32).to(dtype))
    if goal == "hazards":
        total = torch.zeros((), dtype=dtype)
        for n, x in zip(numbers, outputs):
            _, event, last = follow(n)
            total = total + F.softplus(x[:last + 1]).sum() - event * x[last]
        return total / len(numbers)
    times, events = [follow(n)[0] for n in numbers], [follow(n)[1] for n in numbers]
    eta, total = outputs[:, 0], torch.zeros((), dtype=dtype)
    for time in sorted({t for t, e in zip(times, events) if e}):
        tied = [i for i in range(len(numbers)) if events[i] and times[i] == time]
        at_risk = [i for i in range(len(numbers)) if times[i] >= time]
        for l, i in enumerate(tied):
            total = total - eta[i] + torch.log(eta[at_risk].exp().sum() - l / len(tied) * eta[tied].exp().sum())
    return total / max(1, sum(events))


def train_goal(run: dict, dtype: torch.dtype) -> list[float]:
    outputs = {"classes": CLASSES, "cox": 1, "hazards": INTERVALS, "numbers": 2}[run["goal"]]
    model = Goal(run["model"], outputs)
    with torch.no_grad():
        for place, (name, tensor) in enumerate(model.state_dict().items()):
            tensor.copy_(wave(tuple(tensor.shape), 1.1 * place, 0.5 if name.endswith("weight") else 0.1))
    model.to(dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=run["lr"], weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=LOWEST)
    losses = []
    for t in range(STEPS):
        loss = goal_loss(model, run["goal"], list(range(t * run["batch"], (t + 1) * run["batch"])), dtype)
        optimizer.zero_grad()
        loss.backward()
        # A row is no instance in a batch of single rows: no gradient is a gradient of 0.
        for p in model.parameters():
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


def train_whole(model_name: str, dtype: torch.dtype) -> list[float]:
    model = Mil(model_name, 1)
    with torch.no_grad():
        for place, (name, tensor) in enumerate(model.state_dict().items()):
            tensor.copy_(wave(tuple(tensor.shape), 1.1 * place, 0.5 if name.endswith("weight") else 0.1))
    model.to(dtype)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, WHOLE, eta_min=LOWEST)
    for t in range(WHOLE):
        x, label = bag(t % 40)
        loss = F.cross_entropy(model(x.to(dtype))[None], torch.tensor([label]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return [p for n in range(100, 160) for p in torch.softmax(model(bag(n)[0].to(dtype)), 0).tolist()]


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
    out = {"torch": torch.__version__, "width": WIDTH, "hidden": HIDDEN, "classes": CLASSES, "steps": STEPS, "runs": {}}
    for name, run in RUNS.items():
        (losses, final), (exact, _) = train(run, torch.float32), train(run, torch.float64)
        apart = max(abs(a - b) for a, b in zip(losses, exact))
        out["runs"][name] = {**run, "losses": [round(v, 8) for v in exact], "rounding": apart, "final": final}
    out |= {"intervals": INTERVALS, "clam_width": CLAM_WIDTH, "goals": {}}
    for name, run in GOALS.items():
        losses, exact = train_goal(run, torch.float32), train_goal(run, torch.float64)
        apart = max(abs(a - b) for a, b in zip(losses, exact))
        out["goals"][name] = {**run, "losses": [round(v, 8) for v in exact], "rounding": apart}
    out["trained"] = {"steps": WHOLE, "lr": 3e-3, "bags": 40, "test": [100, 160], "probabilities": {}}
    for name in ("abmil", "gated", "meanmil"):
        single, exact = train_whole(name, torch.float32), train_whole(name, torch.float64)
        out["trained"]["probabilities"][name] = [round(p, 8) for p in exact]
        print(f"{name}: {max(abs(a - b) for a, b in zip(single, exact)):.1e} between float32 and float64 after training")
    return out


def distances(made: dict, known: dict) -> dict[str, float]:
    kept = known["runs"] | known["goals"]
    return {name: max(abs(a - b) for a, b in zip(run["losses"], kept[name]["losses"], strict=True))
            for name, run in (made["runs"] | made["goals"]).items()}


if __name__ == "__main__":
    sys.exit(finish("mil_train.json", make, distances, 1e-6))
