"""What scripts of training losses and worked numbers share: tensors by a formula, and writing the fixture or comparing with it."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import torch

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def wave(shape: tuple[int, ...], s: float, c: float = 1.0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Elements c * sin(1.7 k + s), k row-major, computed in float64."""
    k = torch.arange(math.prod(shape), dtype=torch.float64)
    return (c * torch.sin(1.7 * k + s)).to(dtype).reshape(shape)


def relative(made: dict, known: dict) -> dict[str, float]:
    """Largest relative distance of the losses of each run."""
    return {
        name: max(abs(a - b) / b for a, b in zip(run["losses"], known["runs"][name]["losses"], strict=True))
        for name, run in made["runs"].items()
    }


def finish(name: str, make: Callable[[], dict], distances: Callable[[dict, dict], dict[str, float]], most: float) -> int:
    """Writes tests/fixtures/NAME, or with --check compares: no distance of what is made from what is committed is above `most`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    made, path = make(), FIXTURES / name
    if not check:
        path.write_text(json.dumps(made, indent=1) + "\n")
        return 0
    far = distances(made, json.loads(path.read_text()))
    for what, distance in far.items():
        print(f"{what}: {distance:.1e} from the committed numbers")
    return 0 if all(distance <= most for distance in far.values()) else 1
