/**
 * Version of this software, as outputs name it.
 *
 * @module
 */

/** The version of `deno.json`. */
export const VERSION: string = "0.1.0";
