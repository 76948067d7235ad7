/**
 * A trained model in use: patches of any size and expression go through it.
 *
 * @module
 */

import { DataError } from "../../core/errors.ts";
import type { Vocabulary } from "../../data/genes/vocabulary.ts";
import type { TrainedModel } from "../../eval/inference.ts";
import { ORGANS } from "../../models/organ_token.ts";
import { pixelInput } from "../../train/row_input.ts";
import type { ViewOf } from "../../train/stem_cache.ts";
import { Inference, shiftRows } from "./inference.ts";
import type { SealModel } from "./model.ts";

/** Runs patches of any size and expression through the model. */
export class Trained implements TrainedModel {
  readonly width: number;
  readonly #sides: Map<number, Promise<{ inference: Inference; give(patches: Uint8Array): void }>> = new Map();

  /** @param centred Whether it was trained on deviations from the mean; the training mean then stands for that of new samples. */
  constructor(
    readonly seal: SealModel,
    readonly vocabulary: Vocabulary,
    readonly batch: number,
    readonly centred: boolean = false,
  ) {
    this.width = seal.dim;
  }

  #side(side: number): Promise<{ inference: Inference; give(patches: Uint8Array): void }> {
    let known = this.#sides.get(side);
    if (!known) this.#sides.set(side, known = this.#prepare(side));
    return known;
  }

  async #prepare(side: number) {
    const each = side * side * 3;
    let current = new Uint8Array();
    const images = (views: readonly ViewOf[]) => {
      const data = new Uint8Array(views.length * each);
      views.forEach(({ pair }, i) => data.set(current.subarray(pair * each, (pair + 1) * each), i * each));
      return Promise.resolve(data);
    };
    const input = pixelInput(this.seal.encoder, images, side);
    return {
      inference: await Inference.create(this.seal, input, this.batch),
      give: (patches: Uint8Array) => void (current = patches as Uint8Array<ArrayBuffer>),
    };
  }

  async images(patches: Uint8Array, side: number, organs?: readonly number[]) {
    if (this.seal.organs && organs === undefined) {
      throw new DataError("Cannot embed images: the model has an organ token and no organ is known", {
        hint: `Pass --organ, one of ${ORGANS.join(", ")}`,
      });
    }
    const { inference, give } = await this.#side(side);
    give(patches);
    const views = Array.from({ length: patches.length / (side * side * 3) }, (_, pair) => ({ pair, view: 0 }));
    const said = await inference.images(views, organs);
    if (this.centred) shiftRows(said.expression, this.vocabulary.mean);
    return said;
  }

  async encodeGenes(x: Float32Array): Promise<Float32Array> {
    if (!this.seal.joint) {
      throw new DataError("Cannot retrieve: the run's genes and patches are embedded with different widths", {
        hint: "Use a run whose gene model embeds as many features as its encoder",
      });
    }
    // Genes do not depend on the size of patches: any plan does.
    const [any] = this.#sides.values();
    const { inference } = await (any ?? this.#side(this.seal.encoder.spec.input.size));
    const read = this.centred ? x.slice() : x;
    if (this.centred) shiftRows(read, this.vocabulary.mean, -1);
    return (await inference.genes(read)).projected;
  }

  async destroy(): Promise<void> {
    for (const side of await Promise.allSettled(this.#sides.values())) {
      if (side.status === "fulfilled") side.value.inference.destroy();
    }
    this.#sides.clear();
  }
}
