"""Trains models of bags in PyTorch from given starting weights, on given bags in a given order, without dropout.

    python bench/methods/mil/torch_peer.py FOLDER

FOLDER has what bench/methods/mil/torch.ts writes: features/NAME.h5, runs.json, and the starting weights as safetensors. Prints a
JSON line a run: losses of the first steps, and the macro one-vs-rest AUC of the test bags by scikit-learn. Needs torch, h5py,
safetensors and scikit-learn from PyPI.
"""

from __future__ import annotations

import json
import sys

import h5py
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score


def logits(w: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    lin = lambda name, h: F.linear(h, w[f"{name}.weight"], w[f"{name}.bias"])
    if "rows.weight" in w:
        h = F.gelu(lin("rows", x))
        a = torch.tanh(lin("attention.0.V", h))
        if "attention.0.U.weight" in w:
            a = a * torch.sigmoid(lin("attention.0.U", h))
        u = (torch.softmax(lin("attention.0.w", a), 0) * h).sum(0)
    else:
        u = x.mean(0)
    return lin("output", F.gelu(lin("slide", u)))


def train(folder: str, run: dict) -> dict:
    bags = {}
    for name in run["labels"]:
        with h5py.File(f"{folder}/features/{name}.h5") as file:
            bags[name] = torch.from_numpy(file["features"][:])
    w = {name: value.clone().requires_grad_() for name, value in load_file(f"{folder}/{run['weights']}").items()}
    optimizer = torch.optim.AdamW(list(w.values()), lr=run["lr"], weight_decay=run["weight_decay"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=len(run["order"]), eta_min=run["min_lr"])
    losses = []
    for name in run["order"]:
        loss = F.cross_entropy(logits(w, bags[name])[None], torch.tensor([run["labels"][name]]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    with torch.no_grad():
        said = torch.stack([torch.softmax(logits(w, bags[name]).double(), 0) for name in run["test"]]).numpy()
    truth = [run["labels"][name] for name in run["test"]]
    auc = roc_auc_score(truth, said, multi_class="ovr", average="macro", labels=range(said.shape[1]))
    return {"model": run["model"], "fold": run["fold"], "losses": losses[:20], "auc": float(auc)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = sys.argv[1]
    with open(f"{folder}/runs.json") as file:
        for run in json.load(file):
            print(json.dumps(train(folder, run)), flush=True)
