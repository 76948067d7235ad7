/** Kernels with a seeded fault: text changed in memory, and what the checks say of it. */

import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Kernel } from "../../src/gpu/kernel.ts";
import type { Dispatch } from "../../src/graph/plan.ts";
import { checkPlan } from "../../src/verify/kernel_check.ts";
import type { RecordedPlan } from "../../src/verify/plans.ts";

/** A change of a kernel. */
export interface Fault {
  readonly name: string;
  readonly kernel: string;
  /** Text that is replaced, once, in the kernel or one of its libraries; it must be there. */
  readonly from: string;
  readonly to: string;
}

/** A kernel with a fault. */
function broken(kernel: Kernel, { from, to }: Fault): Kernel {
  const edit = (text: string) => text.replace(from, () => to);
  const [source, libs] = [edit(kernel.source), kernel.libs.map(edit)];
  assert.ok(source !== kernel.source || libs.some((lib, i) => lib !== kernel.libs[i]), `${kernel.name} has ${from}`);
  return { ...kernel, source, libs };
}

/** Puts a fault into a plan and asserts that the checks name the kernel and its shapes. The plan is destroyed. */
export async function assertNamed(gpu: Gpu, recorded: RecordedPlan, fault: Fault): Promise<void> {
  const { dispatches } = recorded.plan;
  dispatches.forEach((dispatch, i) => {
    if (dispatch.kernel.name === fault.kernel) {
      dispatches[i] = { ...dispatch, kernel: broken(dispatch.kernel, fault) } as Dispatch;
    }
  });
  const findings = await checkPlan(gpu, recorded, { only: (kernel) => kernel === fault.kernel });
  recorded.destroy();
  const named = findings.filter((finding) => finding.fault !== undefined);
  assert.ok(named.length > 0, `none of ${findings.length} checks found it`);
  assert.equal(named[0]!.kernel, fault.kernel);
  assert.match(named[0]!.shapes, /\[\d+(, \d+)*\]/);
}
