"""Makes tests/fixtures/parity: what scripts/parity_kit.py writes of small folders of every kind it takes.

    timm_avg, vit_clip        tests/fixtures/configs/NAME
    timm_avg_48, vit_clip_48  the same, fed with images of 48 px instead of 32: positions and the resize follow
    timm_patterns             tests/fixtures/adapters/timm_patterns with its PEFT adapter
    conch                     tests/fixtures/encoders/conch_v1 beside parity/conch/config.json, which tells heads and size
    shards                    parity/shards: the weights of configs/timm_avg in two files, made here

    python tests/python/parity.py [NAME ...]     write all, or some
    python tests/python/parity.py --check        run again, compare with the committed files, write nothing

Needs what scripts/parity_kit.py needs, and peft.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
PARITY = FIXTURES / "parity"
ADAPTED = FIXTURES / "adapters" / "timm_patterns"

JOBS = {
    "timm_avg": (FIXTURES / "configs" / "timm_avg", []),
    "vit_clip": (FIXTURES / "configs" / "vit_clip", []),
    "timm_avg_48": (FIXTURES / "configs" / "timm_avg", ["--image-size", "48"]),
    "vit_clip_48": (FIXTURES / "configs" / "vit_clip", ["--image-size", "48"]),
    "timm_patterns": (ADAPTED, ["--adapter", str(ADAPTED / "adapter")]),
    "conch": (PARITY / "conch", []),
    "shards": (PARITY / "shards", []),
}


def write_shards(folder: Path) -> None:
    tensors = load_file(FIXTURES / "configs" / "timm_avg" / "model.safetensors")
    names = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    parts = {key: names[i % 2] for i, key in enumerate(sorted(tensors))}
    folder.mkdir(exist_ok=True)
    for name in names:
        save_file({key: tensors[key] for key, of in parts.items() if of == name}, folder / name, {"format": "pt"})
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": parts}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    shutil.copyfile(FIXTURES / "configs" / "timm_avg" / "config.json", folder / "config.json")


def make(name: str, out: Path) -> None:
    folder, flags = JOBS[name]
    with tempfile.TemporaryDirectory() as whole:
        if name == "conch":
            shutil.copyfile(folder / "config.json", Path(whole) / "config.json")
            shutil.copyfile(FIXTURES / "encoders" / "conch_v1" / "pytorch_model.bin", Path(whole) / "pytorch_model.bin")
            folder = Path(whole)
        kit = [sys.executable, str(ROOT / "scripts" / "parity_kit.py"), str(folder), str(out), "--double", *flags]
        subprocess.run(kit, check=True, capture_output=True)


def main() -> int:
    words = sys.argv[1:]
    check = "--check" in words
    names = [word for word in words if word != "--check"] or list(JOBS)
    bad = []
    for name in names:
        if name == "shards" and not check:
            write_shards(PARITY / "shards")
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "made.safetensors"
            make(name, made)
            kept = PARITY / f"{name}.safetensors"
            if not check:
                shutil.copyfile(made, kept)
            a, b = load_file(made), load_file(kept)
            same = list(a) == list(b) and all(torch.allclose(a[k].double(), b[k].double(), rtol=1e-6, atol=1e-6) for k in a)
            bad += [] if same else [name]
            print(name, kept.stat().st_size, "bytes", "same" if same else "differs")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
