"""Times in PyTorch what `bench/vit_step_bench.ts` times in the engine; one JSON object a line on stdout, progress on stderr.

    python tests/python/torch_vit.py          CUDA
    python tests/python/torch_vit.py --cpu    a small model on the CPU, to try the script

Needs torch, timm and peft; no network: weights are random. `bench/gpu.sh` runs it and joins its lines by `case`.

Precisions
  f32   strict float32: TF32 off
  tf32  float32 storage, TF32 tensor cores
  bf16  bfloat16 autocast; frozen weights stay float32
Cases
  vit_forward ARCH B    timm model without a head, inference mode
  vit_lora_step ARCH B  LoRA (peft, rank 16, alpha 32) on qkv, proj, fc1, fc2: forward, gradients, AdamW
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time

import timm
import torch
from peft import LoraConfig, inject_adapter_in_model

SAMPLES, SAMPLE_MS = 20, 40.0
SMALL = ("vit_small_patch16_224?depth=2&dim=96&heads=3&img=64", 8)
LARGE = (("vit_small_patch16_224", 64), ("vit_base_patch16_224", 64), ("vit_large_patch16_224", 32))
KEYS = {"depth": "depth", "dim": "embed_dim", "heads": "num_heads", "img": "img_size"}


def build(name: str, device: torch.device, step: bool) -> tuple[torch.nn.Module, int]:
    arch, _, query = name.partition("?")
    sizes = dict(pair.split("=") for pair in query.split("&") if pair)
    options = {KEYS[key]: int(value) for key, value in sizes.items()}
    model = timm.create_model(arch, pretrained=False, num_classes=0, **options)
    if step:
        layers = ["qkv", "proj", "fc1", "fc2"]
        pattern = r"blocks\.\d+\.(attn|mlp)\.(" + "|".join(layers) + ")"
        model = inject_adapter_in_model(LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=pattern), model)
        for key, parameter in model.named_parameters():
            parameter.requires_grad_("lora_" in key)
    return model.to(device).train(step), options.get("img_size", 224)


def call(name: str, batch: int, step: bool, device: torch.device, precision: str):
    model, side = build(name, device, step)
    images = torch.randn(batch, 3, side, side, device=device)
    mixed = torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
    if not step:

        def forward() -> None:
            with torch.inference_mode(), mixed:
                model(images)

        return forward
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.01)

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        with mixed:
            loss = model(images).square().mean()
        loss.backward()
        optimizer.step()

    return train


def measure(run, device: torch.device) -> tuple[float, float]:
    def timed(times: int) -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(times):
            run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) * 1e3 / times

    timed(2)
    times = max(1, round(SAMPLE_MS / timed(1)))
    low, median, high = statistics.quantiles([timed(times) for _ in range(SAMPLES)], n=4)
    return median, high - low


def main() -> int:
    parser = argparse.ArgumentParser(description="Times whole vision transformers in PyTorch")
    parser.add_argument("--cpu", action="store_true", help="a small model on the CPU")
    args = parser.parse_args()
    if not args.cpu and not torch.cuda.is_available():
        print("Cannot time on CUDA: torch finds no CUDA device; pass --cpu to try the script", file=sys.stderr)
        return 6
    device = torch.device("cpu" if args.cpu else "cuda")
    for name, batch in (SMALL,) if args.cpu else LARGE:
        for step in (False, True):
            for precision in ("f32",) if args.cpu else ("f32", "tf32", "bf16"):
                torch.manual_seed(1)
                torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
                median, spread = measure(call(name, batch, step, device, precision), device)
                row = {
                    "case": f"{'vit_lora_step' if step else 'vit_forward'} {name} {batch}",
                    "precision": precision,
                    "medianMs": median,
                    "iqrMs": spread,
                    "imagesPerSecond": batch / median * 1e3,
                    "source": "torch",
                    "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
                    "torch": torch.__version__,
                    "timm": timm.__version__,
                }
                print(f"{row['case']} {precision}: {median:.3f} ms", file=sys.stderr)
                print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
