"""Makes tests/fixtures/configs: small encoders whose configuration files change numbers, embedded by transformers and timm.

Each folder has model.safetensors, config.json and of transformers also preprocessor_config.json, as the library itself wrote or
reads them, and expected.safetensors: tiles `square` [2, 48, 48, 3] and `wide` [2, 40, 53, 3] and for each `NAME/embedding`, that of
the library's own pipeline. `wide` is left out where the pipeline does not give the model a square. Of transformers' folders
`NAME/fast` is the same through the default image processor, which resizes bytes by torchvision and not by Pillow.

    python tests/python/configs.py            writes everything
    python tests/python/configs.py --check    runs again and compares: bytes of all files, expected to 1e-6 of the rms

Set-up: as for encoders.py. Models run in float64 on the float32 weights; pixels are what the pipelines give.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1"}

import timm  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from timm.data import create_transform, resolve_data_config  # noqa: E402
from timm.layers import SwiGLUPacked  # noqa: E402
from transformers import AutoImageProcessor, AutoModel  # noqa: E402
from transformers import (  # noqa: E402
    Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel, ViTConfig, ViTModel,
)

from encoders import common as c  # noqa: E402

ROOT = Path(__file__).parent.parent / "fixtures" / "configs"
WIDTH, PATCH = 24, 8
SIZES = {"hidden_size": WIDTH, "num_hidden_layers": 1, "patch_size": PATCH}
VIT = {**SIZES, "intermediate_size": 48, "image_size": 32, "num_attention_heads": 3}

# config, model class, preprocessor_config.json, whether tiles need not be square
HF = {
    "vit_squash": (ViTConfig(**VIT), ViTModel, {
        "do_normalize": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
        "image_processor_type": "ViTImageProcessor", "resample": 2, "size": {"height": 32, "width": 32},
    }, True),
    # no heads and no eps in config.json: the class has 12 and 1e-12
    "vit_defaults": (ViTConfig(**{**VIT, "num_attention_heads": 12, "qkv_bias": False}), ViTModel, {
        "feature_extractor_type": "ViTFeatureExtractor", "size": 32, "do_normalize": False,
    }, True),
    "vit_clip": (ViTConfig(**VIT, layer_norm_eps=1e-3), ViTModel, {
        "image_processor_type": "CLIPImageProcessorFast", "size": 35, "crop_size": 32, "rescale_factor": 1 / 127.5,
    }, True),
    # no type: transformers takes BiT's for this model
    "dinov2_bit": (Dinov2Config(**SIZES, image_size=40, num_attention_heads=3), Dinov2Model, {
        "crop_size": {"height": 32, "width": 32}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True,
        "do_rescale": True, "do_resize": True, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": 37},
    }, True),
    "dinov2_shorter": (Dinov2Config(**SIZES, image_size=32, num_attention_heads=3, mlp_ratio=2), Dinov2Model, {
        "do_center_crop": False, "image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 40},
        "image_mean": [0.7, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25], "resample": 2,
    }, False),
    "dinov2_unscaled": (
        Dinov2WithRegistersConfig(**SIZES, image_size=32, num_attention_heads=3, num_register_tokens=2,
                                  use_swiglu_ffn=True),
        Dinov2WithRegistersModel, {
            "image_processor_type": "BitImageProcessor", "do_rescale": False, "do_resize": False, "crop_size": {"height": 24, "width": 24},
            "image_mean": [120, 110, 130], "image_std": [60, 70, 50],
        }, True),
}

BASE = {"img_size": 32, "patch_size": PATCH, "embed_dim": WIDTH, "depth": 1, "num_heads": 3}
DATA = {"input_size": [3, 32, 32], "fixed_input_size": True, "mean": [0.7, 0.58, 0.7], "std": [0.21, 0.23, 0.18]}
# model_args, arguments only code can give, pretrained_cfg, whether tiles need not be square
TIMM = {
    "timm_avg": ({**BASE, "global_pool": "avg", "fc_norm": False, "reg_tokens": 2}, {},
                 {"crop_pct": 0.9, "crop_mode": "squash", "interpolation": "bicubic"}, True),
    "timm_fc_norm": ({**BASE, "global_pool": "avg", "init_values": 1e-5}, {},
                     {"crop_pct": 0.8, "interpolation": "bilinear"}, True),
    "timm_border": ({k: v for k, v in BASE.items() if k != "num_heads"} | {"global_pool": "token"}, {},
                    {"crop_pct": 0.85, "crop_mode": "border"}, False),
    "timm_geglu": ({**BASE, "mlp_layer": "SwiGLUPacked"}, {"mlp_layer": SwiGLUPacked},
                   {"crop_pct": 1.0, "crop_mode": "center"}, True),
    "timm_swiglu": ({**BASE, "mlp_layer": "SwiGLUPacked", "act_layer": "silu"}, {"mlp_layer": SwiGLUPacked}, {}, True),
}
ARCH = {"timm_border": "vit_base_patch16_224"}


def tiles(name: str) -> dict[str, torch.Tensor]:
    return {"square": c.tiles(f"{name}/square", 48, 48), "wide": c.tiles(f"{name}/wide", 40, 53)}


def fill(name: str, model: torch.nn.Module) -> None:
    model.load_state_dict(c.weights(name, c.shapes_of(model.state_dict())))


def write(folder: Path, inputs: dict, embeddings: dict) -> None:
    out = {k: v.float().contiguous() for k, v in embeddings.items()} | inputs
    save_file(dict(sorted(out.items())), folder / "expected.safetensors")


def hf(root: Path, name: str) -> None:
    config, cls, processor, anyhow = HF[name]
    folder = root / name
    model = cls(config)
    fill(name, model)
    model.save_pretrained(folder)
    saved = json.loads((folder / "config.json").read_text())
    if name == "vit_defaults":
        for key in ("num_attention_heads", "layer_norm_eps", "hidden_act"):
            saved.pop(key, None)
    c.write_json(folder / "config.json", saved)
    c.write_json(folder / "preprocessor_config.json", processor)
    loaded = AutoModel.from_pretrained(folder).double().eval()
    found = {}
    inputs = {k: v for k, v in tiles(name).items() if anyhow or k == "square"}
    for kind, backend in (("embedding", "pil"), ("fast", "torchvision")):
        pipeline = AutoImageProcessor.from_pretrained(folder, backend=backend)
        for key, batch in inputs.items():
            images = [Image.fromarray(t.numpy()) for t in batch]
            x = torch.as_tensor(pipeline(images, return_tensors="pt")["pixel_values"])
            with torch.no_grad():
                found[f"{key}/{kind}"] = loaded(pixel_values=x.double()).last_hidden_state[:, 0]
    for key in inputs:
        a, b = found[f"{key}/embedding"], found[f"{key}/fast"]
        assert 1 - torch.cosine_similarity(a, b).min() < 1e-5, (name, key)
    write(folder, inputs, found)


def from_timm(root: Path, name: str) -> None:
    args, code, data, anyhow = TIMM[name]
    arch, folder = ARCH.get(name, "vit_small_patch16_224"), root / name
    cfg = {**DATA, **data}
    model = timm.create_model(arch, num_classes=0, **{**args, **code})
    fill(name, model)
    c.save_weights(folder / "model.safetensors", model.state_dict())
    c.write_json(folder / "config.json", {"architecture": arch, "num_classes": 0, "model_args": args, "pretrained_cfg": cfg})
    transform = create_transform(**resolve_data_config({}, pretrained_cfg=cfg))
    inputs = {k: v for k, v in tiles(name).items() if anyhow or k == "square"}
    model = model.double().eval()
    found = {}
    for key, batch in inputs.items():
        x = torch.stack([transform(Image.fromarray(t.numpy())) for t in batch])
        with torch.no_grad():
            found[f"{key}/embedding"] = model(x.double())
    write(folder, inputs, found)


def run(root: Path) -> None:
    for name in HF:
        hf(root, name)
    for name in TIMM:
        from_timm(root, name)


def same(a: Path, b: Path) -> bool:
    if a.name != "expected.safetensors":
        return a.read_bytes() == b.read_bytes()
    x, y = load_file(a), load_file(b)
    return list(x) == list(y) and all(
        c.distance(y[k], x[k]) < 1e-6 if x[k].is_floating_point() else torch.equal(x[k], y[k]) for k in x)


def main() -> int:
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if "--check" not in sys.argv:
        run(ROOT)
        files = [p for p in ROOT.rglob("*") if p.is_file()]
        print(f"{len(files)} files, {sum(p.stat().st_size for p in files)} bytes")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder))
        pairs = [(p, Path(folder) / p.relative_to(ROOT)) for p in sorted(ROOT.rglob("*")) if p.is_file()]
        wrong = [str(p) for p, q in pairs if not q.exists() or not same(p, q)]
    print(", ".join(wrong) or "all files as committed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
