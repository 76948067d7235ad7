"""Decodes the tiles of PyPI's wsidicom-data in JPEG 2000 with OpenJPEG and with this program; those in other syntaxes must be refused.

    pip install numpy imagecodecs; pip download wsidicom-data, unpacked into DIR
    python tests/python/jpeg2000.py DIR [--write]
"""

import glob
import json
import os
import subprocess
import sys
import tempfile

import imagecodecs
import numpy as np

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def main():
    names = sorted(glob.glob(os.path.join(sys.argv[1], "**", "encoded", "*.j*"), recursive=True))
    lines = [f"OpenJPEG {imagecodecs.jpeg2k_version()}"]
    with tempfile.TemporaryDirectory() as out:
        script = os.path.join(ROOT, "tests/python/jpeg2000_ours.ts")
        command = ["deno", "run", "-A", "--no-check", script, out, *names]
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT, text=True).stdout
        for path, line in zip(names, said.splitlines()):
            answer = json.loads(line)
            if not path.endswith(".jp2"):
                if "error" in answer and isinstance(answer["error"], str) and path.endswith(".jls"):
                    lines.append(f"{answer['name']}: {answer['error'].split(': ', 1)[1]}")
                continue
            with open(path, "rb") as f:
                wanted = imagecodecs.jpeg2k_decode(f.read())
            found = np.fromfile(os.path.join(out, answer["file"]), wanted.dtype).reshape(wanted.shape)
            apart = np.abs(found.astype(int) - wanted.astype(int))
            lines.append(f"{answer['name']}: {wanted.shape} {wanted.dtype}, worst {apart.max()}")
    print("\n".join(lines))
    if "--write" in sys.argv:
        with open(os.path.join(ROOT, "tests/fixtures/jpeg2000.txt"), "w") as f:
            f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
