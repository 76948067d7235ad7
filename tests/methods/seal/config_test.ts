import assert from "node:assert/strict";
import { ConfigError } from "../../../src/core/errors.ts";
import { SEAL_CONFIG, type SealConfig } from "../../../src/methods/seal/config.ts";
import { visionTraining } from "../../../src/train/trainable.ts";
import { CONTRASTIVE_LOSSES, GENE_LOSS_NAMES, GENE_LOSSES } from "../../../src/losses/registry.ts";

type Overrides = readonly (readonly [string, string])[];

function read(text: string, overrides: Overrides = []): SealConfig {
  return SEAL_CONFIG.read([{ name: "config.yaml", text }], overrides).config;
}

function fails(text: string, wanted: RegExp, overrides: Overrides = []): ConfigError {
  try {
    read(text, overrides);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.match(error.message, wanted);
    return error;
  }
  assert.fail(`accepted:\n${text}`);
}

/** The whole table of the reference's defaults, in the groups its description has and in the spellings of Python. */
const REFERENCE = `
model:
  encoder: conch
  model: panST
  projection_head: none
  use_adapter: False
  adapter_bottleneck: 256
  partial_blocks: 1
  partial_tune: true
  organ_token: False
  out_dim: 512
gene model: {gene_model: vae, hidden_dims: [1024, 512], kl_loss: False, mask_ratio: 0, vae_dropout: 0, dec_dropout: 0,
  dec_batch_norm: False, vae_norm_flow: True, scgpt_blocks: 3}
warm-up:
  warmup_epochs: 0
  warmup_lr: 5e-4
  warmup_noise: 0
  noise_method: random
  warmup_only: False
  two_stage_training: False
  warmup_val_every: 1
  warmup_test_every: 1
data:
  num_patients_train: 600
  n_train_genes: 2000
  n_test_genes: 10
  gene_norm: log_norm
  gene_criterion: hvg
  spot_context: True
  multi_mag: False
  separate_val_split: False
  unify_gene_names: false
  subsample_frac: null
  num_patches_val: 20000
  num_patches_test: 40000
  filter:
    technology: [Visium, Visium HD]
    species: Homo sapiens
    organ: [Bladder, Bowel, Brain, Breast]
loss:
  gene_loss: barlow_std_mse
  contrast_method: clip
  l2_norm: True
  temperature: .05
  trainable_temperature: False
  lambda_contrast: 1
  lambda_recon_gene: 1
  lambda_recon_img: 1
  lambda_cca: 0
  lambda_da: 0
training:
  optim: {epochs: 10, batch_size: 384, opt: adamw, img_lr: 1e-4, gene_lr: 1.0e-4, weight_decay: .2, scheduler: cosine}
  layer_decay: .7
  grad_accum: 1
  augment: hard
  seed: 42
  workers: 20
  find_unused_parameters: False
  lora: {use_lora: True, r: 8, lora_alpha: 8, lora_dropout: .15, use_rslora: False}
eval:
  save_every: 5
  hest_every: 10
  eval_every: 1
  rank_every: 1
  pca_reduce: True
  slide_level_eval: True
  hest_eval: True
  hest_tasks: [xenium, visium]
  plot_every: 0
  hestbench: {method: ridge, normalize: True, count_norm: False, dimreduce: PCA, cuml: True}
`;

Deno.test("the reference's configuration is our default, and what nothing uses is named with its reason", () => {
  const { config, unused } = SEAL_CONFIG.read([{ name: "conf/config.yaml", text: REFERENCE }]);
  const wanted = SEAL_CONFIG.read().config;
  assert.deepEqual(config, { ...wanted, input: { ...wanted.input, workers: 20 } });
  const names = unused.map(({ key }) => key).sort();
  assert.deepEqual(names, [
    ...["filter", "find_unused_parameters", "hest_eval", "hest_every", "hest_tasks", "hestbench", "multi_mag"],
    ...["n_test_genes", "num_patches_test", "num_patches_val", "num_patients_train", "opt", "out_dim", "pca_reduce"],
    ...["plot_every", "rank_every", "scgpt_blocks", "separate_val_split", "slide_level_eval", "unify_gene_names"],
    ...["vae_norm_flow", "warmup_test_every"],
  ]);
  assert.ok(unused.every(({ reason }) => reason.length > 5));
  const all = SEAL_CONFIG.describe();
  assert.deepEqual(all.filter((key) => key.unused !== undefined).map(({ name }) => name).sort(), names);
});

Deno.test("defaults are the published ones", () => {
  const { optim, lora, loss, model, gene, genes, warmup } = SEAL_CONFIG.read().config;
  assert.deepEqual(
    [optim.img_lr, optim.gene_lr, optim.weight_decay, optim.batch_size, optim.epochs, optim.seed, optim.layer_decay],
    [1e-4, 1e-4, 0.2, 384, 10, 42, 0.7],
  );
  assert.deepEqual([lora.r, lora.lora_alpha, lora.lora_dropout, lora.use_rslora], [8, 8, 0.15, false]);
  assert.deepEqual([loss.temperature, loss.gene_loss, loss.contrast_method], [0.05, "barlow_std_mse", "clip"]);
  assert.deepEqual([model.partial_blocks, model.projection_head], [1, "none"]);
  assert.deepEqual([gene.hidden_dims, gene.kl_loss, genes.n_train_genes], [[1024, 512], false, 2000]);
  assert.deepEqual([warmup.warmup_epochs, warmup.warmup_lr], [0, 5e-4]);
});

Deno.test("every name is unique, and the losses are those that exist", () => {
  const names = SEAL_CONFIG.describe().map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.equal(names.length, Object.values(SEAL_CONFIG.table).reduce((sum, keys) => sum + Object.keys(keys).length, 0));
  assert.deepEqual([...SEAL_CONFIG.table.loss.gene_loss.of].sort(), Object.keys(GENE_LOSSES).sort());
  assert.deepEqual([...SEAL_CONFIG.table.loss.contrast_method.of].sort(), Object.keys(CONTRASTIVE_LOSSES).sort());
});

Deno.test("a key may stand in any groups or none, but once", () => {
  for (const text of ["img_lr: 3e-4", "a: {b: {c: {img_lr: 3e-4}}}", "x.y.img_lr: 3e-4", "img_lr: {img_lr: 3e-4}"]) {
    assert.equal(read(text).optim.img_lr, 3e-4, text);
  }
  const error = fails(
    "optim:\n  img_lr: 1\n\nother:\n  img_lr: 2\n",
    /^config\.yaml:5: Cannot read img_lr again.*line 2/,
  );
  assert.equal(error.context.line, 5);
  fails("img_lr: 1\nimg_lr: 1\n", /^config\.yaml:2: .*img_lr again/);
});

Deno.test("an unknown key is an error with its line and the nearest name", () => {
  const error = fails(
    "lora:\n  r: 4\n  lora_alpa: 8\n",
    /^config\.yaml:3: Cannot read "lora_alpa": no such key; did you mean lora_alpha\?$/,
  );
  assert.deepEqual([error.context.nearest, error.context.file], ["lora_alpha", "config.yaml"]);
  assert.match(error.hint!, /^Write lora_alpha;/);
  assert.doesNotMatch(fails("epoch: 2", /did you mean epochs/).hint!, /ignore_keys/);
  assert.match(fails("gpus: 2", /no such key/).hint!, /ignore_keys=gpus/);
  fails("zzzzqqqq: 1", /^config\.yaml:1: Cannot read "zzzzqqqq": no such key$/);
  fails("epochs: {epoch: 3}", /Cannot read "epoch": no such key; did you mean epochs\?/);
  fails("", /Cannot read "lora_alpa"/, [["lora_alpa", "1"]]);
  fails("just a text", /wanted keys with values/);
  fails("- epochs: 1", /wanted keys with values/);
});

Deno.test("a document may hold other programs' keys where ignore_keys says so", () => {
  const text = "wandb: {project: seal, entity: {name: x}}\nport: 1\nseed: 3\n";
  const { config, unused } = SEAL_CONFIG.read([{ name: "f", text }], [["ignore_keys", "wandb,port"]]);
  assert.equal(config.optim.seed, 3);
  assert.deepEqual(unused.map(({ key }) => key), ["wandb.project", "wandb.entity.name", "port"]);
  assert.deepEqual(SEAL_CONFIG.read([{ name: "f", text: text + "ignore_keys: [wandb, port]" }]).unused, unused);
  const error = fails(text, /^config\.yaml:2: Cannot read "port"/, [["ignore_keys", "wandb"]]);
  assert.match(error.hint!, /ignore_keys=port/);
  fails("img_lr: x\n", /Cannot use img_lr/, [["ignore_keys", "img_lr"]]);
});

Deno.test("later documents win key by key, overrides win over all", () => {
  const documents = [
    { name: "config.yaml", text: "training: {img_lr: 1e-3, gene_lr: 1e-3}\nseed: 1" },
    { name: "user.yaml", text: "img_lr: 2e-3" },
  ];
  const { config, given } = SEAL_CONFIG.read(documents, [["training.gene_lr", "5e-3"], ["data", "a,b"]]);
  assert.deepEqual([config.optim.img_lr, config.optim.gene_lr, config.optim.seed], [2e-3, 5e-3, 1]);
  assert.deepEqual(config.input.data, ["a", "b"]);
  assert.deepEqual([...given].sort(), ["data", "gene_lr", "img_lr", "seed"]);
});

Deno.test("a dotted override must name the key's groups, ours or the document's", () => {
  assert.equal(read("", [["optim.img_lr", "1"]]).optim.img_lr, 1);
  assert.equal(read("a: {b: {img_lr: 2}}", [["a.b.img_lr", "1"]]).optim.img_lr, 1);
  fails("", /Cannot read lora\.img_lr: img_lr is no key of lora; did you mean optim\.img_lr\?/, [["lora.img_lr", "1"]]);
  fails("a: {b: {img_lr: 2}}", /no key of b/, [["b.img_lr", "1"]]);
});

Deno.test("values are read by the kind of their key, whatever YAML would make of them", () => {
  for (const word of ["true", "True", "TRUE", "yes", "on"]) assert.equal(read(`kl_loss: ${word}`).gene.kl_loss, true);
  for (const word of ["false", "False", "no", "off"]) assert.equal(read(`l2_norm: ${word}`).loss.l2_norm, false);
  for (const word of ["null", "~", "None", ""]) assert.equal(read(`adapter: ${word}`).input.adapter, null);
  assert.equal(read(`adapter: "null"`).input.adapter, "null");
  assert.deepEqual(read("samples: [NO, 007, 1e3, 0x10, 'a, b']").input.samples, ["NO", "007", "1e3", "0x10", "a, b"]);
  assert.deepEqual(read("samples: TENX1").input.samples, ["TENX1"]);
  assert.equal(read("img_lr: 1e-4").optim.img_lr, 1e-4);
  assert.equal(read("img_lr: '1e-4'").optim.img_lr, 1e-4);
  assert.equal(read("batch_size: 1_024").optim.batch_size, 1024);
  assert.deepEqual(read("", [["hidden_dims", "[64, 32]"]]).gene.hidden_dims, [64, 32]);
  assert.deepEqual(read("", [["hidden_dims", "64,32"]]).gene.hidden_dims, [64, 32]);
  assert.equal(read("", [["encoder", "random:vit[1]: x # y"]]).input.encoder, "random:vit[1]: x # y");
  assert.equal(read("augment: null").optim.augment, "none");
  assert.equal(read("gene_model: None").gene.gene_model, "identity");
  assert.equal(read("cache: off").cache.cache, "off");
  assert.equal(read("cache: false").cache.cache, "off");
  assert.equal(read("augment: HARD").optim.augment, "hard");
  // Nothing looks at the value of a key that nothing uses.
  assert.equal(SEAL_CONFIG.read([{ name: "f", text: "num_patients_train: [all]\nopt: sgd" }]).unused.length, 2);
});

Deno.test("every error of the configuration has a hint, and what it says to write is accepted or another key's value", () => {
  assert.equal(fails("gene_loss: mce", /wanted .*\| mse \|/).hint, "gene_loss: mse");
  assert.equal(fails("", /wanted a whole number/, [["batch_size", "1"]]).hint, "batch_size=384");
  assert.equal(fails("", /no key of lora/, [["lora.img_lr", "1"]]).hint!.split(";")[0], "Write img_lr=1");
  for (const { name, default: value, unused } of SEAL_CONFIG.describe()) {
    if (unused !== undefined || name === "ignore_keys") continue;
    const { hint } = fails(`${name}: [[x]]`, /Cannot use/);
    assert.ok(hint, `${name} has a hint`);
    if (hint.startsWith(`${name}: `) && value !== "null") SEAL_CONFIG.read([{ name: "f", text: hint }]);
  }
});

Deno.test("values of another kind and out of range are errors with their line", () => {
  const rows: [string, RegExp][] = [
    ["batch_size: 1", /config\.yaml:1: Cannot use batch_size: given "1", wanted a whole number from 2 to 65536/],
    ["batch_size: 8.5", /wanted a whole number/],
    ["batch_size: 0x10", /wanted a whole number/],
    ["batch_size: [8]", /given a list of 1, wanted a whole number/],
    ["batch_size: 1e400", /given "1e400"/],
    ["img_lr: .nan", /given "\.nan", wanted a number of at least 0/],
    ["img_lr: .inf", /wanted a number/],
    ["img_lr: -1e-4", /wanted a number/],
    ["img_lr:", /given nothing, wanted a number/],
    ["temperature: 0", /wanted a number above 0/],
    ["kl_loss: 1", /wanted true or false/],
    ["kl_loss: null", /wanted true or false/],
    ["encoder: null", /wanted a text/],
    ["encoder: [a, b]", /given a list of 2, wanted a text/],
    ["hidden_dims: [64, x]", /wanted a list of whole numbers/],
    ["hidden_dims: [64, 0]", /wanted a list of whole numbers of at least 1/],
    ["hidden_dims: [[64]]", /wanted a list of whole numbers/],
    ["samples: [a, {b: c}]", /wanted a list of texts/],
    ["gene_loss: mce", new RegExp(`given "mce", wanted ${GENE_LOSS_NAMES.join(" [|] ")}$`)],
    ["gene_norm: log", /wanted log_norm \| none \(the reference's log transforms nothing/],
    ["gene_model: scgpt", /scgpt|not supported/],
    ["gene_norm: constructor", /given "constructor", wanted log_norm \| none$/],
    ["__proto__: {epochs: 0x1}", /Cannot use epochs/],
    ["constructor: 1", /Cannot read "constructor": no such key/],
    [`${"lora_".repeat(200)}: 1`, /^config\.yaml:1: Cannot read "[lora_]{64}": no such key$/],
    ["model: bleep", /no public training code defines it/],
    ["cache_views: 9", /from 1 to 8/],
    ["seed: 4294967296", /wanted a whole number/],
  ];
  for (const [text, wanted] of rows) fails(text, wanted);
});

Deno.test("keys that contradict each other are errors", () => {
  const rows: [string, RegExp][] = [
    ["use_lora: false\npartial_blocks: 0", /use_lora is false and partial_blocks is 0/],
    ["use_lora: false\npartial_blocks: -1\ncache: memory", /trains them all, wanted cache off/],
    ["use_lora: false\nadapter: a", /Cannot start from a/],
    ["adapter_residual: true", /use_adapter is false/],
    ["two_stage_training: true", /warmup_epochs 0/],
    ["warmup_only: true", /warmup_epochs is 0/],
    ["gene_model: null\nwarmup_epochs: 2", /identity has nothing to train/],
    ["warmup_noise: 1", /warmup_noise is 1, wanted below 1/],
    ["warmup_epochs: 1\nlambda_recon_gene: 0", /Cannot warm the gene model up/],
    ["spot_context: false\nsmoothing: hex6", /spot_context is false/],
    ["gene_order: per_sample_hvg", /needs one gene a column/],
    ["gene_stats: smoothed", /wanted unsmoothed/],
    ["kl_loss: true\nkl_form: exact\nlatent: mean", /wanted a drawn one/],
    ["gene_order: per_sample_hvg\ngene_list: g.txt", /chooses them in every sample/],
    ["hidden_dims: []", /hidden_dims is empty/],
    ["gene_model: mlp\nkl_loss: true", /gene_model mlp has no posterior/],
    ["gene_model: mlp\nmask_ratio: .2", /Cannot mask genes/],
    ["gene_embeddings: true", /wanted transformer/],
    ["lambda_contrast: 0\nlambda_recon_img: 0", /Cannot align/],
    ["contrast_method: cca\ntrainable_temperature: true", /contrast_method is cca, wanted clip/],
    ["temperature: .001\ntrainable_temperature: true", /wanted at least 0\.01/],
    ["epochs: 0", /epochs is 0/],
    ["holdout_fraction: 0\nearly_stop_patience: 3", /no donor is held out/],
    ["eval_every: 0\nearly_stop_patience: 3", /eval_every is 0/],
    ["steps: 10\nlr_warmup_steps: 11", /steps is 10/],
    ["neighbour_cap: 1\nsubsample_frac: .5", /subsample_frac=null/],
    ["min_lr: 1e-3", /peaks are 0\.0001, 0\.0001, 0\.0001/],
    ["samples: [a]\nholdout_samples: [b]", /Cannot hold out b/],
    ["exclude_samples: [a]\nholdout_samples: [a]", /Cannot hold out a/],
    ["exclude_samples: [a]\nsamples: [a]", /Cannot use a/],
    ["subsample_frac: 0", /no pairs/],
    ["encoder: ''", /encoder is empty/],
  ];
  for (const [text, wanted] of rows) assert.ok(fails(text, wanted).hint, text);
  // The place is that of the key that was given.
  fails("seed: 1\ntwo_stage_training: true", /^config\.yaml:2: /);
});

Deno.test("defaults follow the keys they depend on", () => {
  assert.equal(read("spot_context: false").genes.smoothing, "none");
  assert.equal(read("smoothing: none").genes.spot_context, false);
  assert.equal(read("use_lora: false\npartial_blocks: -1").cache.cache, "off");
  assert.equal(read("use_lora: false").cache.cache, "memory");
  const { cache } = read("augment: none\ncache_colour_views: 3");
  assert.deepEqual([cache.cache_views, cache.cache_colour_views], [1, 0]);
  assert.equal(read("augment: soft\ncache_colour_views: 3").cache.cache_colour_views, 0);
  assert.equal(read("augment: hard\ncache_colour_views: 3").cache.cache_colour_views, 3);
  assert.equal(visionTraining(read("")), "lora");
  assert.equal(visionTraining(read("use_lora: false")), "partial");
  assert.equal(visionTraining(read("use_lora: false\npartial_blocks: -1")), "full");
  assert.equal(visionTraining(read("use_lora: false\npartial_tune: false")), "frozen");
  assert.equal(visionTraining(read("model: linprobe")), "frozen");
});

Deno.test("a likelihood of raw counts gets means above 0 from the image decoder, unless another activation is asked for", () => {
  const activation = (text: string) => read(text).model.final_activation;
  assert.equal(activation("gene_loss: negbin"), "relu");
  assert.equal(activation("gene_norm: none"), "relu");
  assert.equal(activation("gene_loss: negbin\ngene_norm: none"), "softplus");
  assert.equal(activation("gene_loss: negbin\ngene_norm: none\nfinal_activation: relu"), "relu");
});

Deno.test("the resolved configuration reads back as itself, whatever it holds", () => {
  const texts = [
    "",
    REFERENCE,
    "use_lora: false\npartial_blocks: -1",
    "augment: null\ngene_model: null\nsmoothing: none",
    `encoder: "random:vit?dim=8&depth=2"\nout: "a: b # c"\nadapter: "null"\nomics: "7"\ndata: ["-", "a,b", "x: ["]`,
    "samples: [NO, 'null', '~', '1', 'ä ö', \"'\", '\"', '\\\\', '#', '%a', '@b', '`', '*x', '&y', '!z', '[', '}', '? q', '- p']",
    "img_lr: 1.2345678901234567e-7\ntemperature: 0.1\neps: 1e-8\nseed: 4294967295",
  ];
  for (const text of texts) {
    const { config } = SEAL_CONFIG.read([{ name: "a", text }]);
    const written = SEAL_CONFIG.write(config);
    const again = SEAL_CONFIG.read([{ name: "b", text: written }]);
    assert.deepEqual(again.config, config);
    assert.deepEqual(again.unused, []);
    assert.equal(SEAL_CONFIG.write(again.config), written);
  }
});

Deno.test("every key that is read is written with its line of the table, listed in the help, and has a row on the page", () => {
  const [written, help, page] = [SEAL_CONFIG.write(SEAL_CONFIG.read().config), SEAL_CONFIG.help(), SEAL_CONFIG.page()];
  for (const { name, unused, doc } of SEAL_CONFIG.describe()) {
    assert.equal(new RegExp(`^  ${name}: .* # `, "m").test(written), unused === undefined, name);
    assert.equal(new RegExp(`^  ${name}=.*`, "m").test(help), unused === undefined, name);
    assert.ok(page.includes(`| \`${name}\` |`), name);
    assert.ok(doc.length > 3 && !doc.endsWith("."), name);
  }
});

Deno.test("whatever is damaged in a configuration, the error is one of configuration with file and line, and soon there", () => {
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
  const pieces = [
    "[",
    "{",
    "}",
    "]",
    ":",
    ": ",
    "\n",
    "  ",
    "- ",
    "*a",
    "&a ",
    "!!x ",
    "'",
    '"',
    "#",
    "|",
    ">",
    "%",
    "?",
    "\t",
    "\0",
    "é",
  ];
  let failed = 0;
  for (let i = 0; i < 600; i++) {
    const text = REFERENCE.split("");
    for (let k = 0; k <= random(4); k++) text.splice(random(text.length), random(12), pieces[random(pieces.length)]!);
    try {
      read(text.join(""));
    } catch (error) {
      assert.ok(error instanceof ConfigError, `${error}`);
      assert.match(error.message, /^config\.yaml:\d+: Cannot /);
      failed++;
    }
  }
  assert.ok(failed > 100, `${failed} of 600 failed`);
});
