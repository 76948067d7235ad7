"""Adapters between this engine and PEFT, both ways, on the encoder of tests/fixtures/encoders/lora_uni.

    python tests/python/peft_roundtrip.py             prints the transcript; status 1 if anything is beyond its bound
    python tests/python/peft_roundtrip.py --write     and stores it as tests/fixtures/peft_roundtrip.txt

- written here: `writeAdapter` of src/io/torch/peft.ts, random weights, on qkv, proj, fc1 and fc2 of the last block. PEFT loads
  the folder onto timm's model; matrices must be equal bit for bit, scales and embeddings to the bounds below.
- written by PEFT: `save_pretrained` of adapters with targets by suffix, list and regular expression, rank_pattern,
  alpha_pattern and rslora, PEFT's own rewriting of ours, and the fixture's. The engine loads the folder.
- merged: `convert merge` writes one file; timm loads it strictly. Weights are compared with merge_and_unload in float64.

PEFT and timm run in float64 on the float32 weights, the engine in float32. Distances are max|a - b| / rms(b).
Set-up: as for encoders.py, and `deno` on the PATH.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "ATEN_CPU_CAPABILITY": "default"}

import peft  # noqa: E402
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch import nn  # noqa: E402

from encoders import common as c  # noqa: E402
from encoders import timm_family as t  # noqa: E402

ROOT = Path(__file__).parent.parent.parent
FIXTURE = ROOT / "tests" / "fixtures" / "encoders" / "lora_uni"
TRANSCRIPT = ROOT / "tests" / "fixtures" / "peft_roundtrip.txt"
# Embeddings; scales, which are text in JSON; merged weights, rounded to float32 once.
EMBEDDING, SCALE, WEIGHT = 1e-5, 1e-12, 1e-7
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")

PEFT_CASES = {
    "suffixes": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.15, "target_modules": ["qkv", "proj", "fc1", "fc2"],
                 "exclude_modules": "patch_embed.*"},
    "patterns": {"r": 4, "lora_alpha": 8, "target_modules": ["qkv", "attn.proj", "fc1", "fc2"],
                 "rank_pattern": {"fc1": 2, "blocks.1.attn.qkv": 7}, "alpha_pattern": {"fc2": 3, r"blocks\.0\..*": 5}},
    "rslora": {"r": 9, "lora_alpha": 6, "use_rslora": True, "rank_pattern": {"fc2": 4},
               "target_modules": ["qkv", "attn.proj", "fc1", "fc2"]},
    "regex": {"r": 3, "lora_alpha": 3, "target_modules": r"blocks\.[12]\.(attn\.qkv|mlp\.fc1)"},
    "gaussian": {"r": 8, "lora_alpha": 16, "init_lora_weights": "gaussian", "target_modules": ["blocks.2.attn.qkv"]},
}


def deno(*args: str) -> None:
    subprocess.run(["deno", *args], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def embedding(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """In float64 of the float32 weights."""
    model = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        return t.pooled(model, c.pixels(inputs, c.IMAGENET, torch.float64), "cls")


def random_adapter(base: nn.Module, name: str, settings: dict) -> peft.PeftModel:
    model = peft.get_peft_model(copy.deepcopy(base), peft.LoraConfig(**settings))
    with torch.no_grad():
        for key, p in model.named_parameters():
            if "lora_" in key:
                p.copy_(c.uniform(f"{name}/{key}", p.shape, p.shape[1] ** -0.5 if "lora_A" in key else 0.3))
    return model.eval()


def layers(model: peft.PeftModel) -> dict[str, nn.Module]:
    found = {name: m for name, m in model.base_model.model.named_modules() if hasattr(m, "lora_A")}
    return {name: m for name, m in found.items() if "default" in m.lora_A}


class Report:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.good = True

    def say(self, text: str = "") -> None:
        self.lines.append(text)
        print(text, flush=True)

    def row(self, name: str, **values: tuple[float, float] | str) -> None:
        """Numbers with the bound each must keep."""
        cells = []
        for key, value in values.items():
            if isinstance(value, str):
                cells.append(f"{key.replace('_', ' ')} {value}")
                continue
            number, bound = value
            good = number <= bound
            self.good &= good
            cells.append(f"{key.replace('_', ' ')} {number:.1e}{'' if good else f' BEYOND {bound:.0e}'}")
        self.say(f"  {name:<15} {'; '.join(cells)}")


def ours_to_peft(report: Report, root: Path, base: nn.Module, inputs: torch.Tensor, bare: torch.Tensor) -> None:
    report.say("written here, read by PEFT (embedding: PEFT's against the engine's)")
    for folder in sorted(p for p in root.iterdir()):
        model = peft.PeftModel.from_pretrained(copy.deepcopy(base), folder).eval()
        stored = load_file(folder / "adapter_model.safetensors")
        state = {k.replace(".default", ""): v for k, v in model.state_dict().items() if "lora_" in k}
        same = state.keys() == stored.keys() and all(torch.equal(state[k], v) for k, v in stored.items())
        report.good &= same
        wanted = json.loads((folder / "scales.json").read_text())
        assert wanted.keys() == layers(model).keys()
        scales = max(abs(m.scaling["default"] / wanted[name] - 1) for name, m in layers(model).items())
        z = embedding(model.base_model.model, inputs)
        report.row(
            folder.name, modules=str(len(layers(model))), ranks=ranks(model), scales=f"{scaling(model)}",
            matrices="equal" if same else "DIFFERENT", scale_error=(scales, SCALE),
            embedding=(c.distance(load_file(folder / "ours.safetensors")["embedding"], z), EMBEDDING),
            without_adapter=f"{c.distance(bare, z):.1e}",
        )
        # The loaded adapter once more, as PEFT writes it.
        model.save_pretrained(root.parent / "peft" / f"again_{folder.name}")


def ranks(model: peft.PeftModel) -> str:
    return "/".join(str(r) for r in sorted({m.r["default"] for m in layers(model).values()}))


def scaling(model: peft.PeftModel) -> str:
    return "/".join(f"{s:.4g}" for s in sorted({m.scaling["default"] for m in layers(model).values()}))


def peft_to_ours(report: Report, root: Path, base: nn.Module, inputs: torch.Tensor, bare: torch.Tensor) -> None:
    report.say("written by PEFT, read here (embedding: the engine's against PEFT's)")
    for folder in sorted(p for p in root.iterdir()):
        model = peft.PeftModel.from_pretrained(copy.deepcopy(base), folder).eval()
        z = embedding(model.base_model.model, inputs)
        report.row(
            folder.name, modules=str(len(layers(model))), ranks=ranks(model), scales=scaling(model),
            embedding=(c.distance(load_file(folder / "ours.safetensors")["embedding"], z), EMBEDDING),
            without_adapter=f"{c.distance(bare, z):.1e}",
        )


def merged_files(report: Report, roots: list[Path], base: nn.Module, inputs: torch.Tensor) -> None:
    report.say("merged by convert merge, read by timm and here (weights: against merge_and_unload in float64)")
    for folder in sorted(p for root in roots for p in root.iterdir()):
        flat = peft.PeftModel.from_pretrained(copy.deepcopy(base), folder).double().eval().merge_and_unload()
        wanted = flat.state_dict()
        state = load_file(folder / "merged.safetensors")
        model = copy.deepcopy(base)
        model.load_state_dict(state, strict=True)
        before = base.state_dict()
        changed = [k for k, v in state.items() if not torch.equal(v, before[k])]
        z = embedding(model, inputs)
        report.row(
            f"{folder.parent.name}/{folder.name}", tensors_changed=str(len(changed)),
            weights=(max(relative(state[k], wanted[k]) for k in state), WEIGHT),
            timm=(c.distance(z, embedding(flat, inputs)), EMBEDDING),
            here=(c.distance(load_file(folder / "ours.safetensors")["merged"], z), EMBEDDING),
        )


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    """max|a - b| / max|b|."""
    return float((a.double() - b.double()).abs().max() / b.double().abs().max())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    # The fixture's base is no model of the hub.
    warnings.filterwarnings("ignore", message="Could not find a config file")
    report = Report()
    runtime = subprocess.run(["deno", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    tools = ", ".join(f"{name} {version(name).split('+')[0]}" for name in ("peft", "torch", "timm", "safetensors"))
    report.say(f"{runtime.split(' (')[0]}; {tools}")
    base = t.load(FIXTURE, {})
    inputs = load_file(FIXTURE / "expected.safetensors")["inputs"]
    bare = embedding(base, inputs)
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = Path(name) / "ours", Path(name) / "peft"
        deno("run", "-A", "scripts/peft_roundtrip.ts", "write", str(ours))
        for case, settings in PEFT_CASES.items():
            random_adapter(base, case, settings).save_pretrained(theirs / case)
        (theirs / "fixture").mkdir()
        for file in ADAPTER_FILES:
            shutil.copy(FIXTURE / "adapter" / file, theirs / "fixture" / file)
        for folder in [*ours.iterdir(), *theirs.iterdir()]:
            deno("run", "-A", "src/cli/main.ts", "convert", "merge", "--quiet", "--encoder", str(FIXTURE), "--adapter",
                 str(folder), "--out", str(folder / "merged.safetensors"))
        deno("run", "-A", "scripts/peft_roundtrip.ts", "embed", str(ours))
        ours_to_peft(report, ours, base, inputs, bare)
        deno("run", "-A", "scripts/peft_roundtrip.ts", "embed", str(theirs))
        peft_to_ours(report, theirs, base, inputs, bare)
        for folder in theirs.glob("again_*"):
            shutil.rmtree(folder)
        merged_files(report, [ours, theirs], base, inputs)
    report.say("all within bounds" if report.good else "NOT within bounds")
    if options.write:
        TRANSCRIPT.write_text("\n".join(report.lines) + "\n")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
