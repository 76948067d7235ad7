/** Inertia and silhouettes by the number of clusters, as training keeps them and the page draws them. */

import assert from "node:assert/strict";
import { experts } from "../../../src/report/experts.ts";
import type { ExpertsEvidence } from "../../../src/report/experts_evidence.ts";
import type { Markup } from "../../../src/report/html.ts";
import { EVIDENCE_SCHEMA } from "../../../src/report/run_evidence.ts";
import { openGpu } from "../../gpu/shared.ts";
import { configOf, dataOf, trainWorld } from "./driver.ts";
import { makeWorld, SG1 } from "./world.ts";

Deno.test("curves have silhouettes, which are highest at the number of types, and the page draws both", async () => {
  const gpu = await openGpu();
  const folder = Deno.makeTempDirSync({ prefix: "spade_curve_" });
  const config = configOf({
    ...{ fine: 4, coarse: 2, width: 4, epochs: 1, batch_size: 32, log_every: 100, cluster_restarts: 3 },
    ...{ controls: "[]", curve: "[2,4,8,16]" },
  });
  const { session } = await trainWorld(gpu, config, dataOf(makeWorld({ ...SG1, rows: 720, train: 600 }, 3)), {
    folder,
  });
  const { curves } = session.state.clusters!;
  session.close();
  gpu.destroy();
  Deno.removeSync(folder, { recursive: true });
  assert.equal(curves.length, 3);
  for (const { clusters, inertia, silhouette } of curves) {
    assert.deepEqual([clusters, inertia.length, silhouette!.length], [[2, 4, 8, 16], 4, 4]);
    assert.equal(silhouette!.indexOf(Math.max(...silhouette!)), 2, String(silhouette));
  }
  const found: Omit<ExpertsEvidence, "curves"> = {
    ...{ schema: EVIDENCE_SCHEMA, temperature: 0.1, experts: [], sections: [], compared: [], notes: [] },
  };
  const page = (of: typeof curves) => (experts({ experts: { ...found, curves: of } }) as Markup).text;
  assert.match(page(curves), /Inertia and silhouette by the number of clusters/);
  assert.match(page(curves), /Silhouette by the number of clusters/);
  const few = page(
    curves.map(({ organ, rows, inertia }) => ({ organ, rows, clusters: [2, 4], inertia: inertia.slice(0, 2) })),
  );
  // Numbers of clusters are whole: no mark lies between two doublings.
  assert.doesNotMatch(few, />3</);
  assert.match(few, />4</);
  // As runs of earlier versions have them.
  const before = page(curves.map(({ silhouette: _, ...curve }) => curve));
  assert.match(before, /Inertia by the number of clusters/);
  assert.doesNotMatch(before, /ilhouette/);
});
