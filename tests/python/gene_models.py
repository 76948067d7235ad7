"""Makes tests/fixtures/gene_models.{json,safetensors}: gene models and heads in PyTorch, forwards and backwards.

    python tests/python/gene_models.py            write the fixtures
    python tests/python/gene_models.py --check    run again, compare with the committed files, write nothing

Needs torch, numpy and safetensors from PyPI. Everything is computed in float64 from float32 weights and inputs. Each case
has a configuration, weights, inputs, outputs, and the gradients of

  sum over outputs of sum(cotangent * output) + sum over losses of weight * loss.

Tensors of case c: c/param/NAME, c/in/NAME, c/cotangent/NAME, c/out/NAME, c/grad/NAME (of a parameter, or `in:NAME`),
c/after/NAME (a buffer after the pass).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
import torch.nn as nn
from safetensors.torch import load_file, save_file

import seal_modules as seal

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
WEIGHTS = {"kl": 0.7, "kl_flow": 0.4, "mlm": 1.5}
B = 6


def scramble(module: nn.Module) -> None:
    """Values that are float32, nowhere zero, and make flows and normalisations do something."""
    for name, p in module.named_parameters():
        if name.split(".")[-1] in ("u", "w", "b"):
            p.data = torch.randn_like(p) * 0.5
        elif p.ndim == 1:
            p.data = p.data + torch.randn_like(p) * 0.3
    for name, b in module.named_buffers():
        if name.endswith("running_mean"):
            b.data = torch.randn_like(b) * 0.3
        elif name.endswith("running_var"):
            b.data = 0.5 + torch.rand_like(b)
        else:
            b.fill_(5)


def run(name: str, module: nn.Module, inputs: dict[str, torch.Tensor], call, training: bool) -> tuple[dict, dict]:
    """One case: its entry of the JSON file without the configuration, and its tensors."""
    scramble(module)
    out = {f"{name}/param/{k}": v.detach().clone().float() for k, v in module.state_dict().items()}
    out |= {f"{name}/in/{k}": v.float() for k, v in inputs.items()}
    module.double().train(training)
    seal.name_draws(module, "net.")
    wide = {k: v.double().requires_grad_(k == "z") if v.is_floating_point() else v for k, v in inputs.items()}
    results = call(module, wide)
    if isinstance(results, torch.Tensor):
        results = {"y": results}
    losses = {k: v for k, v in results.items() if v.ndim == 0}
    total = sum(WEIGHTS[k] * v for k, v in losses.items()) + 0.0
    for k in ("z", "y"):
        if k in results:
            cotangent = torch.randn(results[k].shape)
            out[f"{name}/cotangent/{k}"] = cotangent
            total = total + (cotangent.double() * results[k]).sum()
    if total.requires_grad:
        total.backward()
    out |= {f"{name}/out/{k}": v.detach().float() for k, v in results.items()}
    out |= {f"{name}/grad/{k}": p.grad.float() for k, p in module.named_parameters() if p.grad is not None}
    out |= {f"{name}/grad/in:{k}": v.grad.float() for k, v in wide.items() if getattr(v, "grad", None) is not None}
    out |= {f"{name}/after/{k}": b.detach().float() for k, b in module.named_buffers()}
    return {"training": training, "losses": list(losses)}, out


CASES: dict[str, tuple] = {}


def case(name: str, kind: str, config: dict, training: bool, **extra) -> None:
    CASES[name] = (kind, config, training, extra)


VAE = {"genes": 11, "dim": 5, "hidden": [7, 6]}
case("vae", "vae", VAE, True, latent="sample")
case("vae_mean", "vae", VAE, False, latent="mean")
case("vae_everything", "vae", VAE | {"dropout": 0.2, "decoderDropout": 0.3, "decoderBatchNorm": True, "maskRatio": 0.25,
                                     "flows": 2, "constrainFlows": True}, True, latent="sample")
case("vae_mc", "vae", VAE | {"hidden": [8]}, False, latent=3)
case("vae_no_flows", "vae", VAE | {"flows": 0}, True, latent="sample")
DECODER = {"dim": 5, "genes": 11, "hidden": 7}
case("image_decoder", "image_decoder", DECODER, True)
case("image_decoder_norm", "image_decoder", DECODER | {"batchNorm": True, "dropout": 0.3, "finalActivation": "softplus"}, True)
case("image_decoder_norm_eval", "image_decoder", DECODER | {"batchNorm": True, "finalActivation": "none"}, False)
for head in ("linear", "mlp", "mlp2"):
    case(f"head_{head}", "head", {"kind": head, "dim": 5}, True)

MLP = {"genes": 11, "dim": 5, "hidden": [7, 6]}
case("mlp", "mlp", MLP, True)
case("mlp_eval", "mlp", MLP | {"decoder": {"kind": "linear"}}, False)
case("mlp_transformer_decoder", "mlp", MLP | {"dim": 6, "dropout": 0, "decoder": {"kind": "transformer", "heads": 2}}, True)
case("mae", "mae", MLP | {"maskRatio": 0.2, "hidden": [7]}, True)
FORMER = {"genes": 9, "dim": 5, "width": 8, "heads": 2, "layers": 2, "hidden": 12, "decoderHidden": 7}
case("transformer", "transformer", FORMER, True)
case("transformer_eval", "transformer", FORMER, False)
case("transformer_genes", "transformer", FORMER | {"geneEmbeddings": True, "dropout": 0, "recompute": False}, True)
case("identity", "identity", {"genes": 4}, True)
for kind in ("linear", "mlp", "transformer"):
    case(f"decoder_{kind}", "decoder", {"kind": kind, "dim": 8, "genes": 11, "heads": 4}, True, tokens=3)
case("decoder_one_token", "decoder", {"kind": "transformer", "dim": 8, "genes": 11, "heads": 1, "layers": 1}, False)
for mode in ("once", "twice", "residual"):
    case(f"adapter_{mode}", "adapter", {"dim": 5, "bottleneck": 3, "mode": mode}, True)
case("organ_token", "organ_token", {"dim": 5}, True)
case("discriminator", "discriminator", {"dim": 5, "classes": 3}, True, strength=0.7)


def genes(b: int, g: int) -> torch.Tensor:
    """Expression: about half zeros."""
    return torch.relu(torch.randn(b, g)) * 2


def build(kind: str, config: dict, extra: dict):
    """Module, inputs, and how it is called."""
    if kind == "vae":
        inputs = {"x": genes(B, config["genes"])}
        latent = extra["latent"]
        if latent != "mean":
            inputs["noise"] = torch.randn(*([] if latent == "sample" else [latent]), B, config["dim"])
        return seal.GeneVAE(**config), inputs, lambda m, i: m(i["x"], latent, i.get("noise"))
    if kind == "image_decoder":
        holder = nn.Module()
        holder.decoder = seal.ImgEmbDecoder(**config)
        return holder, {"z": torch.randn(B, config["dim"])}, lambda m, i: m.decoder(i["z"])
    if kind == "head":
        holder = nn.Module()
        holder.projection_head = seal.head_of(config["kind"], config["dim"])
        return holder, {"z": torch.randn(B, config["dim"])}, lambda m, i: m.projection_head(i["z"])
    if kind in ("mlp", "mae", "transformer", "identity"):
        make = {"transformer": seal.GeneTransformer, "identity": seal.GeneIdentity}.get(kind, seal.GeneMLP)
        named = {"kind": kind} if kind in ("mlp", "mae") else {}
        return make(**config, **named), {"x": genes(B, config["genes"])}, lambda m, i: m(i["x"])
    if kind == "decoder":
        holder = nn.Module()
        holder.decoder = seal.GeneDecoder(**config)
        tokens = [extra["tokens"]] if "tokens" in extra else []
        return holder, {"z": torch.randn(B, *tokens, config["dim"])}, lambda m, i: m.decoder(i["z"])
    z = {"z": torch.randn(B, config["dim"])}
    if kind == "adapter":
        return seal.Adapter(**config), z, lambda m, i: m(i["z"])
    if kind == "organ_token":
        return seal.OrganToken(**config), z | {"ids": torch.tensor([0, 13, 3, 3, 8, 3])}, lambda m, i: m(i["z"], i["ids"])
    if kind == "discriminator":
        return seal.Discriminator(**config), z, lambda m, i: m(i["z"], extra["strength"])
    raise KeyError(kind)


def make() -> tuple[dict, dict[str, torch.Tensor]]:
    cases, tensors = {}, {}
    for i, (name, (kind, config, training, extra)) in enumerate(CASES.items()):
        torch.manual_seed(100 + i)
        module, inputs, call = build(kind, config, extra)
        entry, found = run(name, module, inputs, call, training)
        cases[name] = {"kind": kind, "config": config, **extra, **entry}
        tensors |= found
    record = {
        "made": "python tests/python/gene_models.py",
        "torch": torch.__version__,
        "random": [seal.SEED, seal.STEP],
        "weights": WEIGHTS,
        "cases": cases,
    }
    return record, {k: v.contiguous() for k, v in tensors.items()}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    record, tensors = make()
    paths = FIXTURES / "gene_models.json", FIXTURES / "gene_models.safetensors"
    if not check:
        lines = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in record["cases"].items())
        head = "".join(f"  {json.dumps(k)}: {json.dumps(v)},\n" for k, v in record.items() if k != "cases")
        paths[0].write_text(f'{{\n{head}  "cases": {{\n{lines}\n  }}\n}}\n')
        save_file(tensors, paths[1])
        print(*(f"{p.name}: {p.stat().st_size} bytes" for p in paths), sep="\n")
        return 0
    old = load_file(paths[1])
    bad = sorted(set(old) ^ set(tensors)) + [
        k for k in set(old) & set(tensors) if not torch.allclose(old[k], tensors[k], rtol=1e-5, atol=1e-6)
    ]
    print("same" if not bad else f"differs: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
