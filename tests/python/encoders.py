"""Makes tests/fixtures/encoders: pathology encoders at reduced size, from the original implementations.

Every fixture is a folder as a user would have it (weights under the names and in the format of the hub, config.json
where the hub has one), with expected.safetensors (tiles, tokens on the way, embeddings) and meta.json (sizes, pooling,
preprocessing, rounding noise, how far usual mistakes lead away). The folder is written first and then loaded by the
original: timm (strictly, through its config.json), transformers' from_pretrained, peft. CONCH's poolers are written
here from their published description, over timm trunks; torch's own MultiheadAttention serves in version 1.
full_shapes.json lists names and shapes at full size, preprocess.json what Pillow and torchvision do to images.

    python tests/python/encoders.py                 write everything
    python tests/python/encoders.py --check         run again and compare with the committed files
    python tests/python/encoders.py --only uni ...  some of it; names as printed

Set-up: pip install torch torchvision timm transformers peft "pillow<13" numpy safetensors. CPU, one thread, 20 s.
The versions that made the committed files are in tests/fixtures/encoders/versions.json; the same versions give the same
bytes, others the same numbers to rounding (--check accepts 1e-6 of the rms).

Weights and tiles are made from names by integer hashes (encoders/common.py), not by a library's generator. Expected
numbers are the originals run in float64 on the float32, float16 or bfloat16 weights of the file and rounded once to
float32, so that they do not depend on a processor; `noise` in meta.json is the distance of the originals' own float32
run. Tokens are kept small (standard deviation 0.02), so that a wrong LayerNorm eps shows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

# no downloads; one code path on every processor, or interpolation in float32 differs in its last bit
os.environ |= {"HF_HUB_OFFLINE": "1", "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from encoders import common, conch, dinov2_raw, hf, lora, musk, preprocess, shapes, timm_family  # noqa: E402

ROOT = Path(__file__).parent.parent / "fixtures" / "encoders"
PACKAGES = ("torch", "torchvision", "timm", "transformers", "peft", "safetensors", "numpy", "pillow")
LIMIT_ONE, LIMIT_ALL = 1_000_000, 8_000_000


def versions() -> dict:
    return {"python": platform.python_version(), **{name: version(name).split("+")[0] for name in PACKAGES}}


def jobs() -> dict:
    found = {}
    for module in (timm_family, dinov2_raw, hf, conch, musk, lora, shapes, preprocess):
        found |= module.jobs()
    return found


def files(root: Path) -> dict[str, Path]:
    return {str(p.relative_to(root)): p for p in sorted(root.rglob("*")) if p.is_file() and p.name != "README.md"}


def different(name: str, old: Path, new: Path) -> str | None:
    """What differs between two files beyond rounding, or None."""
    if old.read_bytes() == new.read_bytes():
        return None
    if old.name == "expected.safetensors":
        a, b = load_file(old), load_file(new)
        if list(a) != list(b) or any(a[k].shape != b[k].shape or a[k].dtype != b[k].dtype for k in a):
            return f"{name}: other tensors"
        worst = max(common.distance(b[k], a[k]) for k in a if a[k].is_floating_point())
        bytes_equal = all(torch.equal(a[k], b[k]) for k in a if not a[k].is_floating_point())
        return None if worst < 1e-6 and bytes_equal else f"{name}: {worst:.1e} of rms"
    if old.name == "meta.json":
        a, b = json.loads(old.read_text()), json.loads(new.read_text())
        same = all(a[k] == b[k] for k in a if k not in ("noise", "mistakes")) and a.keys() == b.keys()
        return None if same else f"{name}: other description"
    return f"{name}: other bytes"


def run(root: Path, names: list[str]) -> None:
    available = jobs()
    for name in names or available:
        if (root / name).exists():
            shutil.rmtree(root / name)
        available[name](root)
        print(name, flush=True)
    common.write_json(root / "versions.json", versions())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", nargs="+", default=[], choices=list(jobs()), metavar="NAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.backends.mkldnn.enabled = False
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

    if not options.check:
        run(ROOT, options.only)
        sizes = {name: path.stat().st_size for name, path in files(ROOT).items()}
        print(f"{len(sizes)} files, {sum(sizes.values())} bytes")
        for name in {n.split("/")[0] for n in sizes}:
            assert sum(s for n, s in sizes.items() if n.split("/")[0] == name) < LIMIT_ONE, name
        assert sum(sizes.values()) < LIMIT_ALL
        return 0

    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), options.only)
        old, new = files(ROOT), files(Path(folder))
        if options.only:
            old = {k: v for k, v in old.items() if k.split("/")[0].removesuffix(".json") in options.only}
            new = {k: v for k, v in new.items() if k != "versions.json"}
        problems = [f"{k}: only on one side" for k in sorted(old.keys() ^ new.keys())]
        problems += [d for k in sorted(old.keys() & new.keys()) if (d := different(k, old[k], new[k]))]
    print("\n".join(problems) or "all files as committed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
