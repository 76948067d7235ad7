"""Fixtures in the on-disk layout of transformers: written first, then loaded by the model class's from_pretrained."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTModel,
)
from transformers.core_model_loading import revert_weight_conversion

from . import common as c


@dataclass
class Spec:
    name: str
    mimics: str
    family: str
    model: type
    settings: type
    config: dict
    mean_std: tuple
    rule: str
    interpolation: str
    cases: dict
    call: dict = field(default_factory=dict)
    offset: dict = field(default_factory=dict)
    mlp: str = "gelu"
    ignored: list = field(default_factory=list)
    notes: str = ""


DINOV2 = {
    "attention_probs_dropout_prob": 0.0, "drop_path_rate": 0.0, "hidden_act": "gelu", "hidden_dropout_prob": 0.0,
    "hidden_size": 32, "image_size": 48, "initializer_range": 0.02, "layer_norm_eps": 1e-06, "layerscale_value": 1.0,
    "mlp_ratio": 4, "num_attention_heads": 2, "num_channels": 3, "num_hidden_layers": 2, "patch_size": 16,
    "qkv_bias": True, "torch_dtype": "float32",
}

SPECS = [
    Spec(
        "phikon", "owkin/phikon", "hf_vit", ViTModel, ViTConfig,
        {
            "_name_or_path": "owkin/ibot-vit-base-patch16-224-pancancer", "architectures": ["ViTModel"],
            "attention_probs_dropout_prob": 0.0, "encoder_stride": 16, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.0, "hidden_size": 32, "image_size": 48, "initializer_range": 0.02,
            "intermediate_size": 128, "layer_norm_eps": 1e-12, "model_type": "vit", "num_attention_heads": 2,
            "num_channels": 3, "num_hidden_layers": 2, "patch_size": 16, "qkv_bias": True, "torch_dtype": "float32",
            "transformers_version": "4.34.0",
        },
        c.IMAGENET, "bicubic plain (I2), only on request", "bilinear", {"larger": (80, 80), "wide": (48, 64)},
        call={"interpolate_pos_encoding": True}, ignored=["pooler.dense.weight", "pooler.dense.bias"],
        notes="LayerNorm eps 1e-12; separate query, key, value; a pooler to ignore. Other sizes are an error in "
        "transformers unless interpolate_pos_encoding is passed.",
    ),
    Spec(
        "phikon_v2", "owkin/phikon-v2", "hf_dinov2", Dinov2Model, Dinov2Config,
        {"architectures": ["Dinov2Model"], **DINOV2, "apply_layernorm": True, "model_type": "dinov2",
         "reshape_hidden_states": True, "transformers_version": "4.41.2", "use_swiglu_ffn": False},
        c.IMAGENET, "bicubic plain (I2)", "bilinear", {"larger": (80, 80), "wide": (48, 64)},
        offset={"offset": (80, 80)}, ignored=["embeddings.mask_token"],
        notes="LayerScale as lambda1. `offset` is what early transformers did (I4): scale (target + 0.1) / grid.",
    ),
    Spec(
        "hibou", "histai/hibou-b", "hf_dinov2_reg", Dinov2WithRegistersModel, Dinov2WithRegistersConfig,
        {"architectures": ["Dinov2Model"], "auto_map": {"AutoModel": "modeling_dinov2.Dinov2Model"},
         **DINOV2, "image_size": 42, "patch_size": 14, "model_type": "dinov2", "num_register_tokens": 4,
         "use_swiglu_ffn": True, "transformers_version": "4.41.2"},
        c.HIBOU, "bicubic antialias (I1)", "bicubic", {"smaller": (28, 28), "larger": (70, 56)}, mlp="swiglu",
        ignored=["embeddings.mask_token"],
        notes="Registers come after positions are added and get none; SwiGLU (weights_in, weights_out; hidden 88 from "
        "width 32) although hidden_act says gelu. config.json names the class of the repository's own code: "
        "register_tokens in the file decide, not model_type.",
    ),
]


def settings(spec: Spec) -> object:
    apart = ("architectures", "auto_map", "model_type", "torch_dtype")
    given = {k: v for k, v in spec.config.items() if k not in apart}
    return spec.settings(**given)


def on_disk(model: nn.Module) -> c.Tensors:
    """state_dict() under the names that transformers writes, which are not those in memory."""
    return revert_weight_conversion(model, model.state_dict())


def parts(model: nn.Module) -> tuple[nn.ModuleList, nn.Module]:
    return model.get_submodule("layers" if hasattr(model, "layers") else "encoder.layer"), model.layernorm


def runner(inputs: torch.Tensor, spec: Spec, **call: object) -> Callable:
    def run(model: nn.Module, dtype: torch.dtype) -> c.Tensors:
        x = c.pixels(inputs, spec.mean_std, dtype)
        return c.traced(*parts(model), lambda: model(pixel_values=x, **call).last_hidden_state[:, 0])

    return run


def with_offset(model: nn.Module, grid: tuple[int, int]) -> nn.Module:
    """Positions resampled by scale factor with the offset 0.1, as DINOv2 without registers does."""
    model = copy.deepcopy(model)
    table = model.embeddings.position_embeddings.detach()
    rows = offset_rows(table, grid)
    model.embeddings.interpolate_pos_encoding = lambda tokens, *_: rows.to(tokens.dtype)
    return model


def offset_rows(table: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    side = round((table.shape[1] - 1) ** 0.5)
    square = table[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factors = tuple((n + 0.1) / side for n in grid)
    square = F.interpolate(square, scale_factor=factors, mode="bicubic", align_corners=False)
    assert tuple(square.shape[-2:]) == tuple(grid)
    return torch.cat([table[:, :1].float(), square.permute(0, 2, 3, 1).flatten(1, 2)], 1)


def mistakes(model: nn.Module, inputs: torch.Tensor, spec: Spec) -> dict[str, float]:
    model = copy.deepcopy(model).double()
    right = runner(inputs, spec)(model, torch.float64)["embedding"]
    found = {}

    def attempt(name: str, change: Callable[[nn.Module], None]) -> None:
        wrong = copy.deepcopy(model)
        with torch.no_grad():
            change(wrong)
        found[name] = c.short(c.distance(runner(inputs, spec)(wrong, torch.float64)["embedding"], right))

    def eps(value: float) -> Callable[[nn.Module], None]:
        def change(m: nn.Module) -> None:
            for part in m.modules():
                if isinstance(part, nn.LayerNorm):
                    part.eps = value

        return change

    def swapped(m: nn.Module) -> None:
        for block in parts(m)[0]:
            block.mlp.gate_proj, block.mlp.up_proj = block.mlp.up_proj, block.mlp.gate_proj

    def tanh(m: nn.Module) -> None:
        for block in parts(m)[0]:
            block.mlp.activation_fn = nn.GELU(approximate="tanh")

    def scale(m: nn.Module) -> None:
        for block in parts(m)[0]:
            block.layer_scale1 = block.layer_scale2 = nn.Identity()

    def placed(m: nn.Module) -> None:
        m.embeddings.register_tokens += m.embeddings.position_embeddings[:, :1]

    attempt("LayerNorm eps 1e-5", eps(1e-5))
    if spec.config["layer_norm_eps"] != 1e-6:
        attempt("LayerNorm eps 1e-6", eps(1e-6))
    attempt("gate and value exchanged", swapped) if spec.mlp == "swiglu" else attempt("tanh GELU", tanh)
    if spec.family != "hf_vit":
        attempt("LayerScale ignored", scale)
    if spec.family == "hf_dinov2_reg":
        attempt("class position added to registers", placed)
    return found


def describe(spec: Spec, model: nn.Module) -> dict:
    g = spec.config
    block = parts(model)[0][0]
    return {
        "width": g["hidden_size"], "depth": g["num_hidden_layers"], "heads": g["num_attention_heads"],
        "head_dim": g["hidden_size"] // g["num_attention_heads"], "mlp": spec.mlp,
        "hidden": (block.mlp.down_proj if spec.mlp == "swiglu" else block.mlp.fc2).in_features,
        "patch": g["patch_size"], "image": g["image_size"], "registers": g.get("num_register_tokens", 0),
        "positions": "cls+patches", "grid": g["image_size"] // g["patch_size"],
        "layer_scale": spec.family != "hf_vit", "eps": g["layer_norm_eps"],
    }


def make(root: Path, spec: Spec) -> None:
    folder = root / spec.name
    c.write_json(folder / "config.json", spec.config)
    template = spec.model(settings(spec))
    state = c.weights(spec.name, c.shapes_of(on_disk(template)))
    c.save_weights(folder / "model.safetensors", state)

    model, info = spec.model.from_pretrained(folder, config=settings(spec), output_loading_info=True)
    assert not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
    assert all(torch.equal(state[k], v) for k, v in on_disk(model).items()), f"{spec.name}: changed at load"

    size, patch = spec.config["image_size"], spec.config["patch_size"]
    expected = c.Expected()
    inputs = c.tiles(spec.name, size, size)
    expected.inputs("inputs", inputs)
    expected.add("", c.twice(model, runner(inputs, spec)))
    few = ("tap/patch_embed", "embedding")
    for case, hw in {**spec.cases, **spec.offset}.items():
        images = c.tiles(f"{spec.name}/{case}", *hw)
        expected.inputs(f"{case}/inputs", images)
        run = runner(images, spec, **(spec.call if case in spec.cases else {}))
        grid = (hw[0] // patch, hw[1] // patch)
        expected.add(case, c.twice(with_offset(model, grid) if case in spec.offset else model, run), few)

    rules = {k: spec.rule for k in spec.cases} | {k: "bicubic plain with offset 0.1 (I4)" for k in spec.offset}
    c.finish(folder, expected, {
        "mimics": spec.mimics, "family": spec.family, "reference": f"transformers {spec.model.__name__}",
        "weights": "model.safetensors", "dtype": "f32", "sizes": describe(spec, model), "pooling": "cls",
        "first_patch": 1 + spec.config.get("num_register_tokens", 0), "dim": spec.config["hidden_size"],
        "preprocess": {"resize": size, "crop": size, "interpolation": spec.interpolation,
                       "mean": spec.mean_std[0], "std": spec.mean_std[1]},
        "cases": {k: {"height": hw[0], "width": hw[1], "rule": rules[k]}
                  for k, hw in {**spec.cases, **spec.offset}.items()},
        "ignored": spec.ignored, "notes": spec.notes, "mistakes": mistakes(model, inputs, spec),
    })


def jobs() -> dict[str, Callable[[Path], None]]:
    return {spec.name: lambda root, spec=spec: make(root, spec) for spec in SPECS}
