"""Makes tests/fixtures/weights: weights files of every kind by the libraries that define them, and reads ours with them.

    python tests/python/weights.py                write the fixtures and expected.json
    python tests/python/weights.py --ours DIR     read what `deno run -A tests/python/weights_ours.ts DIR` wrote
    python tests/python/weights.py --mutants DIR  read what `deno run -A scripts/fuzz_weights.ts --keep DIR` kept: mutants our
                                                     readers accepted must give the same tensors to the libraries

Needs torch, numpy, safetensors, transformers and peft from PyPI; CPU; seconds. Values are small and exact in every type.
"""

import argparse
import collections
import hashlib
import io
import json
import os
import pathlib
import pickle
import shutil
import struct
import sys
import tarfile
import warnings
import zipfile

import numpy as np
import peft
import safetensors
import safetensors.torch
import torch
import transformers

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "weights"
NAMES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
    torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64",
}


def values(*shape, dtype=torch.float32, start=-3.5):
    """A ramp in steps of a half; halves survive every float type, integers are truncated."""
    count = int(np.prod(shape))
    ramp = torch.arange(count, dtype=torch.float64) * 0.5 + start
    return ramp.reshape(shape).to(dtype)


def raw(tensor):
    """Row-major little-endian bytes."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def described(tensors):
    return {
        name: {"dtype": NAMES[t.dtype], "shape": list(t.shape), "hex": raw(t).hex()} for name, t in tensors.items()
    }


def all_types():
    tensors = collections.OrderedDict()
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
                  torch.int8):
        tensors[str(dtype).removeprefix("torch.")] = values(2, 3, dtype=dtype)
    tensors["uint8"] = values(2, 3, dtype=torch.uint8, start=250)
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["special"] = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-45, 3.4e38])
    tensors["half_special"] = torch.tensor([float("nan"), float("inf"), -0.0, 6e-8, 65504.0], dtype=torch.float16)
    tensors["naïve \"quoted\".名"] = values(1)
    return tensors


def rezip(path, edit, out):
    """The same archive with entries changed by `edit(name, bytes)`."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            content = edit(name, source.read(name))
            if content is not None:
                target.writestr(zipfile.ZipInfo(name), content)


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = torch.nn.ModuleDict({"qkv": torch.nn.Linear(6, 18), "proj": torch.nn.Linear(6, 6)})
        self.mlp = torch.nn.ModuleDict({"fc1": torch.nn.Linear(6, 8), "fc2": torch.nn.Linear(8, 6)})

    def forward(self, x):
        x = x + self.attn["proj"](self.attn["qkv"](x)[..., :6])
        return x + self.mlp["fc2"](torch.nn.functional.gelu(self.mlp["fc1"](x)))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = torch.nn.ModuleList(Block() for _ in range(2))
        self.embed = torch.nn.Embedding(4, 6)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def adapter(name, **options):
    """An adapter folder; returns what each module adds to its weight."""
    torch.manual_seed(len(name))
    config = peft.LoraConfig(**{"r": 2, "lora_alpha": 4, "target_modules": ["qkv", "proj", "fc1", "fc2"], **options})
    model = peft.get_peft_model(Model(), config)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                parameter.copy_(torch.randn_like(parameter))
    model.save_pretrained(str(OUT / name))
    (OUT / name / "README.md").unlink(missing_ok=True)
    deltas = {}
    for key, module in model.named_modules():
        if hasattr(module, "lora_A") and len(module.lora_A):
            deltas[key.removeprefix("base_model.model.")] = {
                "scale": module.scaling["default"],
                "rank": module.r["default"],
                "delta": module.get_delta_weight("default").detach().reshape(-1).tolist(),
            }
    return deltas


def make():
    OUT.mkdir(parents=True, exist_ok=True)
    for path in OUT.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "README.md":
            path.unlink()
    expected = {}
    types = all_types()
    safetensors.torch.save_file(types, str(OUT / "types.safetensors"), metadata={"format": "pt", "note": "é"})
    expected["types.safetensors"] = described(types)
    # By hand: no padding, so that the data begins at an odd byte.
    header = b'{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"y":{"dtype":"F64","shape":[1],"data_offsets":[12,20]}}'
    header += b" " * (len(header) % 2 == 0)
    plain = {"x": values(3), "y": values(1, dtype=torch.float64)}
    (OUT / "unpadded.safetensors").write_bytes(
        struct.pack("<Q", len(header)) + header + b"".join(raw(t) for t in plain.values()))
    expected["unpadded.safetensors"] = described(plain)

    torch.manual_seed(0)
    config = transformers.ViTConfig(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
                                    image_size=16, patch_size=8)
    vit = transformers.ViTModel(config, add_pooling_layer=False)
    vit.save_pretrained(str(OUT / "sharded"), max_shard_size="4KB")
    assert (OUT / "sharded" / "model.safetensors.index.json").exists()
    stored = {}
    for file in sorted((OUT / "sharded").glob("*.safetensors")):
        stored.update(safetensors.torch.load_file(str(file)))
    expected["sharded"] = {
        name: {"dtype": NAMES[t.dtype], "shape": list(t.shape), "sha256": hashlib.sha256(raw(t)).hexdigest()}
        for name, t in stored.items()
    }

    base = values(4, 6)
    strided = collections.OrderedDict(types)
    strided["uint16"] = values(5, dtype=torch.uint16, start=65530)
    strided["transposed"] = base.t()
    strided["column"] = base[:, 2]
    strided["every_other"] = base[::2, 1::2]
    strided["permuted"] = values(2, 3, 4).permute(2, 0, 1)
    strided["expanded"] = values(3, 1).expand(3, 4)
    strided["slice_of_large"] = values(1000)[500:503]
    strided["shared_a"] = base
    strided["shared_b"] = base[1]
    strided["parameter"] = torch.nn.Parameter(values(2, 2))
    strided["one_dimension"] = values(5)[None, :, None]
    for file, options in {"types.pth": {}, "protocol4.pt": {"pickle_protocol": 4}, "protocol5.bin": {"pickle_protocol": 5}}.items():
        torch.save(strided, str(OUT / file), **options)
        expected[file] = described(strided)

    torch.serialization.set_crc32_options(False)
    torch.save({"w": values(3)}, str(OUT / "no_checksum.pth"))
    torch.serialization.set_crc32_options(True)
    expected["no_checksum.pth"] = described({"w": values(3)})

    swapped = {"w": values(2, 3), "h": values(3, dtype=torch.float16), "t": values(2, 3, dtype=torch.int64).t()}
    torch.save(swapped, str(OUT / "little.tmp"))
    widths = {"data/0": 4, "data/1": 2, "data/2": 8}

    def big(name, content):
        if name.endswith("/byteorder"):
            return b"big"
        width = widths.get(name.partition("/")[2])
        return content if width is None else np.frombuffer(content, dtype=f"u{width}").byteswap().tobytes()

    rezip(OUT / "little.tmp", big, OUT / "big_endian.pth")
    (OUT / "little.tmp").unlink()
    expected["big_endian.pth"] = described(swapped)

    model = torch.nn.Sequential(collections.OrderedDict(fc=torch.nn.Linear(3, 2), norm=torch.nn.BatchNorm1d(2)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(values(*parameter.shape))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    state = collections.OrderedDict((f"module.{k}", v) for k, v in model.state_dict().items())
    state._metadata = model.state_dict()._metadata
    torch.save({
        "epoch": 3, "state_dict": state, "optimizer": optimizer.state_dict(), "best": 0.75, "done": False, "none": None,
        "big": 2**70, "negative": -5, "args": argparse.Namespace(lr=1e-4, name="vit"), "loss": np.float64(0.125),
        "step": np.int64(17), "history": np.arange(6, dtype=np.float32).reshape(2, 3), "classes": ["a", "b"],
        "tags": {"x"}, "bytes": b"\x00\xff", "size": torch.Size([2, 3]), "device": torch.device("cpu"),
        "dtype": torch.float16, 7: "seven",
    }, str(OUT / "checkpoint.pth"))
    expected["checkpoint.pth"] = described(state)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(OUT / "torchscript.pt"))
    torch.save({"w": values(2)}, str(OUT / "legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save({"w": values(2), "c": torch.zeros(2, dtype=torch.complex64)}, str(OUT / "complex.pth"))
    torch.save({"w": values(2), "opt": collections.Counter("aab")}, str(OUT / "counter.pth"))
    expected["counter.pth"] = described({"w": values(2)})
    (OUT / "bare.pkl").write_bytes(pickle.dumps({"w": 1}, protocol=2))
    with tarfile.open(OUT / "old.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("sys_info"), io.BytesIO())

    class Hostile:
        def __reduce__(self):
            return (os.system, ("echo run",))

    with zipfile.ZipFile(OUT / "hostile.pth", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("x/data.pkl"), pickle.dumps({"w": Hostile()}, protocol=2))
        archive.writestr(zipfile.ZipInfo("x/version"), b"3\n")
    with zipfile.ZipFile(OUT / "types.pth") as source, zipfile.ZipFile(
            OUT / "deflated.pth", "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)

    deltas = {
        "adapter": adapter("adapter"),
        "adapter_patterns": adapter("adapter_patterns", rank_pattern={"fc1": 3, r"blocks\.1\.attn\.qkv": 1},
                                    alpha_pattern={"^blocks.0.mlp.fc2": 7, "fc2|proj": 5}),
        "adapter_rslora": adapter("adapter_rslora", use_rslora=True, lora_dropout=0.15),
    }
    adapter("adapter_dora", use_dora=True)
    adapter("adapter_bias", bias="lora_only")
    adapter("adapter_saved", modules_to_save=["embed"])
    adapter("adapter_embedding", target_modules=["qkv", "embed"])
    torch.save(safetensors.torch.load_file(str(OUT / "adapter" / "adapter_model.safetensors")), str(OUT / "adapter.tmp"))
    (OUT / "adapter_bin").mkdir()
    (OUT / "adapter.tmp").rename(OUT / "adapter_bin" / "adapter_model.bin")
    shutil.copy(OUT / "adapter" / "adapter_config.json", OUT / "adapter_bin")
    (OUT / "expected.json").write_text(json.dumps({"tensors": expected, "adapters": deltas}, indent=1) + "\n")
    for path in OUT.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    too_long = [str(p) for p in OUT.rglob("*") if p.is_file() and p.stat().st_size >= 100_000]
    assert not too_long, too_long


def read_ours(folder):
    """What our writers wrote, read by the libraries."""
    wanted = json.loads((folder / "expected.json").read_text())
    check = lambda tensors, file: compare(described(tensors), wanted[file], file)
    check(safetensors.torch.load_file(str(folder / "types.safetensors")), "types.safetensors")
    with safetensors.safe_open(str(folder / "types.safetensors"), "pt") as file:
        assert file.metadata() == {"format": "pt", "by": "seal-webgpu"}, file.metadata()
    print(f"safetensors {safetensors.__version__}: load_file reads types.safetensors, {len(wanted['types.safetensors'])} tensors")
    for mmap in (False, True):
        check(torch.load(str(folder / "types.pth"), weights_only=True, mmap=mmap), "types.pth")
        check(torch.load(str(folder / "nested.pth"), weights_only=True, mmap=mmap)["state_dict"], "nested.pth")
        print(f"torch {torch.__version__}: load(weights_only=True, mmap={mmap}) reads types.pth and nested.pth")
    assert zipfile.ZipFile(folder / "types.pth").testzip() is None
    print("zipfile: testzip finds no damage")
    torch.manual_seed(0)
    x = torch.randn(3, 6)
    for name, deltas in wanted["adapters"].items():
        base = Model()
        model = peft.PeftModel.from_pretrained(base, str(folder / name))
        assert not [w for w in model.state_dict() if "lora_" in w and ".default." not in w]
        found = {}
        for key, module in model.named_modules():
            if hasattr(module, "lora_A") and len(module.lora_A):
                path = key.removeprefix("base_model.model.")
                found[path] = module.get_delta_weight("default").detach().reshape(-1)
                assert abs(module.scaling["default"] - deltas[path]["scale"]) < 1e-12, path
        assert found.keys() == deltas.keys(), (found.keys(), deltas.keys())
        worst = max(float((found[p] - torch.tensor(deltas[p]["delta"])).abs().max()) for p in deltas)
        assert worst < 1e-5, worst
        y = model(x)
        merged = model.merge_and_unload()(x)
        assert float((y - merged).detach().abs().max()) < 1e-4
        print(f"peft {peft.__version__}: from_pretrained loads {name}, {len(found)} modules, deltas agree to {worst:.1e}")


def compare(found, wanted, file):
    assert list(found) == list(wanted) or sorted(found) == sorted(wanted), (file, list(found), list(wanted))
    for name in wanted:
        assert found[name] == wanted[name], (file, name, found[name], wanted[name])


# Beside what torch allows by default, what our reader takes as data. (Mutants are hostile: nothing else may run.)
SAFE = [
    argparse.Namespace, np.dtype, np.ndarray, np._core.multiarray.scalar, np._core.multiarray._reconstruct, set, list, dict,
    *{type(np.dtype(code)) for code in ("f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1")},
]


def read_mutants(folder):
    """Every mutant beside a .json of what our reader took from it."""
    counts = collections.Counter()
    for described_file in sorted(folder.glob("*.json")):
        ours = json.loads(described_file.read_text())
        file = described_file.with_suffix("")
        try:
            if file.suffix == ".safetensors":
                theirs = safetensors.torch.load_file(str(file))
            else:
                with torch.serialization.safe_globals(SAFE):
                    tree = torch.load(str(file), weights_only=True, map_location="cpu")
                for key in ours["path"].split(".") if ours["path"] else []:
                    tree = tree[key]
                theirs = flatten(tree)
        except Exception as error:
            counts[f"refused by the library only: {type(error).__name__}: {brief(error)}"] += 1
            continue
        theirs = {name: t for name, t in theirs.items() if t.dtype in NAMES}
        got = {name: [NAMES[t.dtype], list(t.shape), hashlib.sha256(raw(t)).hexdigest()] for name, t in theirs.items()}
        if got == ours["tensors"]:
            counts["equal"] += 1
        else:
            counts["DIFFERENT"] += 1
            print("DIFFERENT", file)
    for what, count in counts.most_common():
        print(f"{count:6d} {what}")
    return counts["DIFFERENT"] == 0


def brief(error):
    """The part of torch's long messages that says why, without the names that mutation made."""
    text = " ".join(str(error).split()).split("WeightsUnpickler error: ")[-1]
    return text.split(":")[0][:60]


def flatten(tree, prefix=""):
    out = {}
    if isinstance(tree, torch.Tensor):
        return {prefix: tree}
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, (list, tuple)) else []
    for key, item in items:
        if isinstance(key, (str, int)) and not isinstance(key, bool):
            out.update(flatten(item, f"{prefix}.{key}" if prefix else str(key)))
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", type=pathlib.Path)
    parser.add_argument("--mutants", type=pathlib.Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.ours:
        read_ours(options.ours)
    elif options.mutants:
        sys.exit(0 if read_mutants(options.mutants) else 1)
    else:
        make()
