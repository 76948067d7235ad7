/**
 * Losses by the names configurations use: the files of `gene/` and `contrastive/`. Their names are the choices of the keys
 * `gene_loss` and `contrast_method`.
 *
 * @module
 */

export { index as CONTRASTIVE_LOSSES, names as CONTRASTIVE_NAMES } from "./contrastive/index.gen.ts";
export { index as GENE_LOSSES, names as GENE_LOSS_NAMES } from "./gene/index.gen.ts";
