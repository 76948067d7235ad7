"""full_shapes.json: names and shapes of every encoder's file at full size, from models on the meta device.

Blocks that are alike are one entry with {i}; `depth` says how many there are. Where parameter totals and tensor counts
are published or documented, they are asserted here.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import timm
import torch
from timm.layers import SwiGLUPacked
from torch import nn
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTModel,
)

from . import common as c
from . import musk
from .hf import on_disk

Shapes = dict[str, list[int]]

SWIGLU = {"mlp_layer": SwiGLUPacked, "act_layer": nn.SiLU}
UNI2H = {
    "img_size": 224, "patch_size": 14, "depth": 24, "num_heads": 24, "init_values": 1e-5, "embed_dim": 1536,
    "mlp_ratio": 2.66667 * 2, "no_embed_class": True, "reg_tokens": 8, "dynamic_img_size": True, **SWIGLU,
}
VIRCHOW = {"img_size": 224, "init_values": 1e-5, "mlp_ratio": 5.3375, "global_pool": "", **SWIGLU}
GIGAPATH = {"img_size": 224, "patch_size": 16}

# id: (timm architecture, arguments, tensors, parameters); totals of the encoder alone, None where nothing is documented
TIMM = {
    "uni": ("vit_large_patch16_224", {"init_values": 1e-5}, 342, 303_350_784),
    "uni2h": ("vit_giant_patch14_224", UNI2H, 343, 681_394_176),
    "virchow": ("vit_huge_patch14_224", VIRCHOW, 454, 631_229_184),
    "virchow2": ("vit_huge_patch14_224", {**VIRCHOW, "reg_tokens": 4}, 455, 631_239_424),
    "hoptimus0": ("vit_giant_patch14_reg4_dinov2", {"img_size": 224}, 567, 1_134_774_272),
    "hoptimus1": ("vit_giant_patch14_reg4_dinov2", {"img_size": 224}, 567, 1_134_774_272),
    "h0mini": ("vit_base_patch14_reg4_dinov2", {"img_size": 224, "mlp_ratio": 5.33334, **SWIGLU}, 175, 85_739_520),
    "gigapath": ("vit_giant_patch14_dinov2", GIGAPATH, 566, 1_134_953_984),
    "kaiko_s16": ("vit_small_patch16_224", {}, 150, 21_665_664),
    "kaiko_s8": ("vit_small_patch8_224", {}, 150, 21_670_272),
    "kaiko_b16": ("vit_base_patch16_224", {}, 150, 85_798_656),
    "kaiko_b8": ("vit_base_patch8_224", {}, 150, 85_807_872),
    "kaiko_l14": ("vit_large_patch14_reg4_dinov2", {"img_size": 518}, 343, 304_370_688),
    "gpfm": ("vit_large_patch14_dinov2", {"img_size": 224}, 342, 303_227_904),
    "lunit_s8": ("vit_small_patch8_224", {}, 150, 21_670_272),
    "timm_vit_s16": ("vit_small_patch16_224", {}, 150, 21_665_664),
    "timm_vit_b16": ("vit_base_patch16_224", {}, 150, 85_798_656),
    "timm_vit_l16": ("vit_large_patch16_224", {}, 294, None),
    "dinov2_s14": ("vit_small_patch14_dinov2", {"img_size": 518}, 174, 22_056_192),
    "dinov2_b14": ("vit_base_patch14_dinov2", {"img_size": 518}, 174, 86_579_712),
    "dinov2_l14": ("vit_large_patch14_dinov2", {"img_size": 518}, 342, 304_367_616),
    "dinov2_g14": ("vit_giant_patch14_dinov2", {"img_size": 518}, 566, 1_136_479_232),
    "dinov2_s14_reg4": ("vit_small_patch14_reg4_dinov2", {"img_size": 518}, 175, None),
    "dinov2_b14_reg4": ("vit_base_patch14_reg4_dinov2", {"img_size": 518}, 175, None),
    "dinov2_l14_reg4": ("vit_large_patch14_reg4_dinov2", {"img_size": 518}, 343, None),
    "dinov2_g14_reg4": ("vit_giant_patch14_reg4_dinov2", {"img_size": 518}, 567, None),
}

B = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}
L = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
REG = {"image_size": 224, "patch_size": 14, "num_register_tokens": 4, "use_swiglu_ffn": True}

# id: (model, config, tensors, parameters, tensors that are in the file and not needed)
HF = {
    "phikon": (ViTModel, ViTConfig(**B, intermediate_size=3072, image_size=224, patch_size=16), 198, 85_798_656,
               ["pooler.dense.weight", "pooler.dense.bias"]),
    "phikon_v2": (Dinov2Model, Dinov2Config(**L, image_size=224, patch_size=16), 439, 303_351_808,
                  ["embeddings.mask_token"]),
    "hibou_b": (Dinov2WithRegistersModel, Dinov2WithRegistersConfig(**B, **REG), 224, 85_741_056,
                ["embeddings.mask_token"]),
    "hibou_l": (Dinov2WithRegistersModel, Dinov2WithRegistersConfig(**L, **REG), 440, 303_659_264,
                ["embeddings.mask_token"]),
    "dinov2_s14_hf": (Dinov2Model, Dinov2Config(hidden_size=384, num_hidden_layers=12, num_attention_heads=6,
                                                image_size=518, patch_size=14), 223, None, ["embeddings.mask_token"]),
}


def entry(source: str, heads: int, shapes: Shapes, ignored: Shapes, count: int | None, total: int | None) -> dict:
    """One encoder. `shapes`: what it needs; `ignored`: what else its file may hold."""
    elements = sum(math.prod(s) for s in shapes.values())
    return {
        "source": source, "heads": heads, "tensors": len(shapes), "elements": elements,
        **pattern(shapes), **({"ignored": folded(ignored)} if ignored else {}),
        "checked": {"tensors": count is not None, "elements": total is not None},
    }


def folded(shapes: Shapes) -> list[list]:
    rows: dict[str, list[int]] = {}
    for name, shape in shapes.items():
        key = re.sub(r"(blocks|layers?|resblocks)\.\d+\.", r"\1.{i}.", name)
        assert rows.setdefault(key, shape) == shape, name
    return [[name, shape] for name, shape in rows.items()]


def pattern(shapes: Shapes) -> dict:
    rows = folded(shapes)
    depth = 1 + max(int(m[1]) for name in shapes if (m := re.search(r"(?:blocks|layers?)\.(\d+)\.", name)))
    assert len(shapes) == sum(depth if "{i}" in name else 1 for name, _ in rows)
    return {"depth": depth, "names": rows}


def check(name: str, found: dict, count: int | None, total: int | None, extra: int = 0) -> dict:
    assert count is None or found["tensors"] == count, (name, found["tensors"], count)
    assert total is None or found["elements"] + extra == total, (name, found["elements"], total)
    return found


def timm_entry(name: str) -> dict:
    arch, args, count, total = TIMM[name]
    with torch.device("meta"):
        model = timm.create_model(arch, num_classes=0, **args)
    shapes = c.shapes_of(model.state_dict())
    ignored = {"head.weight": [1000, model.embed_dim], "head.bias": [1000]} if name.startswith("timm_vit") else {}
    call = {k: v for k, v in args.items() if k not in SWIGLU}
    source = f"timm {arch} {call or ''}{' SwiGLUPacked' if 'mlp_layer' in args else ''}".strip()
    return check(name, entry(source, model.blocks[0].attn.num_heads, shapes, ignored, count, total), count, total)


def hf_entry(name: str) -> dict:
    kind, config, count, total, unneeded = HF[name]
    with torch.device("meta"):
        model = kind(config)
    shapes = c.shapes_of(on_disk(model))
    ignored = {k: shapes.pop(k) for k in unneeded}
    # the documented counts of the Dinov2 files include the mask token, those of Phikon leave the pooler out
    masked = [s for k, s in ignored.items() if "mask_token" in k]
    found = entry(f"transformers {kind.__name__}", config.num_attention_heads, shapes, ignored, count, total)
    found["tensors"] += len(masked)
    check(name, found, count, total, sum(math.prod(s) for s in masked))
    found["tensors"] -= len(masked)
    return found


def trunk(width: int, heads: int, depth: int, image: int, **more: object) -> Shapes:
    with torch.device("meta"):
        model = timm.models.vision_transformer.VisionTransformer(
            img_size=image, patch_size=16, embed_dim=width, depth=depth, num_heads=heads, num_classes=0,
            global_pool="", **more,
        )
    return {f"trunk.{k}": v for k, v in c.shapes_of(model.state_dict()).items()}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": [width], f"{name}.bias": [width]}


def text_tower() -> Shapes:
    """CONCH v1's text branch under open_clip's names; 128 positions follow from the documented total of the file."""
    d = 768
    out: Shapes = {
        "text.positional_embedding": [128, d], "text.text_projection": [d, 512], "text.cls_emb": [d],
        "text.token_embedding.weight": [32007, d],
    }
    for i in range(12):
        block = f"text.transformer.resblocks.{i}"
        out |= norm(f"{block}.ln_1", d)
        out |= {f"{block}.attn.in_proj_weight": [3 * d, d], f"{block}.attn.in_proj_bias": [3 * d],
                f"{block}.attn.out_proj.weight": [d, d], f"{block}.attn.out_proj.bias": [d]}
        out |= norm(f"{block}.ln_2", d)
        out |= {f"{block}.mlp.c_fc.weight": [4 * d, d], f"{block}.mlp.c_fc.bias": [4 * d],
                f"{block}.mlp.c_proj.weight": [d, 4 * d], f"{block}.mlp.c_proj.bias": [d]}
    return out | norm("text.ln_final", d)


def conch_v1_entry() -> dict:
    pool = {
        "attn_pool_contrast.query": [1, 512], **norm("attn_pool_contrast.ln_q", 512),
        **norm("attn_pool_contrast.ln_k", 768), "attn_pool_contrast.attn.q_proj_weight": [512, 512],
        "attn_pool_contrast.attn.k_proj_weight": [512, 768], "attn_pool_contrast.attn.v_proj_weight": [512, 768],
        "attn_pool_contrast.attn.in_proj_bias": [1536], "attn_pool_contrast.attn.out_proj.weight": [512, 512],
        "attn_pool_contrast.attn.out_proj.bias": [512], **norm("ln_contrast", 512),
    }
    needed = {f"visual.{k}": v for k, v in {**trunk(768, 12, 12, 448), **pool}.items()}
    spare = {
        "proj_contrast": [512, 512], "attn_pool_caption.query": [256, 768], **norm("attn_pool_caption.ln_q", 768),
        **norm("attn_pool_caption.ln_k", 768), "attn_pool_caption.attn.in_proj_weight": [2304, 768],
        "attn_pool_caption.attn.in_proj_bias": [2304], "attn_pool_caption.attn.out_proj.weight": [768, 768],
        "attn_pool_caption.attn.out_proj.bias": [768], **norm("ln_caption", 768),
    }
    spare = {f"visual.{k}": v for k, v in spare.items()}
    text = text_tower()
    sizes = [sum(math.prod(s) for s in shapes.values()) for shapes in (needed, spare, text)]
    assert len(needed) + len(spare) == 175 and len(text) == 150
    assert sizes[0] == 87_567_104 and sizes[0] + sizes[1] == 90_392_832 and sum(sizes) + 1 == 200_522_497
    return entry("documented names, timm trunk", 12, needed, {"logit_scale": [], **spare, **text}, 175, 90_392_832)


def conch_v15_entry() -> dict:
    pool = {
        "attn_pool_contrast.query": [1, 768], **norm("attn_pool_contrast.ln_k", 1024),
        **norm("attn_pool_contrast.ln_q", 768), "attn_pool_contrast.to_q.weight": [768, 768],
        "attn_pool_contrast.to_kv.weight": [1536, 1024], "attn_pool_contrast.to_out.weight": [768, 768],
        **norm("ln_contrast", 768),
    }
    found = entry("documented names, timm trunk; the file may have 785 position rows", 16,
                  {**trunk(1024, 16, 24, 224, init_values=1e-5), **pool}, {}, 352, 306_109_184)
    return check("conch_v15", found, 352, 306_109_184)


def musk_entry() -> dict:
    every = musk.shapes(1024, 24, 4096, 16, 24 * 24, 1024)
    needed = {k: v for k, v in every.items() if k.startswith("beit3.") and not re.search(r"\.B\.|text_|mask_", k)}
    spare = {k: v for k, v in every.items() if k not in needed}
    spare["beit3.text_embed.weight"] = [64010, 1024]
    spare["beit3.encoder.embed_positions.B.weight"] = [1024, 1024]
    found = entry("documented names; rows of embed_positions.B not documented", 16, needed, spare, 486, 303_938_560)
    return check("musk", found, 486, 303_938_560)


def make(root: Path) -> None:
    found = {name: timm_entry(name) for name in TIMM} | {name: hf_entry(name) for name in HF}
    found |= {"conch_v1": conch_v1_entry(), "conch_v15": conch_v15_entry(), "musk": musk_entry()}
    c.write_json(root / "full_shapes.json", {"made": "tests/python/encoders.py", "encoders": found})


def jobs() -> dict:
    return {"full_shapes": make}
