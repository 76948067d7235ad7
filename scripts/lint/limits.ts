/**
 * Lint plugin: length of functions. Only the product is measured; a test or a script may be one long story.
 *
 * @module
 */

/** Lines a function of src/ may have, its signature included. */
export const FUNCTION_LINES = 60;

const functionLines: Deno.lint.Rule = {
  create(ctx) {
    if (!/(^|\/)src\/[^/]+\//.test(ctx.filename.replaceAll("\\", "/")) || ctx.filename.endsWith(".gen.ts")) return {};
    function measure(node: Deno.lint.FunctionDeclaration | Deno.lint.FunctionExpression): void {
      const lines = ctx.sourceCode.getText(node).split("\n").length;
      if (lines <= FUNCTION_LINES) return;
      const message = `Function of ${lines} lines: the budget is ${FUNCTION_LINES}`;
      ctx.report({ range: [node.range[0], node.range[0] + 1], message, hint: "Give its parts names" });
    }
    return { FunctionDeclaration: measure, FunctionExpression: measure };
  },
};

const plugin: Deno.lint.Plugin = { name: "limits", rules: { "function-lines": functionLines } };
export default plugin;
