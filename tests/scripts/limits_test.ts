import { equal } from "node:assert/strict";
import plugin, { FUNCTION_LINES } from "../../scripts/lint/limits.ts";

function complaints(file: string, lines: number): number {
  const source = `function f() {\n${"  g();\n".repeat(lines - 2)}}\n`;
  return Deno.lint.runPlugin(plugin, file, source).length;
}

Deno.test("limits rejects a function one line over the budget, in src only", () => {
  equal(complaints("src/nn/linear.ts", FUNCTION_LINES), 0);
  equal(complaints("src/nn/linear.ts", FUNCTION_LINES + 1), 1);
  equal(complaints("scripts/lab/a.ts", FUNCTION_LINES + 1), 0);
});
