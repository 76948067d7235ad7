/**
 * What `inspect` says of a run that was stopped: how far it is, and the command that goes on with it, which does.
 *
 * @seconds 10
 */

import { equal, match, ok } from "node:assert/strict";
import { launched } from "../../cli/command.ts";
import { inFolder, seal } from "../../cli/shared.ts";

const SETTINGS = ["n_train_genes=60", "epochs=2", "steps=6", "save_every_steps=1", "batch_size=18", "eval_every=0"];

Deno.test({
  name: "a stopped run is inspected, and goes on by the command that inspect says",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const [data, out] = [`${folder}/data`, `${folder}/run`];
      equal((await seal("synth", "--profile", "smoke", "--out", data)).code, 0);
      const encoder = "random:vit_small_patch16_224?dim=32&depth=2&heads=2&img=224&seed=3";
      const given = ["train", "--data", data, "--encoder", encoder, "--out", out, "holdout_samples=SYN3", ...SETTINGS];
      const child = (await launched(given)).spawn();
      while (!await Deno.lstat(`${out}/manifest.json`).then(() => true, () => false)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      child.kill("SIGTERM");
      const { code } = await child.output();
      equal(code, 75);
      const said = await seal("inspect", out);
      equal(said.code, 0, said.err);
      match(said.out, /^status +(?:begun, without a checkpoint|not finished)$/m);
      const words = /^next +deno task (train --config \S+ --out \S+) goes on with it$/m.exec(said.out);
      ok(words, said.out);
      const went = await seal(...words[1]!.split(" "));
      equal(went.code, 0, went.err);
      match((await seal("inspect", out)).out, /^status +finished in \d+ s$/m);
    }),
});
