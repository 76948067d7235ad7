/** What `train` may write where SEAL's keys name places. */

import { deepEqual } from "node:assert/strict";
import { permissionsOf } from "../../../src/cli/permissions.ts";
import { inFolder } from "../../cli/shared.ts";

Deno.test("a run of SEAL may write to its folder and to that of its cache, if it has one", () =>
  inFolder(async (folder) => {
    const written = async (...argv: string[]) => (await permissionsOf(argv)).write;
    Deno.writeTextFileSync(`${folder}/c.yaml`, `out: ${folder}/run\nencoder: uni\ncache_dir: ${folder}/cache\n`);
    const train = ["train", "--config", `${folder}/c.yaml`];
    deepEqual(new Set(await written(...train)), new Set([`${folder}/run`, `${folder}/cache`]));
    deepEqual(await written(...train, `out=${folder}/b`, "cache_dir=null"), [`${folder}/b`]);
    deepEqual((await written("train", "--data", "d", "--encoder", "a/b")).length > 0, true);
  }));
