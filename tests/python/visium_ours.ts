/**
 * Writes a folder as Space Ranger makes it, from a synthetic slide, for other readers and for `convert visium`.
 *
 *     deno run -A tests/python/visium_ours.ts FOLDER
 *     deno task convert visium FOLDER --out DIR --id V1
 *     python tests/python/converted.py DIR --visium FOLDER/outs
 *
 * @module
 */

import { make, writeOuts } from "../cli/space_ranger.ts";

if (import.meta.main) await writeOuts(make(0), Deno.args[0]!);
