/**
 * Runs a script with Deno on Mesa's lavapipe of Debian's suite `sid` (`matrix_adapter.ts`), which is another driver than the
 * machine's own and new enough for Dawn.
 *
 *     deno run -A scripts/newer_mesa.ts scripts/methods/spade/world.ts --backend dawn 0
 *
 * @module
 */

import { DAWN_FOLDER, findDawn } from "../src/cli/backend.ts";
import { exec } from "./exec.ts";
import { matrixAdapter } from "./matrix_adapter.ts";

const { command: [loader, ...before], env, version } = await matrixAdapter();
console.log(`Mesa ${version}`);
const permissions = ["--no-prompt", ...["read", "write", "env", "sys", "ffi"].map((name) => `--allow-${name}`)];
const words = [...before, Deno.execPath(), "run", "--no-check", "--quiet", ...permissions, ...Deno.args];
const dawn = await findDawn();
const { code } = await exec(loader!, words, { env: { ...env, ...(dawn !== undefined && { [DAWN_FOLDER]: dawn }) } });
Deno.exit(code);
