"""Training on bulk RNA through pixels in PyTorch, on the slides of pixels.ts: what each arm's loss and probes do step by step.

    deno run -A scripts/methods/bulk/pixels.ts --folder DIR --world 11 --slides 2160 --arms ""
    pip install torch timm h5py scikit-learn
    python scripts/methods/bulk/pixels_torch.py DIR [--arm contrastive] [--steps 400] [--seed 0] [--donors 405] [--test 700]
        [--negatives 0] [--rate 3e-3]

The first --test donors whose slide is whole are judged and the next --donors train: other parts than pixels.ts has, for more
donors judged. The demo's encoder gets LoRA (rank 16, alpha 32) in its last two blocks; 16 bags of 8 tiles a step. At each
quarter of the steps: the loss of a step's size on training and on judged donors (mean over 20 draws of 16, all tiles), scores of
probes of donors (balanced accuracy of six fields, Pearson of expression), and their mean gain with its interval of 95 % over judged
donors (bootstrap of the probes' answers). --negatives: training donors without a bag in the step whose expression every bag is
told from as well.
"""

import argparse
import csv
import os

import h5py
import numpy as np
import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression, RidgeCV
from torch import nn

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
ENCODER = f"{ROOT}/data/demo/encoder/model.safetensors"
DIM, HEADS, RANK, ALPHA, BAGS, TILES, SPOTS, FIELDS = 96, 3, 16, 32, 16, 8, 9, 6


class Lora(nn.Module):
    """A frozen layer with an update of low rank."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.a = layer, nn.Parameter(torch.empty(RANK, layer.in_features))
        self.b = nn.Parameter(torch.zeros(layer.out_features, RANK))
        nn.init.kaiming_uniform_(self.a, a=5**0.5)

    def merged(self):
        return self.layer.weight + ALPHA / RANK * self.b @ self.a, self.layer.bias

    def forward(self, x):
        return F.linear(x, *self.merged())


def vit():
    model = timm.models.vision_transformer.VisionTransformer(img_size=224, patch_size=16, embed_dim=DIM, depth=4, num_heads=HEADS, num_classes=0, global_pool="token")
    model.load_state_dict(load_file(ENCODER))
    return model.eval().requires_grad_(False)


def features(model, tokens):
    """Class tokens; the last block is computed for them alone."""
    x, last = model.blocks[2](tokens.float()), model.blocks[3]
    y = last.norm1(x)
    qkv = last.attn.qkv
    weight, bias = qkv.merged() if isinstance(qkv, Lora) else (qkv.weight, qkv.bias)
    split = lambda z: z.reshape(len(z), -1, HEADS, DIM // HEADS).transpose(1, 2)
    q, kv = F.linear(y[:, :1], weight[:DIM], bias[:DIM]), F.linear(y, weight[DIM:], bias[DIM:])
    mixed = F.scaled_dot_product_attention(split(q), split(kv[..., :DIM]), split(kv[..., DIM:])).transpose(1, 2)
    x = x[:, :1] + last.attn.proj(mixed.reshape(len(x), 1, DIM))
    return model.norm(x + last.mlp(last.norm2(x)))[:, 0]


def read(folder, wanted):
    """Tokens behind the first two blocks `[donors, SPOTS, 197, DIM]`, counts and labels of the first whole slides."""
    with open(f"{folder}/slides.tsv") as file:
        table = [row for row in csv.DictReader(file, delimiter="\t") if row["fold_0"]][:wanted]
    with open(f"{folder}/rna.tsv") as file:
        head, *rows = csv.reader(file, delimiter="\t")
    counts = np.array([row[1:] for row in rows], float).T
    place = {name: i for i, name in enumerate(head[1:])}
    counts = counts[[place[row["slide_id"]] for row in table]]
    labels = np.array([[row[f"field{f}"] == "more" for f in range(FIELDS)] for row in table])
    model, out = vit(), []
    with torch.no_grad():
        for row in table:
            with h5py.File(f"{folder}/hest/patches/{row['slide_id']}.h5") as file:
                images = torch.from_numpy(file["img"][:]).permute(0, 3, 1, 2).float() / 127.5 - 1
            assert len(images) == SPOTS, f"{row['slide_id']}: {len(images)} patches, expected {SPOTS}"
            x = model.norm_pre(model._pos_embed(model.patch_embed(images)))
            out.append(model.blocks[1](model.blocks[0](x)).half())
    return torch.stack(out), np.log2(counts / counts.sum(1, keepdims=True) * 1e6 + 1), labels


class Probes:
    """Probes of donors on mean features."""

    def __init__(self, rna, labels, train, test):
        self.rna, self.labels, self.train, self.test = rna, labels, train, test

    def answers(self, means):
        x = (means - means[self.train].mean(0)) / (means[self.train].std(0) + 1e-12)
        fit = lambda f: LogisticRegression(C=1, class_weight="balanced", max_iter=2000).fit(x[self.train], self.labels[self.train, f])
        told = np.stack([fit(f).predict(x[self.test]) for f in range(FIELDS)], 1)
        return told, RidgeCV(np.logspace(-1, 5, 13)).fit(x[self.train], self.rna[self.train]).predict(x[self.test])

    def scores(self, answers, chosen):
        told, predicted = answers[0][chosen], answers[1][chosen]
        labels, rna = self.labels[self.test][chosen], self.rna[self.test][chosen]
        right = told == labels
        fields = [(right[labels[:, f], f].mean() + right[~labels[:, f], f].mean()) / 2 for f in range(FIELDS)]
        p, t = predicted - predicted.mean(0), rna - rna.mean(0)
        size = np.sqrt((p**2).sum(0) * (t**2).sum(0))
        return np.array([*fields, np.mean((p * t).sum(0)[size > 0] / size[size > 0])])

    def gain(self, before, after, draws=1000):
        n, rng = len(self.test), np.random.default_rng(0)
        of = lambda chosen: (self.scores(after, chosen) - self.scores(before, chosen)).mean()
        low, high = np.percentile([of(rng.integers(0, n, n)) for _ in range(draws)], [2.5, 97.5])
        return f"{of(np.arange(n)):+.3f} ({low:+.3f} to {high:+.3f})"


class Arm(nn.Module):
    def __init__(self, direct, genes):
        super().__init__()
        self.direct = direct
        if direct:
            self.head = nn.Linear(DIM, genes)
            nn.init.zeros_(self.head.weight), nn.init.zeros_(self.head.bias)
            return
        layer = lambda width: [nn.Linear(width, 128), nn.LayerNorm(128), nn.ReLU(), nn.Dropout(0.2)]
        self.image, self.rna = nn.Linear(DIM, 32), nn.Sequential(*layer(genes), *layer(128), nn.Linear(128, 32))
        self.scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

    def forward(self, bags, rna):
        """Rows of `rna` behind those of the bags are further negatives."""
        n = len(bags)
        if self.direct:
            return ((self.head(bags) - rna[:n]) ** 2).mean()
        s = F.normalize(self.image(bags), dim=1) @ F.normalize(self.rna(rna), dim=1).T * self.scale.exp().clamp(max=100)
        own = torch.arange(n)
        return (F.cross_entropy(s, own) + F.cross_entropy(s[:, :n].T, own)) / 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--arm", default="contrastive", choices=["contrastive", "direct"])
    for name, value in {"steps": 400, "seed": 0, "donors": 405, "test": 700, "negatives": 0, "rate": 3e-3, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    tokens, values, labels = read(args.folder, args.test + args.donors)
    test, train = np.arange(args.test), np.arange(args.test, len(tokens))
    mean, std = values[train].mean(0), values[train].std(0)
    z = np.where(std > 0, (values - mean) / np.where(std > 0, std, 1), 0)
    rna, probes, model = torch.tensor(z, dtype=torch.float32), Probes(z, labels, train, test), vit()

    def means():
        with torch.no_grad():
            return np.stack([features(model, one).mean(0).numpy() for one in tokens])

    before = probes.answers(means())
    print(f"{len(train)} donors train, {len(test)} are judged; before {np.round(probes.scores(before, np.arange(args.test)), 3)}", flush=True)
    for block in model.blocks[2:]:
        block.attn.qkv, block.attn.proj = Lora(block.attn.qkv), Lora(block.attn.proj)
        block.mlp.fc1, block.mlp.fc2 = Lora(block.mlp.fc1), Lora(block.mlp.fc2)
    arm = Arm(args.arm == "direct", rna.shape[1])
    trained = [p for p in [*model.parameters(), *arm.parameters()] if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    left, quarter = [], max(1, args.steps // 4)
    for step in range(1, args.steps + 1):
        left = left if len(left) >= BAGS else list(rng.permutation(train))
        bags, left = left[:BAGS], left[BAGS:]
        tiles = tokens[np.repeat(bags, TILES), rng.integers(0, SPOTS, BAGS * TILES)]
        others = rng.permutation(np.setdiff1d(train, bags))[: args.negatives]
        arm.train()
        loss = arm(features(model, tiles).reshape(BAGS, TILES, DIM).mean(1), rna[[*bags, *others]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % quarter == 0:
            now = means()
            arm.eval()
            with torch.no_grad():
                of = lambda part: np.mean([arm(torch.tensor(now[some]), rna[some]).item() for some in (rng.permutation(part)[:BAGS] for _ in range(20))])
                said = f"step {step}: loss {of(train):.3f}, of judged donors {of(test):.3f};"
            after = probes.answers(now)
            print(said, np.round(probes.scores(after, np.arange(args.test)), 3), f"gain {probes.gain(before, after)}", flush=True)


if __name__ == "__main__":
    main()
