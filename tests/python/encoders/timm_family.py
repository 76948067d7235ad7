"""Fixtures in timm's layout: the folder is written first and then loaded by timm, from its config.json and weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from timm.layers import SwiGLUPacked
from torch import nn
from torchvision import transforms

from . import common as c

SWIGLU = {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU}


@dataclass
class Spec:
    name: str
    mimics: str
    arch: str
    args: dict
    image: int
    mean_std: tuple
    file: str = "model.safetensors"
    dtype: str = "f32"
    kwargs: dict = field(default_factory=dict)
    pool: str = "token"
    pooling: str = "cls"
    config: dict = field(default_factory=dict)
    top: dict = field(default_factory=dict)
    cases: dict = field(default_factory=dict)
    resize: int | None = None
    raw: tuple[int, int] | None = None
    interpolation: str = "bicubic"
    table: int | None = None
    notes: str = ""
    classes: int = 0
    metadata: bool = False


def sizes(width: int, heads: int, depth: int, patch: int, **more: object) -> dict:
    return {"embed_dim": width, "num_heads": heads, "depth": depth, "patch_size": patch, **more}


SPECS = [
    Spec(
        "uni", "MahmoodLab/UNI", "vit_large_patch16_224", sizes(48, 3, 3, 16), 48, c.IMAGENET,
        file="pytorch_model.bin", dtype="f16", kwargs={"init_values": 1e-5, "dynamic_img_size": True}, metadata=True,
        top={"init_values": 1e-5, "patch_size": 16, "dynamic_img_size": True}, interpolation="bilinear",
        cases={"larger": (80, 80), "wide": (48, 64), "strip": (16, 144), "smaller": (32, 32)},
        notes="LayerScale. As on the hub, config.json has init_values at top level, where timm ignores it. `strip` has "
        "the token count of the native size and must be resampled all the same.",
    ),
    Spec(
        "vit_small", "timm/vit_small_patch16_224.augreg_in21k_ft_in1k", "vit_small_patch16_224",
        sizes(32, 2, 2, 8), 32, c.HALF, classes=5, config={"crop_pct": 0.9, "tag": "augreg_in21k_ft_in1k"}, resize=35,
        notes="No LayerScale. The file has head.weight and head.bias, which an encoder ignores.",
    ),
    Spec(
        "uni2h", "MahmoodLab/UNI2-h", "vit_giant_patch14_224",
        sizes(128, 2, 2, 14, mlp_ratio=1.0625, reg_tokens=8, no_embed_class=True), 42, c.IMAGENET,
        file="pytorch_model.bin", dtype="bf16", metadata=True, interpolation="bilinear",
        kwargs={**SWIGLU, "init_values": 1e-5, "dynamic_img_size": True}, cases={"larger": (56, 70)},
        notes="Head dimension 64, eight registers, positions of patches only, SwiGLU, LayerScale.",
    ),
    Spec(
        "virchow", "paige-ai/Virchow", "vit_huge_patch14_224",
        sizes(80, 1, 2, 14, mlp_ratio=1.4, init_values=1e-5), 28, c.IMAGENET,
        kwargs=SWIGLU, pool="", pooling="cls+mean", notes="Head dimension 80, no registers: patches from token 1 on.",
    ),
    Spec(
        "virchow2", "paige-ai/Virchow2", "vit_huge_patch14_224",
        sizes(160, 2, 2, 14, img_size=42, mlp_ratio=0.5, init_values=1e-5, reg_tokens=4, dynamic_img_size=True), 42,
        c.IMAGENET,
        dtype="f16", kwargs=SWIGLU, pool="", pooling="cls+mean", cases={"larger": (56, 42)},
        notes="Head dimension 80. Class token and registers have position rows; patches from token 5 on.",
    ),
    Spec(
        "h0mini", "bioptimus/H0-mini", "vit_base_patch14_reg4_dinov2",
        sizes(48, 3, 2, 14, img_size=42, mlp_ratio=5.33334, init_values=1e-5, reg_tokens=4, no_embed_class=True,
              dynamic_img_size=True),
        42, c.OPTIMUS, kwargs=SWIGLU, pool="", pooling="cls+mean", cases={"smaller": (28, 28)},
        notes="Four registers, positions of patches only, SwiGLU. The class-only embedding is tap/norm[:, 0].",
    ),
    Spec(
        "hoptimus", "bioptimus/H-optimus-0", "vit_giant_patch14_reg4_dinov2", sizes(32, 2, 3, 14, mlp_ratio=4.0), 28,
        c.OPTIMUS, file="pytorch_model.bin", config=None, interpolation="bilinear",
        notes="As on the hub, config.json names only input size, mean and std.",
    ),
    Spec(
        "gigapath", "prov-gigapath/prov-gigapath", "vit_giant_patch14_dinov2",
        sizes(32, 2, 2, 16, mlp_ratio=4.0, init_values=1e-5, in_chans=3, img_size=48), 48, c.IMAGENET,
        file="pytorch_model.bin", resize=56, raw=(48, 48),
        notes="Patch 16 under a name that says 14. `raw` is resized 48 to 56 and cropped to 48, as 224 to 256 to 224.",
    ),
    Spec(
        "kaiko_l14", "1aurent/vit_large_patch14_reg4_224.kaiko_ai_towards_large_pathology_fms",
        "vit_large_patch14_reg4_dinov2", sizes(32, 2, 2, 14), 42, c.HALF, table=70,
        kwargs={"dynamic_img_size": True}, interpolation="bilinear", cases={"native": (70, 70)},
        notes="GELU, LayerScale, four registers, positions of patches only; the table is for 5 x 5 patches and the "
        "model is used at 3 x 3, as 37 x 37 at 16 x 16. timm gives the same whether it resamples at load or at run.",
    ),
    Spec(
        "lunit", "1aurent/vit_small_patch8_224.lunit_dino", "vit_small_patch8_224", sizes(32, 2, 2, 8), 32, c.LUNIT,
        config={"crop_pct": 0.9}, resize=35, raw=(36, 40),
        notes="`raw` is not square: shorter side 36 to floor(32 / 0.9) = 35, longer 40 to trunc(38.9) = 38, crop 32.",
    ),
]


def config_json(spec: Spec) -> dict:
    """The hub's config.json; `model_args` holds what is reduced here."""
    size = spec.table or spec.image
    mean, std = spec.mean_std
    cfg = {"input_size": [3, size, size], "fixed_input_size": True}
    if spec.config is None:
        cfg = {"custom_load": True, **cfg, "mean": mean, "std": std, "num_classes": 0}
    else:
        cfg = {
            "tag": "", "custom_load": False, **cfg, "interpolation": spec.interpolation, "crop_pct": 1.0,
            "crop_mode": "center", "mean": mean, "std": std, "num_classes": spec.classes, "pool_size": None,
            "first_conv": "patch_embed.proj", "classifier": "head", **spec.config,
        }
    return {
        "architecture": spec.arch, "num_classes": spec.classes, "num_features": spec.args["embed_dim"],
        "global_pool": spec.pool, **spec.top, "model_args": spec.args, "pretrained_cfg": cfg,
    }


def load(folder: Path, kwargs: dict) -> nn.Module:
    """As a user would load it from the hub, strictly; a local folder instead."""
    return timm.create_model(f"local-dir:{folder}", pretrained=True, **kwargs).eval()


def pooled(model: nn.Module, x: torch.Tensor, pooling: str) -> torch.Tensor:
    tokens = model.forward_features(x)
    start = model.num_prefix_tokens
    if pooling == "cls+mean":
        return torch.cat([tokens[:, 0], tokens[:, start:].mean(1)], -1)
    assert torch.equal(model.forward_head(tokens, pre_logits=True), tokens[:, 0])
    return tokens[:, 0]


def runner(inputs: torch.Tensor, mean_std: tuple, pooling: str) -> Callable:
    def run(model: nn.Module, dtype: torch.dtype) -> c.Tensors:
        x = c.pixels(inputs, mean_std, dtype)
        return c.traced(model.blocks, model.norm, lambda: pooled(model, x, pooling))

    return run


def mistakes(model: nn.Module, inputs: torch.Tensor, mean_std: tuple, pooling: str) -> dict[str, float]:
    """How far a usual mistake moves the embedding, as max|d| / rms: what the tolerance must stay below."""
    model = copy.deepcopy(model).double()
    right = runner(inputs, mean_std, pooling)(model, torch.float64)["embedding"]
    found: dict[str, float] = {}
    swiglu = model.blocks[0].mlp.fc1.out_features != model.blocks[0].mlp.fc2.in_features
    heads = model.blocks[0].attn.num_heads

    def attempt(name: str, change: Callable[[nn.Module], None], images: torch.Tensor = inputs) -> None:
        wrong = copy.deepcopy(model)
        with torch.no_grad():
            change(wrong)
        found[name] = c.short(c.distance(runner(images, mean_std, pooling)(wrong, torch.float64)["embedding"], right))

    def eps(m: nn.Module) -> None:
        for part in m.modules():
            if isinstance(part, nn.LayerNorm):
                part.eps = 1e-5

    def tanh(m: nn.Module) -> None:
        for block in m.blocks:
            block.mlp.act = nn.GELU(approximate="tanh")

    def gate(m: nn.Module) -> None:
        for block in m.blocks:
            for p in (block.mlp.fc1.weight, block.mlp.fc1.bias):
                p.copy_(p.roll(len(p) // 2, 0))

    def scale(m: nn.Module) -> None:
        for block in m.blocks:
            block.ls1 = block.ls2 = nn.Identity()

    def interleave(m: nn.Module) -> None:
        for block in m.blocks:
            for p in (block.attn.qkv.weight, block.attn.qkv.bias):
                p.copy_(p.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten(0, 2))

    def transpose(m: nn.Module) -> None:
        prefix = 0 if m.no_embed_class else m.num_prefix_tokens
        rows = m.pos_embed[:, prefix:]
        side = int(rows.shape[1] ** 0.5)
        m.pos_embed[:, prefix:] = rows.unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2).clone()

    attempt("LayerNorm eps 1e-5", eps)
    attempt("gate and value exchanged", gate) if swiglu else attempt("tanh GELU", tanh)
    if not isinstance(model.blocks[0].ls1, nn.Identity):
        attempt("LayerScale ignored", scale)
    if heads > 1:
        attempt("qkv read as heads, then q k v", interleave)
    attempt("grid of positions transposed", transpose)
    attempt("channels reversed", lambda _m: None, inputs.flip(-1))
    if pooling == "cls+mean" and model.num_prefix_tokens > 1:
        x = c.pixels(inputs, mean_std, torch.float64)
        with torch.no_grad():
            tokens = model.forward_features(x)
        wrong = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], -1)
        found["registers in the mean"] = c.short(c.distance(wrong, right))
    return found


def describe(model: nn.Module, image: int, table: int) -> dict:
    """Sizes as the engine names them, read off the loaded model."""
    mlp, attn = model.blocks[0].mlp, model.blocks[0].attn
    swiglu = mlp.fc1.out_features != mlp.fc2.in_features
    return {
        "width": model.embed_dim, "depth": len(model.blocks), "heads": attn.num_heads, "head_dim": attn.head_dim,
        "mlp": "swiglu" if swiglu else "gelu", "hidden": mlp.fc2.in_features,
        "patch": model.patch_embed.patch_size[0], "image": image, "registers": model.num_reg_tokens,
        "positions": "patches" if model.no_embed_class
        else "cls+registers+patches" if model.num_reg_tokens else "cls+patches",
        "grid": table // model.patch_embed.patch_size[0],
        "layer_scale": not isinstance(model.blocks[0].ls1, nn.Identity), "eps": model.norm.eps,
    }


def prepare(spec: Spec, raw: torch.Tensor) -> torch.Tensor:
    """torchvision on Pillow images, up to the u8 crop."""
    mode = transforms.InterpolationMode(spec.interpolation)
    steps = transforms.Compose([transforms.Resize(spec.resize, mode), transforms.CenterCrop(spec.image)])
    arrays = [torch.from_numpy(np.array(steps(Image.fromarray(t.numpy())))) for t in raw]
    return torch.stack(arrays)


def make(root: Path, spec: Spec) -> None:
    folder = root / spec.name
    config = config_json(spec)
    c.write_json(folder / "config.json", config)
    template = timm.create_model(
        spec.arch, num_classes=spec.classes, global_pool=spec.pool,
        **{"img_size": spec.table or spec.image, **spec.args, **spec.kwargs},
    )
    state = c.weights(spec.name, c.shapes_of(template.state_dict()), spec.dtype)
    if spec.metadata:
        state._metadata = template.state_dict()._metadata
    c.save_weights(folder / spec.file, state)

    model = load(folder, spec.kwargs)
    for name, x in model.state_dict().items():
        assert torch.equal(x, state[name].float()), f"{spec.name}: timm changed {name} at load"
    expected = c.Expected()
    if spec.raw:
        raw = c.tiles(f"{spec.name}/raw", *spec.raw)
        expected.inputs("raw", raw)
        inputs = prepare(spec, raw)
    else:
        inputs = c.tiles(spec.name, spec.image, spec.image)
    cases = {"": inputs} | {k: c.tiles(f"{spec.name}/{k}", *hw) for k, hw in spec.cases.items()}
    for case, images in cases.items():
        expected.inputs(f"{case}/inputs" if case else "inputs", images)
        only = None if case == "" else ("tap/patch_embed", "embedding")
        expected.add(case, c.twice(model, runner(images, spec.mean_std, spec.pooling)), only)
    if spec.table:
        fixed = load(folder, {**spec.kwargs, "img_size": spec.image})
        assert fixed.pos_embed.shape[1] == (spec.image // spec.args["patch_size"]) ** 2
        run = runner(inputs, spec.mean_std, spec.pooling)
        assert c.distance(c.twice(fixed, run)[0]["embedding"], expected.tensors["embedding"]) < 1e-6

    c.finish(folder, expected, {
        "mimics": spec.mimics, "family": "timm", "reference": "timm", "weights": spec.file, "dtype": spec.dtype,
        "sizes": describe(model, spec.image, spec.table or spec.image),
        "pooling": spec.pooling, "first_patch": model.num_prefix_tokens, "dim": expected.tensors["embedding"].shape[-1],
        "preprocess": {"resize": spec.resize or spec.image, "crop": spec.image, "interpolation": spec.interpolation,
                       "mean": spec.mean_std[0], "std": spec.mean_std[1]},
        "cases": {k: {"height": hw[0], "width": hw[1], "rule": "bicubic antialias (I1)"}
                  for k, hw in spec.cases.items()},
        "ignored": ["head.weight", "head.bias"] if spec.classes else [],
        "notes": spec.notes, "mistakes": mistakes(model, inputs, spec.mean_std, spec.pooling),
    })


def jobs() -> dict[str, Callable[[Path], None]]:
    return {spec.name: lambda root, spec=spec: make(root, spec) for spec in SPECS}
