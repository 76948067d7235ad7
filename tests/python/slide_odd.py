"""Makes slides that something is wrong with, with tifffile, and prints what `inspect` and `embed --job` say of each: alone, with its
exit status, and all in one folder.

    pip install numpy tifffile imagecodecs
    python tests/python/slide_odd.py [--write]
"""

import glob
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np
import tifffile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ENCODER = "random:vit_small_patch16_224?dim=32&depth=1&patch=8&img=32&seed=3"
GRID = ["--encoder", ENCODER, "--mag", "20", "--patch-size", "224", "--workers", "1", "--quiet", "--json"]


def stained(width, height):
    image = np.full((height, width, 3), 243, np.uint8)
    y, x = np.mgrid[:height, :width]
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (0.4 * min(width, height)) ** 2
    image[disc] = [180, 110, 170]
    image[disc] += np.random.default_rng(0).integers(0, 8, (disc.sum(), 3)).astype(np.uint8)
    return image


def pyramid(path, image, levels=3, mpp="0.5"):
    with tifffile.TiffWriter(path) as writer:
        options = dict(tile=(256, 256), compression="jpeg", photometric="rgb")
        first = dict(description=f"Aperio Image Library v12\n256x256 JPEG/RGB Q=70|AppMag = 20|MPP = {mpp}") if mpp else {}
        writer.write(image, **options, **first)
        for level in range(1, levels):
            writer.write(np.ascontiguousarray(image[:: 4**level, :: 4**level]), subfiletype=1, **options)


def make(folder):
    big = stained(3000, 2600)
    plain = f"{folder}/name with spaces é 日本.svs"
    pyramid(plain, big)
    whole = open(plain, "rb").read()
    with tifffile.TiffFile(plain) as file:
        at = [page.offset for page in file.pages]
        tiles, sizes = file.pages[0].dataoffsets, file.pages[0].databytecounts
        last = file.pages[2].dataoffsets[0]
    next_at = at[0] + 2 + 12 * struct.unpack_from("<H", whole, at[0])[0]

    def changed(name, edit):
        copy = bytearray(whole)
        copy = edit(copy) or copy
        with open(f"{folder}/{name}", "wb") as file:
            file.write(copy)

    def damage(copy):
        for i in (30, 31, 70):
            copy[tiles[i] + 20 : tiles[i] + sizes[i] - 2] = bytes(sizes[i] - 22)

    open(f"{folder}/0 bytes.svs", "wb").close()
    changed("half.svs", lambda copy: copy[: len(copy) // 2])
    changed("last level cut off.svs", lambda copy: copy[: last + 100])
    changed("level missing.svs", lambda copy: struct.pack_into("<I", copy, next_at, at[2]))
    changed("level beyond the end.svs", lambda copy: struct.pack_into("<I", copy, next_at, len(copy) + 1000))
    changed("tiles damaged.svs", damage)
    pyramid(f"{folder}/one level.svs", big, 1)
    pyramid(f"{folder}/one colour, stained.svs", np.full((2600, 3000, 3), (200, 150, 190), np.uint8))
    pyramid(f"{folder}/one colour, white.svs", np.full((2600, 3000, 3), 255, np.uint8))
    pyramid(f"{folder}/one colour, black.svs", np.zeros((2600, 3000, 3), np.uint8))
    pyramid(f"{folder}/one tile.svs", stained(224, 224), 1)
    pyramid(f"{folder}/one pixel.svs", np.full((1, 1, 3), 150, np.uint8), 1)
    pyramid(f"{folder}/no pixel size.tif", big, mpp=None)
    pyramid(f"{folder}/pixel size 0.svs", big, mpp="0")
    with open(f"{folder}/no slide.svs", "w") as file:
        file.write("no slide at all\n")
    return plain


def seal(*words):
    command = ["deno", "run", "-A", "--no-check", os.path.join(ROOT, "src/cli/main.ts"), *words]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def main():
    lines = []

    def say(text):
        print(text, flush=True)
        lines.append(text)

    with tempfile.TemporaryDirectory() as top:
        folder = f"{top}/in"
        os.mkdir(folder)
        plain = make(folder)
        for path in sorted(glob.glob(f"{folder}/*")):
            name = os.path.basename(path)
            looked = seal("inspect", path)
            for words in ([], ["--everywhere"]) if name == "one tile.svs" else ([],):
                done = seal("embed", path, "--job", f"{top}/job{len(lines)}", *GRID, *words)
                result = json.loads(done.stdout.strip().splitlines()[-1])
                said = done.stderr.replace(f"{folder}/", "").replace(top, "TMP").strip().replace("\n", "; ")
                state = [f"{s['status']}, {s['tiles']} tiles, {s['damaged']} damaged" for s in result.get("slides", [])]
                say(f"{' '.join([name, *words])}: inspect {looked.returncode}; embed {done.returncode}: {'; '.join([*state, *([said] if said else [])])}")
        for part in ("a", "b"):
            os.makedirs(f"{folder}/{part}")
            shutil.copy(plain, f"{folder}/{part}/same.svs")
        both = seal("embed", folder, "--job", f"{top}/both", *GRID)
        say(f"two of one name: embed {both.returncode}: " + both.stderr.replace(f"{folder}/", "").strip().replace("\n", "; "))
        both = seal("embed", folder, "--job", f"{top}/both", *GRID, "--name-from", "relative")
        states = {s["name"]: s["status"] for s in json.loads(both.stdout)["slides"]}
        counts = {status: sum(s == status for s in states.values()) for status in ("done", "empty", "failed")}
        say(f"all in one folder, --name-from relative: embed {both.returncode}: {counts}; {states['a__same']}, {states['b__same']}")
        with open(f"{top}/both/summary.md") as file:
            say("summary.md: " + next(line.strip() for line in file if "slides:" in line))
    if "--write" in sys.argv:
        with open(os.path.join(ROOT, "tests/fixtures/slide_odd.txt"), "w") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
