"""SEAL checkpoints between PyTorch and us.

    python tests/python/seal_files.py              write tests/fixtures/seal/*.pth and expected.safetensors with PyTorch
    deno run -A tests/python/seal_ours.ts DIR      write files with our writer
    python tests/python/seal_files.py --ours DIR   load those strictly with PyTorch, write tests/fixtures/seal/accepted.json

accepted.json holds the SHA-256 of each file that PyTorch loaded, so that a test without Python can tell that we still write
those bytes. Needs torch and safetensors from PyPI.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import torch
import torch.nn as nn
from safetensors.torch import save_file

import seal_modules as seal

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "seal"
VAE = {"genes": 11, "dim": 8, "hidden": [7, 6]}
DECODER = {"genes": 11, "hidden": 6}


def modules() -> dict[str, nn.Module]:
    """Modules by the name of their file."""
    timm = {"width": 8, "rank": 2, "layers": seal.TIMM, "dim": 8}
    hf = {"width": 8, "rank": 2, "layers": seal.HF, "dim": 8}
    return {
        "omics": seal.GeneVAE(**VAE, head="linear"),
        "omics_norm": seal.GeneVAE(**VAE | {"hidden": [9], "flows": 2}, decoderBatchNorm=True, head="mlp"),
        "omics_deep_head": seal.GeneVAE(**VAE, head="mlp2"),
        "omics_mlp": seal.GeneMLP(11, 8, [7, 6]),
        "omics_transformer": seal.GeneTransformer(11, 8, width=16, layers=2, hidden=12, decoderHidden=7),
        "omics_identity": seal.GeneIdentity(11),
        "vision": seal.PatchRecEncoder("blocks", [1, 2], **timm, head="mlp", decoder=DECODER),
        "vision_everything": seal.PatchRecEncoder("model.blocks", [2], **timm, head="linear", bottleneck=3, organ=True,
                                                  decoder=DECODER | {"batchNorm": True}),
        "vision_conch": seal.PatchRecEncoder("trunk.blocks", [2], **timm, head="mlp2"),
        "vision_hf": seal.PatchRecEncoder("model.encoder.layer", [2], **hf, decoder=DECODER),
    }


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    expected: dict[str, torch.Tensor] = {}
    for i, (name, module) in enumerate(modules().items()):
        torch.manual_seed(500 + i)
        for p in module.parameters():
            p.data = torch.randn_like(p)
        for key, b in module.named_buffers():
            b.data = torch.tensor(7) if key.endswith("tracked") else torch.rand_like(b) + 0.5
        base = seal.base_keys(module) if name != "vision_everything" else set()
        state = {k: v for k, v in module.state_dict().items() if k not in base}
        # As DistributedDataParallel names them; two files are as a module itself does.
        wrapped = name not in ("omics_norm", "vision_conch")
        saved = {f"module.{k}" if wrapped else k: v for k, v in state.items()}
        torch.save({"state_dict": saved} if name != "omics_mlp" else saved, FOLDER / f"{name}.pth")
        expected |= {f"{name}/{k}": v.clone().float() for k, v in state.items() if ".base_layer." not in k}
    save_file(expected, FOLDER / "expected.safetensors")
    print(sum(p.stat().st_size for p in FOLDER.iterdir()), "bytes")


def accept(folder: Path) -> None:
    files = {}
    for name, module in modules().items():
        path = folder / f"{name}.pth"
        state = torch.load(path, weights_only=True, map_location="cpu")["state_dict"]
        assert all(k.startswith("module.") for k in state), name
        state = {k.removeprefix("module."): v for k, v in state.items()}
        base = seal.base_keys(module)
        state |= {k: v for k, v in module.state_dict().items() if k in base}
        module.load_state_dict(state, strict=True)
        files[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path.name}: {len(state) - len(base)} tensors")
    record = {"made": "python tests/python/seal_files.py --ours DIR", "torch": torch.__version__, "files": files}
    (FOLDER / "accepted.json").write_text(json.dumps(record, indent=2) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", type=Path, help="folder with files of our writer")
    ours = parser.parse_args().ours
    accept(ours) if ours else write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
