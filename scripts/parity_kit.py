#!/usr/bin/env python3
"""Embeds tiles with PyTorch and writes what `verify --against` compares its own features with.

    python scripts/parity_kit.py FOLDER parity.safetensors                  a folder of timm or transformers: config.json and weights
    python scripts/parity_kit.py FOLDER parity.safetensors --adapter LORA   with a PEFT adapter on it
    python scripts/parity_kit.py FOLDER parity.safetensors --image-size N   fed with images of N px
    deno task verify --encoder FOLDER [--adapter LORA] --against parity.safetensors

Needs torch, safetensors, Pillow and timm or transformers (peft for --adapter). The model and its preparation of tiles are the
library's own. Weights may be in shards. CONCH, whose package is in no registry, is timm's transformer and torch's
MultiheadAttention with the file's weights, loaded strictly, and torchvision's preparation; its folder needs no config.json.
One safetensors file is written; for each set of tiles of one size NAME:

    tiles/NAME       u8  [n, H, W, 3]   what is embedded: integers of a formula, and the images that were named
    pixels/NAME      u8  [n, S, S, 3]   what the model saw, before normalisation
    embedding/NAME   f32 [n, D]
    tap/NAME/TAP     f32 [n, 2, width]  first and last token after `embed`, each `block_NN` and `norm`

Metadata: format, library and versions, pooling, image size if one was given, SHA-256 of weights and adapter, the precision of
the sums.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

FORMAT = "seal-webgpu parity 1"
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
FILES = ("model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin")


def formula(index: int, height: int, width: int) -> np.ndarray:
    """RGB bytes [height, width, 3] like stained tissue: two waves and noise, in whole numbers only."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    seed = 7919 * (index + 1)
    wave = (x * (3 + index) + y * (5 + 2 * index) + seed) % 128
    cells = ((x // (7 + index)) * 37 + (y // (9 + index)) * 61 + seed) % 64
    noise = (((x * 73856093) ^ (y * 19349663) ^ ((c + seed) * 83492791)) >> 7) % 24
    return (90 + np.minimum(wave, 127 - wave) * (2 - c % 2) // 2 + cells // (1 + c) + noise).astype(np.uint8)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_of(folder: Path) -> list[Path]:
    """The weights file, or its shards in order."""
    for name in INDEXES:
        if (folder / name).exists():
            return [folder / shard for shard in sorted(set(json.loads((folder / name).read_text())["weight_map"].values()))]
    found = [folder / name for name in FILES if (folder / name).exists()]
    if not found:
        raise SystemExit(f"Cannot read {folder}: it has none of {', '.join(INDEXES + FILES)}")
    return found[:1]


def hash_of(folder: Path) -> str:
    """SHA-256 of the weights file; of the list of hashes where they are in shards."""
    hashes = [sha256(path) for path in weights_of(folder)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for path in weights_of(folder):
        found |= load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    return found


def config_of(folder: Path) -> dict:
    path = folder / "config.json"
    return json.loads(path.read_text()) if path.exists() else {}


def sized(config: dict, size: int | None) -> dict:
    """Arguments of timm's `resolve_data_config` for images of another size."""
    return config if size is None else {**config, "input_size": (3, size, size)}


class Timm:
    """A folder of timm: `config.json` with `architecture`, `model_args`, `pretrained_cfg`."""

    def __init__(self, folder: Path, arguments: dict, size: int | None):
        import timm
        from timm.data import create_transform, resolve_data_config

        self.versions = {"library": "timm", "timm": timm.__version__}
        config = config_of(folder)
        arguments = {**arguments, **({} if size is None else {"img_size": size})}
        given = {**config.get("model_args", {}), **arguments}
        layers = {key: self.layer(given[key]) for key in ("mlp_layer", "act_layer") if isinstance(given.get(key), str)}
        with tempfile.TemporaryDirectory() as whole:
            if len(weights_of(folder)) > 1:
                # timm reads one file only.
                (Path(whole) / "config.json").write_text(json.dumps(config))
                save_file(tensors_of(folder), Path(whole) / "model.safetensors")
                folder = Path(whole)
            self.model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0, **{**arguments, **layers})
        data = resolve_data_config(sized({}, size), model=self.model)
        self.transform = create_transform(**data, is_training=False)
        self.mean, self.std = data["mean"], data["std"]
        self.blocks, self.norm = self.model.blocks, self.model.norm
        # What the first block is given: tokens with their positions.
        self.embedding, self.pre = None, self.blocks[0]
        self.prefix = self.model.num_prefix_tokens

    @staticmethod
    def layer(name: str):
        import timm.layers
        import torch.nn

        short = name.rsplit(".", 1)[-1]
        found = getattr(timm.layers, short, None) or getattr(torch.nn, short, None)
        return found or timm.layers.get_act_layer(name)

    def prepare(self, image: Image.Image) -> torch.Tensor:
        return self.transform(image)

    def run(self, model, x: torch.Tensor, pooling: str) -> torch.Tensor:
        if pooling == "own":
            return model(x)
        return pool(model.forward_features(x), self.prefix, pooling)


class Conch(torch.nn.Module):
    """CONCH v1's `visual` under its names: a trunk of timm, one query that attends to all tokens, a normalisation."""

    class Pooler(torch.nn.Module):
        def __init__(self, width: int, context: int, heads: int):
            super().__init__()
            self.query = torch.nn.Parameter(torch.zeros(1, width))
            self.attn = torch.nn.MultiheadAttention(width, heads, kdim=context, vdim=context, batch_first=True)
            self.ln_q, self.ln_k = torch.nn.LayerNorm(width), torch.nn.LayerNorm(context)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            keys = self.ln_k(tokens)
            return self.attn(self.ln_q(self.query).expand(len(tokens), -1, -1), keys, keys, need_weights=False)[0][:, 0]

    def __init__(self, state: dict[str, torch.Tensor], heads: int | None):
        from timm.models.vision_transformer import VisionTransformer

        super().__init__()
        width, _, patch, _ = state["trunk.patch_embed.proj.weight"].shape
        pooled = state["attn_pool_contrast.query"].shape[1]
        self.side = patch * round((state["trunk.pos_embed"].shape[1] - 1) ** 0.5)
        self.trunk = VisionTransformer(
            img_size=self.side, patch_size=patch, embed_dim=width, num_heads=heads or width // 64, num_classes=0,
            depth=len({name.split(".")[2] for name in state if name.startswith("trunk.blocks.")}), global_pool="",
            mlp_ratio=state["trunk.blocks.0.mlp.fc1.weight"].shape[0] / width, dynamic_img_size=True,
        )
        self.attn_pool_contrast = self.Pooler(pooled, width, 8)
        self.ln_contrast = torch.nn.LayerNorm(pooled)
        own = ("trunk.", "attn_pool_contrast.", "ln_contrast.")
        self.load_state_dict({name: tensor for name, tensor in state.items() if name.startswith(own)}, strict=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ln_contrast(self.attn_pool_contrast(self.trunk.forward_features(x)))


class ConchKit:
    """A folder of CONCH v1, as the hub has it."""

    NAME = "visual.attn_pool_contrast.attn.in_proj_bias"

    def __init__(self, folder: Path, size: int | None):
        import timm
        from timm.data import create_transform, resolve_data_config
        from timm.data.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

        self.versions = {"library": "timm", "timm": timm.__version__, "model": "conch"}
        config = config_of(folder)
        state = {name.removeprefix("visual."): v for name, v in tensors_of(folder).items() if name.startswith("visual.")}
        self.model = Conch(state, config.get("model_args", {}).get("num_heads"))
        usual = {
            "input_size": (3, self.model.side, self.model.side), "interpolation": "bicubic", "crop_pct": 1.0,
            "mean": OPENAI_CLIP_MEAN, "std": OPENAI_CLIP_STD,
        }
        data = resolve_data_config(sized({}, size), pretrained_cfg={**usual, **config.get("pretrained_cfg", {})})
        self.transform = create_transform(**data, is_training=False)
        self.mean, self.std = data["mean"], data["std"]
        self.blocks, self.norm, self.pre = self.model.trunk.blocks, self.model.trunk.norm, self.model.trunk.blocks[0]

    def prepare(self, image: Image.Image) -> torch.Tensor:
        return self.transform(image)

    def run(self, model, x: torch.Tensor, pooling: str) -> torch.Tensor:
        return model(x) if pooling == "own" else pool(model.trunk.forward_features(x), 1, pooling)


class Transformers:
    """A folder of transformers: `config.json` with `model_type`, `preprocessor_config.json`."""

    def __init__(self, folder: Path, backend: str, size: int | None):
        import transformers
        from transformers import AutoImageProcessor, AutoModel

        self.versions = {"library": "transformers", "transformers": transformers.__version__, "backend": backend}
        self.model = AutoModel.from_pretrained(folder)
        if (folder / "preprocessor_config.json").exists():
            self.processor = AutoImageProcessor.from_pretrained(folder, backend=backend)
        else:
            raise SystemExit(f"Cannot prepare tiles: {folder} has no preprocessor_config.json, by which transformers does it")
        if size is not None:
            self.resize(size)
        scale = self.processor.rescale_factor * 255 if self.processor.do_rescale else 255
        normal = self.processor.do_normalize
        self.mean = [v / scale for v in (self.processor.image_mean if normal else [0, 0, 0])]
        self.std = [v / scale for v in (self.processor.image_std if normal else [1, 1, 1])]
        inner = getattr(self.model, "encoder", self.model)
        self.blocks = getattr(inner, "layer", None) or inner.layers
        self.norm, self.pre = self.model.layernorm, self.blocks[0]
        self.prefix = 1 + getattr(self.model.config, "num_register_tokens", 0)

    def resize(self, size: int) -> None:
        """Another size of what the model sees; what is resized keeps its ratio to it."""
        processor = self.processor
        crop = processor.crop_size["height"] if getattr(processor, "do_center_crop", False) else None
        if crop is not None:
            processor.size = {key: side * size // crop for key, side in dict(processor.size).items() if side}
            processor.crop_size = {"height": size, "width": size}
        else:
            processor.size = {"height": size, "width": size}

    def prepare(self, image: Image.Image) -> torch.Tensor:
        return torch.as_tensor(self.processor([image], return_tensors="pt")["pixel_values"][0])

    def run(self, model, x: torch.Tensor, pooling: str) -> torch.Tensor:
        # A ViT of transformers refuses other sizes unless it is told; Dinov2 and later ones need no telling.
        told = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters
        y = model(pixel_values=x, **({"interpolate_pos_encoding": True} if told else {})).last_hidden_state
        return pool(y, self.prefix, "cls" if pooling == "own" else pooling)


def pool(tokens: torch.Tensor, prefix: int, pooling: str) -> torch.Tensor:
    cls, mean = tokens[:, 0], tokens[:, prefix:].mean(1)
    return {"cls": cls, "mean": mean, "cls+mean": torch.cat([cls, mean], 1)}[pooling]


def ends(tokens) -> torch.Tensor:
    tokens = tokens[0] if isinstance(tokens, tuple) else tokens
    return torch.stack([tokens[:, 0], tokens[:, -1]], 1).detach()


def embed(kit, model, x: torch.Tensor, pooling: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    taps: dict[str, torch.Tensor] = {}
    hooks = [kit.pre.register_forward_pre_hook(lambda _, a: taps.__setitem__("embed", ends(a[0])))]
    for i, block in enumerate(kit.blocks):
        hooks.append(block.register_forward_hook(lambda _m, _a, y, i=i: taps.__setitem__(f"block_{i:02}", ends(y))))
    if not isinstance(kit.norm, torch.nn.Identity):
        hooks.append(kit.norm.register_forward_hook(lambda _m, _a, y: taps.__setitem__("norm", ends(y))))
    with torch.inference_mode():
        y = kit.run(model, x, pooling)
    for hook in hooks:
        hook.remove()
    return y, taps


def tile_sets(kit, images: list[str]) -> dict[str, np.ndarray]:
    """Tiles by the name of their set: the size the model sees, larger, smaller, not square; then images."""
    try:
        side = kit.prepare(Image.fromarray(formula(0, 512, 512))).shape[-1]
    except Exception as error:  # the library's own, of whatever kind
        raise SystemExit(f"Cannot prepare a tile of 512 px: {error}") from error
    sizes = {
        "native": (side, side), "larger": (side * 9 // 7, side * 9 // 7), "smaller": (side * 4 // 7, side * 4 // 7),
        "wide": (side * 8 // 7, side * 10 // 7 + 1),
    }
    sets = {
        name: np.stack([formula(2 * i + j, h, w) for j in range(2 if name == "native" else 1)])
        for i, (name, (h, w)) in enumerate(sizes.items())
    }
    for i, path in enumerate(images):
        sets[f"image_{i}"] = np.asarray(Image.open(path).convert("RGB"))[None]
    kept = {}
    for name, tiles in sets.items():
        shape = tuple(kit.prepare(Image.fromarray(tiles[0])).shape)
        if shape == (3, side, side):
            kept[name] = tiles
        else:
            print(f"{name}: left out, since the library makes {shape} of it, not {(3, side, side)}")
    return kept


def kit_of(folder: Path, arguments: dict, backend: str, size: int | None):
    config = config_of(folder)
    # A file of CONCH says what it is by its names, whatever a configuration beside it says.
    if ConchKit.NAME in tensors_of(folder):
        return ConchKit(folder, size)
    if not config:
        raise SystemExit(f"Cannot tell what {folder} is: it has no config.json of timm or transformers")
    is_timm = "pretrained_cfg" in config or "architecture" in config
    return Timm(folder, arguments, size) if is_timm else Transformers(folder, backend, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--adapter", type=Path, help="PEFT folder on top of the weights")
    parser.add_argument("--image", action="append", default=[], help="an image besides; may be given again")
    parser.add_argument("--pooling", choices=["own", "cls", "mean", "cls+mean"], default="own")
    parser.add_argument("--arg", action="append", default=[], metavar="KEY=VALUE", help="argument for timm.create_model")
    parser.add_argument("--image-size", type=int, metavar="N", help="side of what the model sees, px; its own unless given")
    parser.add_argument("--backend", choices=["pil", "torchvision"], default="pil", help="of transformers' image processor")
    parser.add_argument("--double", action="store_true", help="sums in float64")
    given = parser.parse_args()
    arguments = dict(word.split("=", 1) for word in given.arg)
    arguments = {k: int(v) if v.lstrip("-").isdigit() else v for k, v in arguments.items()}
    kit = kit_of(given.folder, arguments, given.backend, given.image_size)
    model = kit.model
    metadata = {"format": FORMAT, **kit.versions, "torch": torch.__version__, "pooling": given.pooling,
                "weights_sha256": hash_of(given.folder), "sums": "f64" if given.double else "f32"}
    if given.image_size is not None:
        metadata["image_size"] = str(given.image_size)
    if given.adapter:
        import peft

        model = peft.PeftModel.from_pretrained(model, given.adapter).base_model.model
        metadata |= {"peft": peft.__version__, "adapter_sha256": sha256(given.adapter / "adapter_model.safetensors")}
    model = (model.double() if given.double else model.float()).eval()
    mean, std = (torch.tensor(v, dtype=torch.float64).reshape(3, 1, 1) for v in (kit.mean, kit.std))
    tensors = {}
    for name, tiles in tile_sets(kit, given.image).items():
        x = torch.stack([kit.prepare(Image.fromarray(tile)) for tile in tiles])
        levels = ((x.double() * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
        y, taps = embed(kit, model, x.double() if given.double else x.float(), given.pooling)
        tensors |= {f"tiles/{name}": torch.from_numpy(tiles.copy()), f"pixels/{name}": levels.permute(0, 2, 3, 1),
                    f"embedding/{name}": y, **{f"tap/{name}/{tap}": v for tap, v in taps.items()}}
        print(f"{name}: {tuple(tiles.shape)} -> {tuple(y.shape)}, {len(taps)} taps")
    save_file({k: (v if v.dtype == torch.uint8 else v.float()).contiguous() for k, v in tensors.items()}, given.out, metadata)


if __name__ == "__main__":
    main()
