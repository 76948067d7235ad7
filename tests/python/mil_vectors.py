"""Worked numbers of slide-level models and survival losses in PyTorch float64, with all digits.

    pip install torch
    python tests/python/mil_vectors.py            # writes tests/fixtures/mil_vectors.json
    python tests/python/mil_vectors.py --check    # compares with it

Tensor with seed s and scale c: element k is c sin(1.7 k + s). d = 4, 3 wide attention, 5 rows, 3 classes, label 2, no dropout,
exact GELU. CLAM: rows 4 -> 6 ReLU, gated attention 3 wide, 17 rows, 3 instances on each side, bag weight 0.7; with three classes the
highest rows are also instances of "not" of the other classes, and all that is divided by the classes.
"""

from __future__ import annotations

import sys

import torch
import torch.nn.functional as F

import waves

torch.set_default_dtype(torch.float64)


def wave(shape, s, c=1.0):
    return waves.wave(shape, s, c, torch.float64)


def flat(t):
    return t.detach().flatten().tolist()


def attention_model(gated):
    p = {
        "rows.weight": wave((4, 4), 1.1, 0.5), "rows.bias": wave((4,), 2.2, 0.1),
        "attention.0.V.weight": wave((3, 4), 3.3, 0.5), "attention.0.V.bias": wave((3,), 4.4, 0.1),
        "attention.0.w.weight": wave((1, 3), 5.5, 0.7), "attention.0.w.bias": torch.tensor([0.05]),
        "slide.weight": wave((4, 4), 6.6, 0.5), "slide.bias": wave((4,), 7.7, 0.1),
        "output.weight": wave((3, 4), 8.8, 0.5), "output.bias": wave((3,), 9.9, 0.1),
    }
    if gated:
        p |= {"attention.0.U.weight": wave((3, 4), 0.9, 0.5), "attention.0.U.bias": wave((3,), 1.9, 0.1)}
    p["x"] = wave((5, 4), 0.3)
    for t in p.values():
        t.requires_grad_()
    h = F.gelu(F.linear(p["x"], p["rows.weight"], p["rows.bias"]))
    a = torch.tanh(F.linear(h, p["attention.0.V.weight"], p["attention.0.V.bias"]))
    if gated:
        a = a * torch.sigmoid(F.linear(h, p["attention.0.U.weight"], p["attention.0.U.bias"]))
    s = F.linear(a, p["attention.0.w.weight"], p["attention.0.w.bias"])[:, 0]
    weights = torch.softmax(s, 0)
    slide = F.gelu(F.linear(weights @ h, p["slide.weight"], p["slide.bias"]))
    logits = F.linear(slide, p["output.weight"], p["output.bias"])
    loss = F.cross_entropy(logits[None], torch.tensor([2]))
    loss.backward()
    return {"weights": flat(weights), "slide": flat(slide), "logits": flat(logits), "loss": loss.item(),
            "gradients": {name: flat(t.grad) for name, t in p.items()}}


def clam(classes, label, sides=3, rows=17):
    p = {
        "rows.weight": wave((6, 4), 1.1, 0.5), "rows.bias": wave((6,), 2.2, 0.1),
        "attention.0.V.weight": wave((3, 6), 3.3, 0.5), "attention.0.V.bias": wave((3,), 4.4, 0.1),
        "attention.0.U.weight": wave((3, 6), 0.9, 0.5), "attention.0.U.bias": wave((3,), 1.9, 0.1),
        "attention.0.w.weight": wave((1, 3), 5.5, 0.7), "attention.0.w.bias": torch.tensor([0.05]),
        "output.weight": wave((classes, 6), 8.8, 0.5), "output.bias": wave((classes,), 9.9, 0.1),
        "instances.weight": wave((2 * classes, 6), 10.1, 0.5), "instances.bias": wave((2 * classes,), 11.2, 0.1),
    }
    p["x"] = wave((rows, 4), 0.3)
    for t in p.values():
        t.requires_grad_()
    h = F.relu(F.linear(p["x"], p["rows.weight"], p["rows.bias"]))
    a = torch.tanh(F.linear(h, p["attention.0.V.weight"], p["attention.0.V.bias"]))
    a = a * torch.sigmoid(F.linear(h, p["attention.0.U.weight"], p["attention.0.U.bias"]))
    s = F.linear(a, p["attention.0.w.weight"], p["attention.0.w.bias"])[:, 0]
    weights = torch.softmax(s, 0)
    logits = F.linear(weights @ h, p["output.weight"], p["output.bias"])
    bag = F.cross_entropy(logits[None], torch.tensor([label]))
    # As CLAM_SB: a classifier of two a class; of the bag's class both sides, of others, with subtyping, the highest.
    high, low = torch.topk(s, sides).indices, torch.topk(-s, sides).indices
    instance = torch.zeros(())
    for c in range(classes):
        one = lambda at: F.linear(h[at], p["instances.weight"][2 * c:2 * c + 2], p["instances.bias"][2 * c:2 * c + 2])
        if c == label:
            both = torch.cat([one(high), one(low)])
            instance = instance + F.cross_entropy(both, torch.tensor([1] * sides + [0] * sides))
        elif classes > 2:
            instance = instance + F.cross_entropy(one(high), torch.zeros(sides, dtype=torch.long))
    if classes > 2:
        instance = instance / classes
    loss = 0.7 * bag + 0.3 * instance
    loss.backward()
    return {"classes": classes, "label": label, "high": high.tolist(), "low": low.tolist(), "weights": flat(weights),
            "logits": flat(logits), "bag": bag.item(), "instance": instance.item(), "loss": loss.item(),
            "gradients": {name: flat(t.grad) for name, t in p.items()}}


def cox(ties):
    t = torch.tensor([5., 3, 8, 3, 6, 2, 7, 6])
    event = torch.tensor([1, 1, 0, 1, 1, 0, 1, 0])
    eta = torch.tensor([.2, -.5, .1, .7, 0, .3, -.4, .6], requires_grad=True)
    loss = torch.zeros(())
    for time in sorted(set(t[event == 1].tolist())):
        tied = [i for i in range(8) if event[i] and t[i] == time]
        at_risk = torch.exp(eta[t >= time]).sum()
        for l, i in enumerate(tied):
            less = l / len(tied) * torch.exp(eta[tied]).sum() if ties == "efron" else 0
            loss = loss - (eta[i] - torch.log(at_risk - less))
    loss = loss / event.sum()
    loss.backward()
    return {"times": t.tolist(), "events": event.tolist(), "eta": flat(eta), "loss": loss.item(), "gradient": flat(eta.grad)}


def discrete():
    x = torch.tensor([[.2, -.3, .5, -.1], [-.4, .1, .3, .6], [0, .7, -.2, .4]], requires_grad=True)
    bins, events = [1, 3, 0], [1, 0, 1]
    h = torch.sigmoid(x)
    cases = []
    for i, (y, e) in enumerate(zip(bins, events)):
        upto = y if e else y + 1
        cases.append(-torch.log(1 - h[i, :upto]).sum() - (torch.log(h[i, y]) if e else 0))
    mean = torch.stack(cases).mean()
    mean.backward()
    risks = -torch.cumprod(1 - h, 1).sum(1)
    return {"logits": flat(x), "intervals": bins, "events": events, "cases": flat(torch.stack(cases)), "mean": mean.item(),
            "risks": flat(risks), "gradient": flat(x.grad)}


def make():
    return {"torch": torch.__version__, "abmil": attention_model(False), "gated": attention_model(True),
            "clam": [clam(2, 1), clam(3, 0)], "cox": {ties: cox(ties) for ties in ("breslow", "efron")},
            "discrete": discrete()}


def apart(a, b):
    if isinstance(a, dict):
        return max(apart(a[k], b[k]) for k in a if k != "torch")
    if isinstance(a, list):
        return max([apart(x, y) for x, y in zip(a, b)], default=0)
    return abs(a - b)


if __name__ == "__main__":
    sys.exit(waves.finish("mil_vectors.json", make, lambda made, known: {"all": apart(made, known)}, 1e-12))
