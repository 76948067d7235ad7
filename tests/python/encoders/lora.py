"""A timm encoder with a LoRA adapter: the adapter folder as PEFT writes it, and the same tensors as SEAL saves them."""

from __future__ import annotations

import copy
import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import peft
import torch
from torch import nn

from . import common as c
from . import timm_family as t

NAME, GENES, HIDDEN = "lora_uni", 10, 512
TARGETS = [f"blocks.2.{part}" for part in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")]
BASE = t.Spec(NAME, "MahmoodLab/UNI", "vit_large_patch16_224", t.sizes(32, 2, 3, 8, init_values=1e-5), 32, c.IMAGENET,
              interpolation="bilinear")


def adapted(base: nn.Module) -> peft.PeftModel:
    settings = peft.LoraConfig(r=4, lora_alpha=8, lora_dropout=0.15, bias="none", target_modules=TARGETS)
    model = peft.get_peft_model(base, settings)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_" in name:
                fan_in = p.shape[1]
                p.copy_(c.uniform(f"{NAME}/{name}", p.shape, fan_in**-0.5 if "lora_A" in name else 0.3))
    return model.eval()


def adapter_folder(model: peft.PeftModel, folder: Path) -> None:
    """PEFT's own files without its model card; the list of targets, a set in PEFT, in a fixed order."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["target_modules"] = TARGETS
    config["base_model_name_or_path"] = BASE.mimics
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def seal_checkpoint(model: peft.PeftModel) -> dict:
    """LoRA tensors, projection head and image decoder as a SEAL vision file has them: no base weights."""
    width = BASE.args["embed_dim"]
    state = OrderedDict()
    for name, p in model.state_dict().items():
        if "lora_" in name:
            state[f"module.encoder.{name}"] = p.detach().clone()
    heads = {
        "projection_head.weight": [width, width], "projection_head.bias": [width],
        "decoder.decoder.0.weight": [HIDDEN, width], "decoder.decoder.0.bias": [HIDDEN],
        "decoder.decoder.3.weight": [GENES, HIDDEN], "decoder.decoder.3.bias": [GENES],
    }
    for name, shape in heads.items():
        state[f"module.{name}"] = c.value(NAME, name, shape, True)
    return {"state_dict": state}


def make(root: Path) -> None:
    folder = root / NAME
    config = t.config_json(BASE)
    c.write_json(folder / "config.json", config)
    template = t.timm.create_model(BASE.arch, num_classes=0, img_size=BASE.image, **BASE.args)
    c.save_weights(folder / BASE.file, c.weights(NAME, c.shapes_of(template.state_dict())))
    base = t.load(folder, {})
    adapter_folder(adapted(copy.deepcopy(base)), folder / "adapter")
    model = peft.PeftModel.from_pretrained(copy.deepcopy(base), folder / "adapter").eval()
    checkpoint = seal_checkpoint(model)
    c.save_weights(folder / "seal_vision.pth", checkpoint)

    inputs = c.tiles(NAME, BASE.image, BASE.image)
    plain = t.runner(inputs, c.IMAGENET, "cls")
    heads = {k.removeprefix("module."): v for k, v in checkpoint["state_dict"].items() if "lora_" not in k}

    def run(m: peft.PeftModel, dtype: torch.dtype) -> c.Tensors:
        taps = plain(m.base_model.model, dtype)
        z = taps["embedding"]
        h = {k: v.to(dtype) for k, v in heads.items()}
        hidden = torch.relu(z @ h["decoder.decoder.0.weight"].T + h["decoder.decoder.0.bias"])
        taps["seal/decoded"] = torch.relu(hidden @ h["decoder.decoder.3.weight"].T + h["decoder.decoder.3.bias"])
        taps["seal/projected"] = z @ h["projection_head.weight"].T + h["projection_head.bias"]
        return taps

    expected = c.Expected()
    expected.inputs("inputs", inputs)
    expected.add("", c.twice(model, run))
    base_runs = c.twice(base, plain)
    expected.add("base", base_runs, ("embedding",))

    def merged(m: peft.PeftModel, dtype: torch.dtype) -> c.Tensors:
        flat = copy.deepcopy(m).merge_and_unload()
        state = flat.state_dict()
        return {**plain(flat, dtype), **{f"{k}.weight": state[f"{k}.weight"] for k in TARGETS}}

    keep = ("embedding", *(f"{k}.weight" for k in TARGETS))
    expected.add("merged", c.twice(model, merged), keep)
    upstream = c.uniform(f"{NAME}/gradient", (2, BASE.args["embed_dim"]))
    expected.inputs("gradient/embedding", upstream)

    def gradients(m: peft.PeftModel, dtype: torch.dtype) -> c.Tensors:
        m = copy.deepcopy(m)
        wanted = {k: p.requires_grad_() for k, p in m.named_parameters() if "lora_" in k}
        z = t.pooled(m.base_model.model, c.pixels(inputs, c.IMAGENET, dtype), "cls")
        found = torch.autograd.grad((z * upstream.to(dtype)).sum(), list(wanted.values()))
        short = [k.removeprefix("base_model.model.").replace(".default", "") for k in wanted]
        return dict(zip(short, found, strict=True))

    expected.add("gradient", c.twice(model, gradients))
    z, unadapted = expected.tensors["embedding"].double(), base_runs[0]["embedding"]
    half = copy.deepcopy(model).double()
    for part in half.modules():
        if hasattr(part, "scaling"):
            part.scaling["default"] = 1.0
    c.finish(folder, expected, {
        "mimics": BASE.mimics, "family": "timm", "reference": "timm, peft", "weights": BASE.file, "dtype": "f32",
        "sizes": t.describe(base, BASE.image, BASE.image), "pooling": "cls", "first_patch": 1,
        "dim": BASE.args["embed_dim"],
        "preprocess": {"resize": BASE.image, "crop": BASE.image, "interpolation": "bilinear",
                       "mean": c.IMAGENET[0], "std": c.IMAGENET[1]},
        "cases": {}, "ignored": [],
        "lora": {"adapter": "adapter", "seal": "seal_vision.pth", "r": 4, "alpha": 8, "scale": 2, "targets": TARGETS},
        "notes": "tap/* and embedding: with the adapter; base/embedding: without; merged/*: after merge_and_unload, "
        "with the merged weights; gradient/*: of sum(embedding * gradient/embedding) for every A and B, no dropout; "
        "seal/*: decoder and projection head of seal_vision.pth, which holds the same A and B, on that embedding. "
        "adapter/ is PEFT's output without its README, targets in a fixed order.",
        "mistakes": {
            "adapter ignored": c.short(c.distance(unadapted, z)),
            "scale 1 for 2": c.short(c.distance(plain(half.base_model.model, torch.float64)["embedding"], z)),
        },
    })


def jobs() -> dict[str, Callable[[Path], None]]:
    return {NAME: make}
