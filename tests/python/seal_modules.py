"""SEAL's modules beside the vision backbone, in PyTorch, with the names its checkpoints have. Written from their description.

Random numbers (masks, dropout) come from the engine's generator, Threefry-2x32-20, so that both sides draw the same ones;
normal noise is an input.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SEED, STEP = 42, 7
ORGANS = 14


def threefry(k0: int, k1: int, c0: np.ndarray, c1: int) -> tuple[np.ndarray, np.ndarray]:
    """Both words of Threefry-2x32 with 20 rounds."""
    mask = np.uint64(0xFFFFFFFF)
    keys = [np.uint64(k0), np.uint64(k1), np.uint64(0x1BD11BDA ^ k0 ^ k1)]
    x = (c0.astype(np.uint64) + keys[0]) & mask
    y = (np.full_like(x, c1) + keys[1]) & mask
    for group in range(5):
        for r in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            x = (x + y) & mask
            y = ((y << np.uint64(r)) | (y >> np.uint64(32 - r))) & mask
            y ^= x
        x = (x + keys[(group + 1) % 3]) & mask
        y = (y + keys[(group + 2) % 3] + np.uint64(group + 1)) & mask
    return x, y


PLAN_STREAM = 0x706C616E


def fnv1a(text: str) -> int:
    h = 0x811C9DC5
    for byte in text.encode():
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def row_words(name: str, rows: int, columns: int) -> np.ndarray:
    """Words of rows of the batch, drawn under a name: [rows, columns]."""
    key = [int(word[0]) for word in threefry(SEED, PLAN_STREAM, np.array([STEP]), 0)]
    pairs = np.arange((columns + 1) // 2)
    drawn = [np.stack(threefry(key[0], key[1] ^ fnv1a(name), pairs, row), 1).reshape(-1)[:columns] for row in range(rows)]
    return np.stack(drawn)


def below(name: str, shape: torch.Size, p: float) -> torch.Tensor:
    """Ones with probability p; the first dimension counts rows of the batch."""
    words = row_words(name, shape[0], int(np.prod(shape[1:])))
    return torch.from_numpy((words < int(p * 2**32)).astype(np.float64)).reshape(shape)


def name_draws(module: nn.Module, prefix: str) -> None:
    """Everything that draws does so by its place in the model."""
    for path, part in module.named_modules():
        part.draws = f"{prefix}{path}"


class Dropout(nn.Module):
    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        return x * (1 - below(self.draws, x.shape, self.p)) / (1 - self.p)


def create_mlp(width: int, hidden: list[int], act: type, dropout: float, out: int, batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for h in hidden:
        layers += [nn.Linear(width, h)] + ([nn.BatchNorm1d(h)] if batch_norm else []) + [act(), Dropout(dropout)]
        width = h
    return nn.Sequential(*layers, nn.Linear(width, out))


def head_of(kind: str, dim: int) -> nn.Module | None:
    if kind == "linear":
        return nn.Linear(dim, dim)
    if kind == "mlp":
        return create_mlp(dim, [], nn.GELU, 0.0, dim, False)
    return create_mlp(dim, [dim], nn.GELU, 0.0, dim, False) if kind == "mlp2" else None


class PlanarFlow(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.u = nn.Parameter(torch.randn(dim) * 0.01)
        self.w = nn.Parameter(torch.randn(dim) * 0.01)
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, z: torch.Tensor, constrain: bool) -> tuple[torch.Tensor, torch.Tensor]:
        u = self.u
        if constrain:
            dot = (u * self.w).sum()
            u = u + (F.softplus(dot) - 1 - dot) * self.w / (self.w**2).sum()
        a = torch.tanh(z @ self.w + self.b)
        psi = (1 - a**2).unsqueeze(-1) * self.w
        return z + u * a.unsqueeze(-1), torch.log(torch.abs(1 + psi @ u) + 1e-8)


class GeneVAE(nn.Module):
    def __init__(self, genes: int, dim: int, hidden: list[int], dropout=0.0, decoderDropout=0.0, decoderBatchNorm=False,
                 flows=3, maskRatio=0.0, kl="none", constrainFlows=False, head="none"):
        super().__init__()
        self.mask_ratio, self.constrain = maskRatio, constrainFlows
        widths = [genes, *hidden]
        self.encoder = nn.Sequential(*[layer for a, b in zip(widths, hidden) for layer in
                                       (nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU(), Dropout(dropout))])
        self.fc_mu = nn.Linear(hidden[-1], dim)
        self.fc_logvar = nn.Linear(hidden[-1], dim)
        self.flows = nn.ModuleList([PlanarFlow(dim) for _ in range(flows)])
        back = [dim, *reversed(hidden)]
        layers: list[nn.Module] = []
        for a, b in zip(back, back[1:]):
            layers += [nn.Linear(a, b), nn.ReLU()] + ([nn.BatchNorm1d(b)] if decoderBatchNorm else [])
        self.decoder = nn.Sequential(*layers, Dropout(decoderDropout), nn.Linear(back[-1], genes))
        self.projection_head = head_of(head, dim)
        if self.projection_head is None:
            del self.projection_head

    def forward(self, x: torch.Tensor, latent: str | int, noise: torch.Tensor | None) -> dict[str, torch.Tensor]:
        out = {}
        target = x
        if self.training and self.mask_ratio > 0:
            out["mask"] = below(f"{self.draws}vae.mask", x.shape, self.mask_ratio).to(x.dtype)
            x = x.masked_fill(out["mask"].bool(), 0)
        h = self.encoder(x)
        mu, logvar = self.fc_mu(h), self.fc_logvar(h)
        z = mu if noise is None else mu + torch.exp(0.5 * logvar) * noise
        logdet = torch.zeros(z.shape[:-1], dtype=z.dtype)
        for flow in self.flows:
            z, step = flow(z, self.constrain)
            logdet = logdet + step
        base = torch.distributions.Normal(mu, torch.exp(0.5 * logvar))
        prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
        total = logdet if logdet.ndim == 1 else logdet.mean(0)
        out["kl"] = (torch.distributions.kl_divergence(base, prior).sum(1) - total).mean()
        if noise is not None:
            drawn = mu + torch.exp(0.5 * logvar) * noise
            out["kl_flow"] = (base.log_prob(drawn).sum(-1) - logdet - prior.log_prob(z).sum(-1)).mean()
        if z.ndim == 3:
            z = z.mean(0)
        y = self.decoder(z)
        if "mask" in out:
            m = out["mask"].bool()
            out["mlm"] = F.mse_loss(y[m], target[m])
        return out | {"z": z, "y": y, "mu": mu, "logvar": logvar, "logdet": total}


class ImgEmbDecoder(nn.Module):
    def __init__(self, dim: int, genes: int, hidden=512, dropout=0.0, batchNorm=False, finalActivation="relu"):
        super().__init__()
        last = {"relu": [nn.ReLU()], "softplus": [nn.Softplus()], "none": []}[finalActivation]
        norm = [nn.BatchNorm1d(hidden)] if batchNorm else []
        self.decoder = nn.Sequential(nn.Linear(dim, hidden), *norm, nn.ReLU(), Dropout(dropout), nn.Linear(hidden, genes),
                                     *last)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.decoder(z)


class MeanTokens(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(1) if x.ndim == 3 else x


class GeneDecoder(nn.Module):
    def __init__(self, dim: int, genes: int, kind="mlp", dropout=0.25, layers=2, heads=8):
        super().__init__()
        self.kind, self.p = kind, dropout
        if kind == "transformer":
            self.attention = nn.ModuleList([nn.MultiheadAttention(dim, heads, batch_first=True) for _ in range(layers)])
            self.norm = nn.LayerNorm(dim)
            self.dropout = nn.ModuleList([Dropout(dropout) for _ in range(layers)])
        self.predictor = nn.Linear(dim, genes) if kind != "mlp" else nn.Sequential(
            nn.Linear(dim, dim), nn.GELU(), Dropout(dropout), nn.Linear(dim, genes))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        if self.kind == "transformer":
            z = z if z.ndim == 3 else z.unsqueeze(1)
            for layer, drop in zip(self.attention, self.dropout):
                z = self.norm(z + drop(layer(z, z, z, need_weights=False)[0]))
        return self.predictor(MeanTokens()(z))


class GeneMLP(nn.Module):
    def __init__(self, genes: int, dim: int, hidden: list[int], dropout=0.25, maskRatio=0.0, decoder=None, kind="mlp"):
        super().__init__()
        self.mask_ratio, self.kind = maskRatio, kind
        self.projection = create_mlp(genes, hidden, nn.GELU, dropout, dim, True)
        self.decoder = GeneDecoder(dim, genes, dropout=dropout, **(decoder or {}))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        out = {}
        if self.training and self.mask_ratio > 0:
            out["mask"] = below(f"{self.draws}{self.kind}.mask", x.shape, self.mask_ratio).to(x.dtype)
            x = x * (1 - out["mask"])
        z = self.projection(x)
        return out | {"z": z, "y": self.decoder(z)}


class GeneTransformer(nn.Module):
    def __init__(self, genes: int, dim: int, width=64, heads=8, layers=4, hidden=256, dropout=0.1, decoderHidden=1024,
                 geneEmbeddings=False, recompute=True):
        super().__init__()
        self.gene_embedding = nn.Linear(1, width)
        if geneEmbeddings:
            self.gene_identity = nn.Embedding(genes, width)
        layer = nn.TransformerEncoderLayer(width, heads, hidden, batch_first=True)
        layer.self_attn.dropout = 0.0
        layer.dropout, layer.dropout1, layer.dropout2 = Dropout(dropout), Dropout(dropout), Dropout(dropout)
        self.transformer_encoder = nn.TransformerEncoder(layer, layers)
        self.projection_head = nn.Linear(width, dim)
        self.decoder = nn.Sequential(nn.Linear(dim, decoderHidden), nn.ReLU(), nn.Linear(decoderHidden, genes))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        t = self.gene_embedding(x.unsqueeze(-1))
        if hasattr(self, "gene_identity"):
            t = t + self.gene_identity.weight
        z = self.projection_head(self.transformer_encoder(t).mean(1))
        return {"z": z, "y": self.decoder(z)}


class GeneIdentity(nn.Module):
    def __init__(self, genes: int):
        super().__init__()
        self.dummy_param = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"z": x, "y": x}


class Adapter(nn.Module):
    def __init__(self, dim: int, bottleneck=256, mode="once"):
        super().__init__()
        self.mode = mode
        self.adapter = nn.Sequential(nn.Linear(dim, bottleneck), nn.ReLU(), nn.Linear(bottleneck, dim))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        y = self.adapter(z)
        return {"once": lambda: y, "twice": lambda: self.adapter(y), "residual": lambda: z + y}[self.mode]()


class OrganToken(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.organ_emb = nn.Embedding(ORGANS, dim)

    def forward(self, z: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        return z + self.organ_emb(ids)


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        return -ctx.strength * grad, None


class Discriminator(nn.Module):
    def __init__(self, dim: int, classes: int, layers=2):
        super().__init__()
        parts = [layer for _ in range(layers) for layer in (nn.Linear(dim, dim), nn.LayerNorm(dim), nn.LeakyReLU())]
        self._decoder = nn.Sequential(*parts)
        self.out_layer = nn.Linear(dim, classes)

    def forward(self, z: torch.Tensor, strength: float) -> torch.Tensor:
        return self.out_layer(self._decoder(Reverse.apply(z, strength)))


class LoraLinear(nn.Module):
    """A linear layer as PEFT wraps it."""

    def __init__(self, inputs: int, outputs: int, rank: int):
        super().__init__()
        self.base_layer = nn.Linear(inputs, outputs)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(inputs, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, outputs, bias=False)})


def tree(leaves: dict[str, nn.Module]) -> nn.Module:
    """Modules at dotted paths."""
    root = nn.Module()
    for path, leaf in leaves.items():
        at = root
        *parents, last = path.split(".")
        for name in parents:
            if not hasattr(at, name):
                at.add_module(name, nn.Module())
            at = getattr(at, name)
        at.add_module(last, leaf)
    return root


TIMM = {"attn.qkv": (1, 3), "attn.proj": (1, 1), "mlp.fc1": (1, 2), "mlp.fc2": (2, 1)}
HF = {f"attention.attention.{n}": (1, 1) for n in ("query", "key", "value")} | {
    "attention.output.dense": (1, 1), "mlp.fc1": (1, 2), "mlp.fc2": (2, 1)}


class PatchRecEncoder(nn.Module):
    """The image model: a backbone whose last blocks are adapted, and what follows it."""

    def __init__(self, block: str, blocks: list[int], width: int, rank: int, layers: dict[str, tuple[int, int]], *,
                 dim: int, head="none", decoder: dict | None = None, bottleneck=0, organ=False):
        super().__init__()
        adapted = {f"base_model.model.{block}.{i}.{name}": LoraLinear(width * a, width * b, rank)
                   for i in blocks for name, (a, b) in layers.items()}
        self.encoder = tree(adapted)
        if bottleneck:
            self.adapter = nn.Sequential(nn.Linear(dim, bottleneck), nn.ReLU(), nn.Linear(bottleneck, dim))
            self.encoder.adapter = self.adapter
        if organ:
            self.organ_emb = nn.Embedding(ORGANS, dim)
        if head != "none":
            self.projection_head = head_of(head, dim)
        if decoder:
            self.decoder = ImgEmbDecoder(dim, **decoder)


def base_keys(module: nn.Module) -> set[str]:
    """Names of the backbone's own weights."""
    return {k for k in module.state_dict() if ".base_layer." in k}
