"""Deterministic weights and tiles, taps, and the writing of one fixture folder."""

from __future__ import annotations

import copy
import json
import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
HALF = ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
CLIP = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
OPTIMUS = ([0.707223, 0.578729, 0.703617], [0.211883, 0.230117, 0.177517])
HIBOU = ([0.7068, 0.5755, 0.722], [0.195, 0.2316, 0.1816])
LUNIT = ([0.70322989, 0.53606487, 0.66096631], [0.21716536, 0.26081574, 0.20723464])

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}

# max|engine - expected| / rms(expected) that a float32 engine must reach on every tap and embedding of these fixtures
TOLERANCE = 1e-4

# standard deviation of tokens and of what a block adds to them: small, so that the LayerNorm eps matters
STREAM = 0.02

Tensors = dict[str, torch.Tensor]


# --- numbers from names: no generator of any library is involved -----------------------------------------------------


def mix(h: np.ndarray) -> np.ndarray:
    h = h.astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


def noise(label: str, count: int) -> np.ndarray:
    """`count` u32 numbers of the label: mix(mix(fnv1a(label)) + i + 1)."""
    seed = 0x811C9DC5
    for byte in label.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    start = mix(np.array([seed], np.uint32))
    return mix(np.arange(1, count + 1, dtype=np.uint32) + start)


def uniform(label: str, shape: Iterable[int], std: float = 1.0) -> torch.Tensor:
    """Uniform numbers around 0 with the given standard deviation."""
    shape = tuple(shape)
    u = noise(label, math.prod(shape)) / 2.0**31 - 1
    return torch.from_numpy((u * (math.sqrt(3) * std)).astype(np.float32).reshape(shape))


def tiles(label: str, height: int, width: int, count: int = 2, cell: int = 7) -> torch.Tensor:
    """u8 tiles [count, height, width, 3]: cells of one colour each with noise over them."""
    rows, columns = -(-height // cell), -(-width // cell)
    colour = (noise(f"{label}/colour", count * rows * columns * 3) >> 24).reshape(count, rows, columns, 3)
    colour = colour.repeat(cell, 1).repeat(cell, 2)[:, :height, :width]
    grain = (noise(f"{label}/grain", count * height * width * 3) >> 24).reshape(count, height, width, 3)
    return torch.from_numpy(((colour * 3 + grain) >> 2).astype(np.uint8))


NORM = re.compile(r"(^|\.)(norm\d?|layernorm\w*|ln_\w+|\w*layer_?norm|\w*attn_ln)(\.[AB])?\.(weight|bias)$")
SCALE = re.compile(r"(gamma|lambda1)$")
TOKEN = re.compile(r"(_token|register_tokens|pos_embed|position_embeddings|positions\.[AB]\.weight)$")
PATCH = re.compile(r"(patch_embed\.proj|patch_embeddings\.projection|vision_embed\.proj)\.")
OUTPUT = re.compile(
    r"(attn\.proj|fc2|mlp\.w3|weights_out|out_proj(\.[AB])?|(?<!pooler)(?<!intermediate)\.(output\.)?dense)"
    r"\.(weight|bias)$"
)
SHARP = re.compile(
    r"(qkv|query|key|value|[qkv]_proj(\.[AB])?|fc1|w12|weights_in|intermediate\.dense|to_q|to_kv)\.weight$|proj_weight$"
)


def value(fixture: str, name: str, shape: Iterable[int], scaled: bool) -> torch.Tensor:
    """One weight. `scaled`: the model has LayerScale, which then carries the small size of what a block adds."""
    label, shape = f"{fixture}/{name}", tuple(shape)
    block = re.search(r"(blocks|layers?)\.\d", name) is not None
    if NORM.search(name):
        return uniform(label, shape, 0.1) + (1 if name.endswith("weight") else 0)
    if SCALE.search(name):
        return uniform(label, shape, 0.6 * STREAM) + STREAM
    if TOKEN.search(name):
        return uniform(label, shape, STREAM)
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 1
    if PATCH.search(name):
        return uniform(label, shape, STREAM / math.sqrt(fan_in))
    gain = STREAM if block and OUTPUT.search(name) and not scaled else 1.0
    if name.endswith(".query"):
        return uniform(label, shape)
    if len(shape) < 2:
        return uniform(label, shape, 0.1 * gain)
    return uniform(label, shape, gain * (1.5 if SHARP.search(name) else 1.0) / math.sqrt(fan_in))


def weights(fixture: str, shapes: dict[str, Iterable[int]], dtype: str = "f32") -> OrderedDict[str, torch.Tensor]:
    scaled = any(SCALE.search(name) for name in shapes)
    return OrderedDict((k, value(fixture, k, s, scaled).to(DTYPES[dtype])) for k, s in shapes.items())


def shapes_of(state: Tensors) -> dict[str, list[int]]:
    return {name: list(t.shape) for name, t in state.items()}


# --- running ---------------------------------------------------------------------------------------------------------


def pixels(inputs: torch.Tensor, mean_std: tuple[list[float], list[float]], dtype: torch.dtype) -> torch.Tensor:
    """[B, H, W, 3] u8 to [B, 3, H, W]; mean and std are float32 numbers, as in torchvision."""
    mean, std = (torch.tensor(v, dtype=torch.float32).to(dtype).view(1, 3, 1, 1) for v in mean_std)
    return (inputs.permute(0, 3, 1, 2).to(dtype) / 255 - mean) / std


def traced(blocks: torch.nn.ModuleList, norm: torch.nn.Module, forward: Callable[[], torch.Tensor]) -> Tensors:
    """Runs `forward`, which returns the embedding, and keeps the taps on its way."""
    taps: Tensors = {}

    def keep(name: str) -> Callable:
        def hook(_module: torch.nn.Module, _args: tuple, out: object) -> None:
            taps[name] = (out[0] if isinstance(out, tuple) else out).detach()

        return hook

    def entry(_module: torch.nn.Module, args: tuple) -> None:
        taps["tap/patch_embed"] = args[0].detach()

    handles = [
        blocks[0].register_forward_pre_hook(entry),
        blocks[0].register_forward_hook(keep("tap/block_00")),
        blocks[-1].register_forward_hook(keep("tap/block_last")),
        norm.register_forward_hook(keep("tap/norm")),
    ]
    with torch.no_grad():
        taps["embedding"] = forward()
    for handle in handles:
        handle.remove()
    return taps


def twice(model: torch.nn.Module, run: Callable[[torch.nn.Module, torch.dtype], Tensors]) -> tuple[Tensors, Tensors]:
    """The same run in float64 and float32."""
    return (
        run(copy.deepcopy(model).double().eval(), torch.float64),
        run(copy.deepcopy(model).float().eval(), torch.float32),
    )


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """max|a - b| / rms(b)."""
    b = b.double()
    return float((a.double() - b).abs().max() / b.square().mean().sqrt())


def short(x: float) -> float:
    return float(f"{x:.2g}")


class Expected:
    """Tensors of expected.safetensors, case by case, and their float32 rounding noise."""

    def __init__(self) -> None:
        self.tensors: Tensors = {}
        self.noise: dict[str, float] = {}

    def inputs(self, name: str, inputs: torch.Tensor) -> None:
        self.tensors[name] = inputs.contiguous()

    def add(self, case: str, runs: tuple[Tensors, Tensors], only: tuple[str, ...] | None = None) -> None:
        exact, rounded = runs
        for key, x in exact.items():
            if only is not None and key not in only:
                continue
            name = f"{case}/{key}" if case else key
            self.noise[name] = short(distance(rounded[key], x))
            self.tensors[name] = x.float().contiguous().clone()


# --- writing ---------------------------------------------------------------------------------------------------------


def save_weights(path: Path, state: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(dict(state), path, metadata={"format": "pt"})
    else:
        torch.save(state, path)


def read_weights(path: Path) -> object:
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)


def dump(data: object, indent: int = 0) -> str:
    """JSON with one line for everything that fits into 110 columns."""
    flat = json.dumps(data, ensure_ascii=False)
    if indent + len(flat) <= 110 or not isinstance(data, (dict, list)):
        return flat
    inner = " " * (indent + 2)
    if isinstance(data, dict):
        rows = [f"{inner}{json.dumps(k)}: {dump(v, indent + 2)}" for k, v in data.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(inner + dump(v, indent + 2) for v in data) + "\n" + " " * indent + "]"


def write_json(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump(data) + "\n")


def finish(folder: Path, expected: Expected, meta: dict) -> None:
    """Writes expected.safetensors and meta.json, and refuses a fixture that could not tell a mistake."""
    save_file(dict(sorted(expected.tensors.items())), folder / "expected.safetensors")
    worst = max(expected.noise.values())
    assert worst < TOLERANCE / 10, (folder.name, expected.noise)
    for mistake, size in meta.get("mistakes", {}).items():
        assert size > 2 * TOLERANCE, (folder.name, mistake, size)
    write_json(folder / "meta.json", {**meta, "tolerance": TOLERANCE, "noise": expected.noise})
