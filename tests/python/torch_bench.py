"""Times in PyTorch what `deno bench` times in the engine; one JSON object a line on stdout, progress on stderr.

    python tests/python/torch_bench.py                    CUDA
    python tests/python/torch_bench.py --cpu              small shapes on the CPU, to try the script
    python tests/python/torch_bench.py --filter matmul    only cases whose name contains the text

Needs torch only; no network. `bench/gpu.sh` runs it and joins its lines with the engine's by `case`.

Precisions
  f32   strict float32: TF32 off (`torch.set_float32_matmul_precision("highest")`)
  tf32  float32 storage, TF32 tensor cores ("high"); only cases with matrix products
  bf16  operands stored in bfloat16; the ViT block: float32 weights under bfloat16 autocast
Cases
  matmul_nt MxNxK            y [M, N] = x [M, K] W[N, K]^T
  layernorm MxD              forward with affine
  attention BxHxNxE          scaled_dot_product_attention, forward
  attention_fwd_bwd BxHxNxE  forward and gradients of q, k, v
  vit_block_fwd_bwd BxNxD    ViT-B block (12 heads, mlp 4 D, GELU, LayerScale): forward, gradients of input and weights
A sample is `inner` calls, as many as last 2 ms, each on the next of three operand sets so that caches do not flatter;
`medianMs` and `iqrMs` are per call over the samples. CUDA times are from events, after a warm-up; calls are eager, as
users run them, so that launch overhead is in the smallest cases.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

COPIES, SAMPLE_MS, WARMUP_MS = 3, 2.0, 200.0
DTYPE = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


@dataclass
class Case:
    name: str
    flops: float
    bytes: float  # least traffic at float32
    precisions: tuple[str, ...]
    make: Callable[[torch.device, str], Callable[[], object]]


def matmul(m: int, n: int, k: int) -> Case:
    def make(device: torch.device, precision: str) -> Callable[[], object]:
        x = torch.randn(m, k, device=device, dtype=DTYPE[precision])
        w = torch.randn(n, k, device=device, dtype=DTYPE[precision])
        return lambda: F.linear(x, w)

    return Case(f"matmul_nt {m}x{n}x{k}", 2.0 * m * n * k, 4.0 * (m * k + n * k + m * n), ("f32", "tf32", "bf16"), make)


def layernorm(m: int, d: int) -> Case:
    def make(device: torch.device, precision: str) -> Callable[[], object]:
        x = torch.randn(m, d, device=device, dtype=DTYPE[precision])
        gamma, beta = (torch.randn(d, device=device, dtype=DTYPE[precision]) for _ in range(2))
        return lambda: F.layer_norm(x, (d,), gamma, beta, 1e-6)

    return Case(f"layernorm {m}x{d}", 8.0 * m * d, 8.0 * m * d, ("f32", "bf16"), make)


def attention(b: int, h: int, n: int, e: int, backward: bool) -> Case:
    def make(device: torch.device, precision: str) -> Callable[[], object]:
        q, k, v, do = (torch.randn(b, h, n, e, device=device, dtype=DTYPE[precision]) for _ in range(4))
        if not backward:
            return lambda: F.scaled_dot_product_attention(q, k, v)
        for t in (q, k, v):
            t.requires_grad_(True)
        return lambda: torch.autograd.grad(F.scaled_dot_product_attention(q, k, v), (q, k, v), do)

    name = "attention_fwd_bwd" if backward else "attention"
    flops = 4.0 * b * h * n * n * e * (3.5 if backward else 1)  # backward recomputes the scores: 5 products to 2
    return Case(f"{name} {b}x{h}x{n}x{e}", flops, (28.0 if backward else 16.0) * b * h * n * e,
                ("f32", "tf32", "bf16"), make)


class Block(nn.Module):
    """timm's pre-norm block with LayerScale."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(d, eps=1e-6), nn.LayerNorm(d, eps=1e-6)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.gamma1, self.gamma2 = nn.Parameter(torch.full((d,), 0.1)), nn.Parameter(torch.full((d,), 0.1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        o = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)
        x = x + self.gamma1 * self.proj(o)
        return x + self.gamma2 * self.fc2(F.gelu(self.fc1(self.norm2(x))))


def block(b: int, n: int, d: int, heads: int) -> Case:
    def make(device: torch.device, precision: str) -> Callable[[], object]:
        model = Block(d, heads).to(device)
        x = torch.randn(b, n, d, device=device, requires_grad=True)
        dy = torch.randn(b, n, d, device=device)
        wanted = (x, *model.parameters())
        mixed = precision == "bf16"

        def run() -> object:
            with torch.autocast(device.type, torch.bfloat16) if mixed else contextlib.nullcontext():
                y = model(x)
            return torch.autograd.grad(y, wanted, dy)

        return run

    forward = 24.0 * b * n * d * d + 4.0 * b * n * n * d
    return Case(f"vit_block_fwd_bwd {b}x{n}x{d}", 3 * forward, 0.0, ("f32", "tf32", "bf16"), make)


def cases(cpu: bool) -> list[Case]:
    if cpu:
        return [
            matmul(512, 512, 512), matmul(1024, 1024, 1024), matmul(197, 768, 3072), layernorm(788, 768),
            attention(1, 12, 197, 64, False), attention(1, 12, 197, 64, True), block(1, 197, 768, 12),
        ]  # fmt: skip
    shapes = []
    for d, n, h, e in ((384, 197, 6, 64), (768, 197, 12, 64), (1024, 197, 16, 64), (1280, 257, 16, 80)):
        shapes += [matmul(32 * n, 3 * d, d), matmul(32 * n, d, d), matmul(32 * n, 4 * d, d), matmul(32 * n, d, 4 * d)]
        shapes += [attention(32, h, n, e, False), attention(32, h, n, e, True)]
    return shapes + [
        matmul(512, 512, 512), matmul(1024, 1024, 1024), matmul(197, 768, 3072), matmul(4096, 4096, 4096),
        matmul(12608, 768, 3072), layernorm(12608, 768), attention(8, 12, 197, 64, False),
        attention(8, 12, 197, 64, True), block(8, 197, 768, 12), block(32, 197, 768, 12),
    ]  # fmt: skip


def clock_cpu(calls: list[Callable[[], object]], inner: int) -> float:
    start = time.perf_counter()
    for i in range(inner):
        calls[i % len(calls)]()
    return (time.perf_counter() - start) * 1e3


def clock_cuda(calls: list[Callable[[], object]], inner: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for i in range(inner):
        calls[i % len(calls)]()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


def measure(case: Case, device: torch.device, precision: str, samples: int) -> dict:
    torch.manual_seed(1)
    clock = clock_cuda if device.type == "cuda" else clock_cpu
    calls = [case.make(device, precision) for _ in range(COPIES)]
    clock(calls, COPIES)
    begin = time.perf_counter()
    once = clock(calls, COPIES) / COPIES
    while (time.perf_counter() - begin) * 1e3 < (WARMUP_MS if device.type == "cuda" else 0):
        once = clock(calls, COPIES) / COPIES
    inner = max(1, min(1000, round(SAMPLE_MS / max(once, 1e-3))))
    times = [clock(calls, inner) / inner for _ in range(samples)]
    low, median, high = statistics.quantiles(times, n=4)
    return {
        "case": case.name,
        "precision": precision,
        "medianMs": median,
        "iqrMs": high - low,
        "samples": samples,
        "inner": inner,
        "gflops": case.flops / median / 1e6,
        "gbps": case.bytes / median / 1e6 if case.bytes and precision == "f32" else None,
    }


@contextlib.contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def main() -> int:
    parser = argparse.ArgumentParser(description="Times in PyTorch what `deno bench` times in the engine")
    parser.add_argument("--cpu", action="store_true", help="small shapes on the CPU")
    parser.add_argument("--filter", default="", help="only cases whose name contains this text")
    parser.add_argument("--samples", type=int, default=30, help="samples a case, at least 20 (default 30)")
    parser.add_argument("--precision", choices=tuple(DTYPE), action="append", help="default: all; on the CPU f32")
    args = parser.parse_args()
    if args.samples < 20:
        parser.error("--samples is below 20")
    if not args.cpu and not torch.cuda.is_available():
        print("Cannot time on CUDA: torch finds no CUDA device; pass --cpu to try the script", file=sys.stderr)
        return 6
    device = torch.device("cpu" if args.cpu else "cuda")
    provenance = {
        "source": "torch",
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
    }
    for case in cases(args.cpu):
        if args.filter not in case.name:
            continue
        for precision in args.precision or (("f32",) if args.cpu else case.precisions):
            if precision not in case.precisions:
                continue
            try:
                with matmul_precision(precision):
                    row = measure(case, device, precision, args.samples)
            except (RuntimeError, NotImplementedError) as error:  # out of memory, kernel not available: keep the rest
                print(f"{case.name} {precision}: {str(error).splitlines()[0]}", file=sys.stderr)
                continue
            print(f"{case.name} {precision}: {row['medianMs']:.4f} ms, {row['gflops']:.0f} GFLOP/s", file=sys.stderr)
            print(json.dumps(row | provenance), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
