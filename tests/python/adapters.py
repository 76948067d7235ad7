"""Makes tests/fixtures/adapters: adapters whose target_modules reach further than attention and MLP, by PEFT itself.

    timm_proj       target_modules ["qkv", "proj"]: in timm the patch embedding's convolution is called proj too
    timm_patterns   every linear layer and the convolution, rank_pattern, alpha_pattern, rsLoRA, fan_in_fan_out
    hf_vit          "all-linear" and the convolution on transformers' ViT, under the module names of transformers 5; its pooler
    hf_dinov2       the same on Dinov2 with SwiGLU, whose gate and up projection lie in one tensor on disk

Every folder has model.safetensors, config.json, adapter/ and expected.safetensors: tiles, the embedding with the adapter, and
merged/*, the weights that merge_and_unload leaves, under the names of model.safetensors; of timm's also gradient/*, that of
sum(embedding * upstream) for every A and B. Runs are float64, rounded once.

    python tests/python/adapters.py            writes everything
    python tests/python/adapters.py --check    runs again and compares with the committed files, byte for byte

Set-up: as for encoders.py.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "ATEN_CPU_CAPABILITY": "default"}

import peft  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402
from torch import nn  # noqa: E402
from transformers import Dinov2Config, Dinov2Model, ViTConfig, ViTModel  # noqa: E402
from transformers.core_model_loading import revert_weight_conversion  # noqa: E402

from encoders import common as c  # noqa: E402

ROOT = Path(__file__).parent.parent / "fixtures" / "adapters"
SIZE, PATCH, WIDTH = 16, 8, 32
TIMM = {"img_size": SIZE, "patch_size": PATCH, "embed_dim": WIDTH, "depth": 2, "num_heads": 2, "num_classes": 0}
HF = {"hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": SIZE, "patch_size": PATCH}
PATTERNS = {
    "target_modules": r"(patch_embed\.proj|.*\.(qkv|proj|fc1|fc2))", "rank_pattern": {"patch_embed.proj": 3, "fc1": 5},
    "alpha_pattern": {r"^patch_embed\.proj": 7, r"blocks.1.attn.qkv": 2}, "use_rslora": True, "fan_in_fan_out": True,
}
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2", "gate_proj", "up_proj", "down_proj", "projection"]


def fill(name: str, model: nn.Module) -> None:
    shapes = c.shapes_of(model.state_dict())
    model.load_state_dict(c.weights(name, shapes))


def make(root: Path, name: str, model: nn.Module, config: dict, names, cls, settings: dict) -> None:
    """`names` gives a state dict the names it has on disk; `cls` runs a model on pixels."""
    folder = root / name
    fill(name, model)
    c.save_weights(folder / "model.safetensors", {k: v.contiguous() for k, v in names(model, model.state_dict()).items()})
    c.write_json(folder / "config.json", config)
    adapted = peft.get_peft_model(copy.deepcopy(model), peft.LoraConfig(r=4, lora_alpha=8, **settings))
    with torch.no_grad():
        for key, p in adapted.named_parameters():
            if "lora_" in key:
                p.copy_(c.uniform(f"{name}/{key}", p.shape, 0.1))
    adapted.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    path = folder / "adapter" / "adapter_config.json"
    saved = json.loads(path.read_text())
    if isinstance(saved["target_modules"], list):
        saved["target_modules"].sort()
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")

    inputs = c.tiles(name, SIZE, SIZE)
    exact = adapted.double().eval()
    x = c.pixels(inputs, c.HALF, torch.float64)
    with torch.no_grad():
        embedding = cls(exact.base_model.model, x)
        bare = cls(copy.deepcopy(model).double().eval(), x)
    upstream = c.uniform(f"{name}/gradient", embedding.shape)
    wanted = {k: p.requires_grad_() for k, p in exact.named_parameters() if "lora_" in k and "pooler" not in k}
    grads = torch.autograd.grad((cls(exact.base_model.model, x) * upstream.double()).sum(), list(wanted.values()))
    short = [k.removeprefix("base_model.model.").replace(".default", "") for k in wanted]
    with torch.no_grad():
        merged = exact.merge_and_unload()
        same = cls(merged, x)
    assert c.distance(same, embedding) < 1e-12 < 1e-2 < c.distance(bare, embedding), name
    tensors = {f"merged/{k}": v for k, v in names(merged, merged.state_dict()).items()}
    tensors |= {"embedding": embedding, "base/embedding": bare, "upstream": upstream}
    if name.startswith("timm"):
        tensors |= {f"gradient/{k}": g for k, g in zip(short, grads, strict=True)}
    out = {k: v.float().contiguous().clone() for k, v in tensors.items()} | {"inputs": inputs}
    save_file(dict(sorted(out.items())), folder / "expected.safetensors")


def same(_model: nn.Module, state: dict) -> dict:
    return dict(state)


def timm_cls(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model(x)


def hf_cls(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return model(pixel_values=x).last_hidden_state[:, 0]


def timm_config() -> dict:
    args = {k: v for k, v in TIMM.items() if k != "num_classes"}
    data = {"input_size": [3, SIZE, SIZE], "interpolation": "bicubic", "crop_pct": 1.0, "mean": c.HALF[0],
            "std": c.HALF[1]}
    return {"architecture": "vit_small_patch16_224", "global_pool": "token", "num_classes": 0, "model_args": args,
            "pretrained_cfg": data}


def hf_config(config: object, kind: str) -> dict:
    return {**json.loads(config.to_json_string(use_diff=True)), "architectures": [kind]}


def run(root: Path) -> None:
    for name, settings in (("timm_proj", {"target_modules": ["qkv", "proj"]}), ("timm_patterns", PATTERNS)):
        make(root, name, VisionTransformer(**TIMM), timm_config(), same, timm_cls, settings)
    vit = ViTConfig(**HF, intermediate_size=64)
    make(root, "hf_vit", ViTModel(vit), hf_config(vit, "ViTModel"), revert_weight_conversion, hf_cls,
         {"target_modules": [*LINEAR, "pooler.dense"]})
    dinov2 = Dinov2Config(**HF, use_swiglu_ffn=True, mlp_ratio=2)
    make(root, "hf_dinov2", Dinov2Model(dinov2), hf_config(dinov2, "Dinov2Model"), revert_weight_conversion, hf_cls,
         {"target_modules": LINEAR})


def main() -> int:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    transformers.utils.logging.set_verbosity_error()
    if "--check" not in sys.argv:
        run(ROOT)
        files = [p for p in ROOT.rglob("*") if p.is_file()]
        print(f"{len(files)} files, {sum(p.stat().st_size for p in files)} bytes")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder))
        pairs = [(p, Path(folder) / p.relative_to(ROOT)) for p in sorted(ROOT.rglob("*")) if p.is_file()]
        wrong = [p.name for p, q in pairs if not q.exists() or p.read_bytes() != q.read_bytes()]
    print(", ".join(wrong) or "all files as committed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
