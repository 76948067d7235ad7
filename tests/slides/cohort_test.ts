/** Names, shares and lists of slides. */

import assert from "node:assert/strict";
import { ConfigError, FormatError } from "../../src/core/errors.ts";
import { parseManifest } from "../../src/slides/manifest.ts";
import { encoderFolder, gridFolder, nameSlides, slideName } from "../../src/slides/names.ts";
import { parseShard, shardOf, shardSlides } from "../../src/slides/shards.ts";

Deno.test("Slides are named by their files, sorted by bytes; two of one name are refused or told apart by folders", () => {
  const names = ["a/TCGA-1.svs", "b c/ü x.ome.tiff", "d.OME.TIF", "e.f.ndpi", "plain", ".hidden"];
  assert.deepEqual(names.map(slideName), ["TCGA-1", "ü x", "d", "e.f", "plain", ".hidden"]);
  const found = [{ path: "in/b/s.svs", root: "in" }, { path: "in/a/t.svs", root: "in/" }, {
    path: "in/a/z/s.tif",
    root: "in",
  }];
  assert.throws(() => nameSlides(found), (error: ConfigError) => {
    assert.match(error.message, /two slides s: in\/b\/s\.svs and in\/a\/z\/s\.tif/);
    return /--name-from relative/.test(error.hint!);
  });
  assert.deepEqual(nameSlides(found, "relative").map(({ name }) => name), ["a__t", "a__z__s", "b__s"]);
  // Code points and not UTF-16: U+FF5E sorts before U+1F600.
  assert.deepEqual(nameSlides(["😀", "～", "é", "Z"].map((path) => ({ path }))).map(({ name }) => name), [
    "Z",
    "é",
    "～",
    "😀",
  ]);
});

Deno.test("Folders are TRIDENT's, an adapter is part of the encoder's", () => {
  assert.deepEqual(
    ["uni2-h", "conch", "h-optimus-0", "random:vit_s16?dim=3&seed=1"].map((name) => encoderFolder(name)),
    [
      "uni_v2",
      "conch_v1",
      "hoptimus0",
      "random_vit_s16_dim=3_seed=1",
    ],
  );
  assert.equal(encoderFolder("uni2-h", { name: "seal", hash: "0123456789abcdef" }), "uni_v2+seal-01234567");
  const nominal = { scale: "nominal", magnification: 20, patch: 512, overlap: 0 } as const;
  assert.equal(gridFolder(nominal), "20x_512px_0px_overlap");
  assert.equal(gridFolder({ ...nominal, magnification: 2.5, overlap: 64 }), "2.5x_512px_64px_overlap");
  assert.equal(gridFolder({ scale: "physical", tile: 112, pixelSize: 0.5, overlap: 0 }), "112um_224px_0um_overlap");
});

Deno.test("Shares of all runs are the cohort, each slide once, and stay where they are when slides are added", () => {
  const slides = Array.from({ length: 200 }, (_, i) => ({ name: `TCGA-${i}-ü ${i * i}` }));
  for (let of = 1; of <= 7; of++) {
    const shares = Array.from({ length: of }, (_, i) => shardSlides(slides, { index: i, of }));
    const all = shares.flat();
    assert.equal(all.length, slides.length);
    assert.equal(new Set(all).size, slides.length);
    assert.ok(shares.every((share) => share.length > 200 / of / 2), `${of}: ${shares.map((share) => share.length)}`);
    const fewer = shardSlides(slides.filter((_, i) => i % 3), { index: 0, of });
    assert.ok(fewer.every((slide) => shares[0]!.includes(slide)));
  }
  // The hash is part of the contract: runs of two versions side by side must agree.
  assert.deepEqual(["a", "TCGA-1", "ü"].map((name) => shardOf(name, 7)), [6, 6, 3]);
});

Deno.test("A share is told, or taken from SLURM's and Kubernetes' variables", () => {
  const parse = (text: string, env: Record<string, string> = {}) => parseShard(text, (name) => env[name]);
  assert.deepEqual(parse("2/5"), { index: 2, of: 5 });
  const slurm = { SLURM_ARRAY_TASK_ID: "14", SLURM_ARRAY_TASK_MIN: "10", SLURM_ARRAY_TASK_COUNT: "8" };
  assert.deepEqual(parse("auto", slurm), { index: 4, of: 8 });
  assert.deepEqual(parse("auto/6", slurm), { index: 4, of: 6 });
  const stepped = {
    SLURM_ARRAY_TASK_ID: "6",
    SLURM_ARRAY_TASK_MIN: "0",
    SLURM_ARRAY_TASK_MAX: "9",
    SLURM_ARRAY_TASK_STEP: "2",
  };
  assert.deepEqual(parse("auto", stepped), { index: 3, of: 5 });
  assert.deepEqual(parse("auto/4", { JOB_COMPLETION_INDEX: "3" }), { index: 3, of: 4 });
  const cases: [string, Record<string, string>, RegExp][] = [
    ["5/5", {}, /share 5 of 5/],
    ["0/0", {}, /share 0 of 0/],
    ["a/5", {}, /no share/],
    ["auto", {}, /neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX/],
    ["auto", { JOB_COMPLETION_INDEX: "1" }, /not of how many, auto\/N wanted/],
    ["auto/2", { JOB_COMPLETION_INDEX: "2" }, /share 2 of 2/],
    ["auto", { SLURM_ARRAY_TASK_ID: "3" }, /SLURM_ARRAY_TASK_COUNT is not set/],
    ["auto", { ...slurm, SLURM_ARRAY_TASK_ID: "30" }, /without gaps/],
    ["auto", { SLURM_ARRAY_TASK_ID: "x" }, /SLURM_ARRAY_TASK_ID=x/],
  ];
  for (const [text, env, wanted] of cases) {
    assert.throws(() => parse(text, env), (e) => e instanceof ConfigError && wanted.test(e.message));
  }
});

Deno.test("Lists of TRIDENT and slide2vec are read; what is wrong is told by its line", () => {
  assert.deepEqual(parseManifest('wsi,mpp\na/b.svs,0.25\n"c, d.ome.tif",\n', "l.csv"), [
    { name: "b", path: "a/b.svs", mpp: 0.25, mask: undefined, line: 2 },
    { name: "c, d", path: "c, d.ome.tif", mpp: undefined, mask: undefined, line: 3 },
  ]);
  const other = "\uFEFFsample_id,image_path,mask_path,spacing_at_level_0\r\nS1,/x/a.svs,/x/a.png,0.5\r\n";
  assert.deepEqual(parseManifest(other, "l.csv"), [{
    name: "S1",
    path: "/x/a.svs",
    mpp: 0.5,
    mask: "/x/a.png",
    line: 2,
  }]);
  assert.deepEqual(parseManifest("wsi\n", "l.csv"), []);
  const cases: [string, RegExp][] = [
    ["", /line 1 has nothing/],
    ["slide\na.svs\n", /line 1 has columns slide, expected a column wsi/],
    ["wsi,mpp\na.svs,x\n", /line 2 has mpp "x"/],
    ["wsi,mpp\na.svs,-1\n", /line 2 has mpp "-1"/],
    ["wsi,mpp\n,1\n", /line 2 has no wsi/],
    ["wsi\na/s.svs\nb/s.svs\n", /line 3 has s again, after line 2/],
    ["sample_id,image_path\n../x,a.svs\n", /line 2 has the name "\.\.\/x"/],
  ];
  for (const [text, wanted] of cases) {
    assert.throws(
      () => parseManifest(text, "l.csv"),
      (e) => e instanceof FormatError && wanted.test(e.message) && e.context.file === "l.csv",
    );
  }
});
