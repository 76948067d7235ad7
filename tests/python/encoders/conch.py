"""Fixtures of CONCH v1 and v1.5: timm trunks under attention poolers, written from the published description."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from . import common as c
from . import timm_family as t
from .hf import offset_rows

WIDTH, HEADS, DEPTH, PATCH, POOL, POOL_HEADS = 48, 3, 2, 8, 64, 8
FEW = ("tap/patch_embed", "tap/pool", "embedding")


def trunk(side: int, **more: object) -> VisionTransformer:
    return VisionTransformer(
        img_size=side * PATCH, patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS, num_classes=0,
        global_pool="", **more,
    )


class Pooler(nn.Module):
    """CONCH v1: learned queries attend to all tokens; torch keeps q, k, v apart where the widths differ."""

    def __init__(self, width: int, context: int, queries: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(queries, width))
        self.attn = nn.MultiheadAttention(width, POOL_HEADS, kdim=context, vdim=context, batch_first=True)
        self.ln_q = nn.LayerNorm(width)
        self.ln_k = nn.LayerNorm(context)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        keys = self.ln_k(tokens)
        query = self.ln_q(self.query).expand(len(tokens), -1, -1)
        return self.attn(query, keys, keys, need_weights=False)[0]


class Visual(nn.Module):
    """CONCH v1's `visual`."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = trunk(6, dynamic_img_size=True)
        self.attn_pool_contrast = Pooler(POOL, WIDTH, 1)
        self.ln_contrast = nn.LayerNorm(POOL)
        self.proj_contrast = nn.Parameter(torch.zeros(POOL, POOL))
        self.attn_pool_caption = Pooler(WIDTH, WIDTH, 6)
        self.ln_caption = nn.LayerNorm(WIDTH)


class Pooler15(nn.Module):
    """CONCH v1.5: plain linear maps without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, POOL))
        self.ln_k = nn.LayerNorm(WIDTH)
        self.ln_q = nn.LayerNorm(POOL)
        self.to_q = nn.Linear(POOL, POOL, bias=False)
        self.to_kv = nn.Linear(WIDTH, 2 * POOL, bias=False)
        self.to_out = nn.Linear(POOL, POOL, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        q = self.to_q(self.ln_q(self.query)).expand(len(tokens), -1, -1)
        k, v = self.to_kv(self.ln_k(tokens)).chunk(2, -1)
        q, k, v = (x.unflatten(-1, (POOL_HEADS, -1)).transpose(1, 2) for x in (q, k, v))
        weights = (q @ k.transpose(-1, -2) * (POOL // POOL_HEADS) ** -0.5).softmax(-1)
        return self.to_out((weights @ v).transpose(1, 2).flatten(2))


class Vision15(nn.Module):
    def __init__(self, side: int) -> None:
        super().__init__()
        self.trunk = trunk(side, init_values=1e-5)
        self.attn_pool_contrast = Pooler15()
        self.ln_contrast = nn.LayerNorm(POOL)


def runner(inputs: torch.Tensor, mean_std: tuple) -> Callable:
    def run(model: nn.Module, dtype: torch.dtype) -> c.Tensors:
        extra: c.Tensors = {}

        def forward() -> torch.Tensor:
            pool = model.attn_pool_contrast(model.trunk.forward_features(c.pixels(inputs, mean_std, dtype)))[:, 0]
            extra["tap/pool"] = pool
            z = model.ln_contrast(pool)
            if hasattr(model, "proj_contrast"):
                extra["retrieval"] = F.normalize(z @ model.proj_contrast, dim=-1)
            return z

        taps = c.traced(model.trunk.blocks, model.trunk.norm, forward)
        return {**taps, **extra}

    return run


def mistake(right: torch.Tensor, model: nn.Module, inputs: torch.Tensor, mean_std: tuple) -> float:
    return c.short(c.distance(runner(inputs, mean_std)(model.double(), torch.float64)["embedding"], right))


def load(model: nn.Module, state: c.Tensors) -> nn.Module:
    model.load_state_dict(state, strict=True)
    return model.eval()


def sizes(model: nn.Module, image: int, table: int) -> dict:
    return {**t.describe(model.trunk, image, table), "pool_width": POOL, "pool_heads": POOL_HEADS, "pool_eps": 1e-5}


TEXT = {
    "text.positional_embedding": [9, 32], "text.cls_emb": [32], "text.token_embedding.weight": [20, 32],
    "text.transformer.resblocks.0.ln_1.weight": [32], "text.transformer.resblocks.0.attn.in_proj_weight": [96, 32],
    "text.ln_final.weight": [32], "text.text_projection": [32, 64],
}


def conch_v1(root: Path) -> None:
    shapes = {"logit_scale": [], **TEXT}
    shapes |= {f"visual.{k}": list(v.shape) for k, v in Visual().state_dict().items()}
    state = c.weights("conch_v1", shapes)
    c.save_weights(root / "conch_v1" / "pytorch_model.bin", state)
    loaded = c.read_weights(root / "conch_v1" / "pytorch_model.bin")
    visual = OrderedDict((k.removeprefix("visual."), v) for k, v in loaded.items() if k.startswith("visual."))
    model = load(Visual(), visual)

    expected = c.Expected()
    inputs = {"": c.tiles("conch_v1", 48, 48), "half": c.tiles("conch_v1/half", 24, 24)}
    for case, images in inputs.items():
        expected.inputs(f"{case}/inputs" if case else "inputs", images)
        expected.add(case, c.twice(model, runner(images, c.CLIP)), FEW if case else None)

    def wrong(change: Callable[[nn.Module], None]) -> float:
        other = load(Visual(), visual)
        with torch.no_grad():
            change(other)
        return mistake(expected.tensors["embedding"].double(), other, inputs[""], c.CLIP)

    def tanh(m: nn.Module) -> None:
        for block in m.trunk.blocks:
            block.mlp.act = nn.GELU(approximate="tanh")

    z = expected.tensors["embedding"].double()
    c.finish(root / "conch_v1", expected, {
        "mimics": "MahmoodLab/CONCH", "family": "conch_v1", "reference": "timm trunk, torch MultiheadAttention pooler",
        "weights": "pytorch_model.bin", "dtype": "f32", "sizes": sizes(model, 48, 48), "pooling": "attention",
        "first_patch": 1, "dim": POOL,
        "preprocess": {"resize": 48, "crop": 48, "interpolation": "bicubic", "mean": c.CLIP[0], "std": c.CLIP[1]},
        "cases": {"half": {"height": 24, "width": 24, "rule": "bicubic antialias (I1)"}},
        "ignored": ["logit_scale", "text.*", "visual.attn_pool_caption.*", "visual.ln_caption.*"],
        "notes": "embedding is ln_contrast(pool), before proj_contrast; retrieval is normalize(embedding @ "
        "proj_contrast), the matrix not transposed. `half` is 224 px on the 448 px table. No config.json on the hub.",
        "mistakes": {
            "tanh GELU": wrong(tanh),
            "final LayerNorm skipped": wrong(lambda m: setattr(m.trunk, "norm", nn.Identity())),
            "ln_k skipped": wrong(lambda m: setattr(m.attn_pool_contrast, "ln_k", nn.Identity())),
            "proj_contrast applied": c.short(c.distance(z @ model.proj_contrast.detach().double(), z)),
            "proj_contrast transposed": c.short(c.distance(
                F.normalize(z @ model.proj_contrast.detach().double().T, dim=-1), expected.tensors["retrieval"])),
        },
    })


def bilinear_rows(table: torch.Tensor, side: int) -> torch.Tensor:
    from_side = round((table.shape[1] - 1) ** 0.5)
    square = table[:, 1:].reshape(1, from_side, from_side, -1).permute(0, 3, 1, 2)
    square = F.interpolate(square, size=(side, side), mode="bilinear", align_corners=False)
    return torch.cat([table[:, :1], square.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def conch_v15(root: Path) -> None:
    native, used = 3, 6
    shapes = {k: list(v.shape) for k, v in Vision15(native).state_dict().items()}
    state = c.weights("conch_v15", shapes)
    c.save_weights(root / "conch_v15" / "pytorch_model_vision.bin", state)
    loaded = c.read_weights(root / "conch_v15" / "pytorch_model_vision.bin")
    table = loaded["trunk.pos_embed"]
    large = c.value("conch_v15", "table_785/trunk.pos_embed", [1, used * used + 1, WIDTH], True)

    def at(side: int, rows: torch.Tensor) -> nn.Module:
        return load(Vision15(side), {**loaded, "trunk.pos_embed": rows})

    expected = c.Expected()
    images, small = c.tiles("conch_v15", 48, 48), c.tiles("conch_v15/half", 24, 24)
    expected.inputs("inputs", images)
    expected.inputs("half/inputs", small)
    expected.inputs("table_785/trunk.pos_embed", large)
    grid = (used, used)
    model = at(used, offset_rows(table, grid))
    run = runner(images, c.IMAGENET)
    expected.add("", c.twice(model, run))
    expected.add("half", c.twice(at(native, table), runner(small, c.IMAGENET)), FEW)
    expected.add("table_785", c.twice(at(used, offset_rows(bilinear_rows(large, native), grid)), run), FEW)

    def antialias(rows: torch.Tensor) -> torch.Tensor:
        square = rows[:, 1:].reshape(1, native, native, -1).permute(0, 3, 1, 2)
        square = F.interpolate(square, size=grid, mode="bicubic", antialias=True, align_corners=False)
        return torch.cat([rows[:, :1], square.permute(0, 2, 3, 1).flatten(1, 2)], 1)

    def wrong(rows: torch.Tensor, right: str, change: Callable[[nn.Module], None] = lambda _m: None) -> float:
        other = at(used, rows)
        with torch.no_grad():
            change(other)
        return mistake(expected.tensors[right].double(), other, images, c.IMAGENET)

    def exchanged(m: nn.Module) -> None:
        weight = m.attn_pool_contrast.to_kv.weight
        weight.copy_(weight.roll(POOL, 0))

    right = offset_rows(table, grid)
    c.finish(root / "conch_v15", expected, {
        "mimics": "MahmoodLab/conchv1_5", "family": "conch_v15", "reference": "timm trunk, pooler as described",
        "weights": "pytorch_model_vision.bin", "dtype": "f32", "sizes": sizes(model, 48, 24), "pooling": "attention",
        "first_patch": 1, "dim": POOL,
        "preprocess": {"resize": 48, "crop": 48, "interpolation": "bilinear", "mean": c.IMAGENET[0],
                       "std": c.IMAGENET[1]},
        "cases": {
            "half": {"height": 24, "width": 24, "rule": "none"},
            "table_785": {"height": 48, "width": 48, "rule": "bilinear plain to 3 x 3 (I3), then as the main case"},
        },
        "ignored": [],
        "notes": "The main case runs a 3 x 3 table at 6 x 6, as 14 x 14 at 28 x 28: bicubic plain with offset 0.1 "
        "(I4). `table_785` is the same with the position rows of the expected file in place of the weights' own, on "
        "the inputs of the main case. No config.json on the hub.",
        "mistakes": {
            "positions by timm's antialiased bicubic": wrong(antialias(table), "embedding"),
            "positions without the offset 0.1": wrong(plain(table, grid), "embedding"),
            "large table used as it is": wrong(large, "table_785/embedding"),
            "k and v exchanged in to_kv": wrong(right, "embedding", exchanged),
            "LayerScale ignored": wrong(right, "embedding", lambda m: [
                (setattr(b, "ls1", nn.Identity()), setattr(b, "ls2", nn.Identity())) for b in m.trunk.blocks]),
        },
    })


def plain(rows: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    side = round((rows.shape[1] - 1) ** 0.5)
    square = rows[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    square = F.interpolate(square, size=grid, mode="bicubic", align_corners=False)
    return torch.cat([rows[:, :1], square.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def jobs() -> dict[str, Callable[[Path], None]]:
    return {"conch_v1": conch_v1, "conch_v15": conch_v15}
