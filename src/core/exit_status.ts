/**
 * Exit status of a command that did what it could; those of errors stand with their classes (`errors.ts`).
 *
 * @module
 */

/** Some items failed or were left out, or some values are not defined; each was named. */
export const INCOMPLETE = 3;
