/** Gene models and heads against PyTorch: outputs, losses, gradients of everything, running statistics. */

import { createGeneModel, GENE_MODEL_NAMES } from "../../src/models/gene_registry.ts";
import type { Latent } from "../../src/models/gene_model.ts";
import { createGeneDecoder } from "../../src/models/gene_decoder.ts";
import { createBottleneckAdapter } from "../../src/models/bottleneck_adapter.ts";
import { createDiscriminator } from "../../src/models/discriminator.ts";
import { createOrganToken } from "../../src/models/organ_token.ts";
import { createImageDecoder } from "../../src/models/image_decoder.ts";
import { createProjectionHead } from "../../src/models/projection_head.ts";
import { openGpu } from "../gpu/shared.ts";
import { type Build, CASES, runFixture } from "./gene_fixture.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu.destroy());

const gene = (name: string): Build => (parameters, { config, training, latent }, prefix) => {
  const model = createGeneModel(parameters, { name, ...config }, { prefix });
  return (g, { x, noise }) => {
    const options = {
      training,
      ...(latent !== undefined && { latent: (typeof latent === "number" ? { mc: latent } : latent) as Latent }),
      ...(noise && { noise }),
    };
    const { aux, ...outputs } = model.forward(g, x!, options);
    return { ...outputs, ...aux };
  };
};

const BUILD: Readonly<Record<string, Build>> = {
  ...Object.fromEntries(GENE_MODEL_NAMES.map((name) => [name, gene(name)])),
  decoder: (parameters, { config, training }, prefix) => {
    const decoder = createGeneDecoder(parameters, `${prefix}decoder`, config, undefined);
    return (g, { z }) => ({ y: decoder.forward(g, z!, training) });
  },
  adapter: (parameters, { config }, prefix) => {
    const adapter = createBottleneckAdapter(parameters, config, { prefix });
    return (g, { z }) => ({ y: adapter.forward(g, z!) });
  },
  organ_token: (parameters, { config }, prefix) => {
    const organs = createOrganToken(parameters, config, { prefix });
    return (g, { z, ids }) => ({ y: organs.forward(g, z!, ids!) });
  },
  discriminator: (parameters, { config, strength }, prefix) => {
    const discriminator = createDiscriminator(parameters, config, { prefix });
    return (g, { z }) => ({ y: discriminator.forward(g, z!, strength) });
  },
  image_decoder: (parameters, { config, training }, prefix) => {
    const decoder = createImageDecoder(parameters, config, { prefix: `${prefix}` });
    return (g, { z }) => ({ y: decoder.forward(g, z!, { training }) });
  },
  head: (parameters, { config, training }, prefix) => {
    const head = createProjectionHead(parameters, config, { prefix });
    return (g, { z }) => ({ y: head.forward(g, z!, { training }) });
  },
};

let worst = 0;
for (const [name, { kind }] of Object.entries(CASES)) {
  Deno.test(`${name} agrees with PyTorch in outputs, losses and gradients`, async () => {
    worst = Math.max(worst, await runFixture(gpu, name, BUILD[kind]!));
  });
}

Deno.test.afterAll(() =>
  console.log(`largest difference from PyTorch: ${worst.toExponential(1)} of the largest element`)
);
