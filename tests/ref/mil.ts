/** Models of bags in float64 with plain loops, and their gradients by differences that are exact to 1e-10. */

/** Sizes of a model. */
export interface RefModel {
  readonly kind: string;
  readonly rows: number;
  readonly dim: number;
  readonly hidden: number;
  /** Width of an embedded row. */
  readonly width: number;
  readonly classes: number;
}

type Values = ReadonlyMap<string, readonly number[]>;

/** Error function by its series, which converges for what is met here. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 200 && Math.abs(term) > 1e-18; n++) {
    term *= -x * x / n;
    sum += term / (2 * n + 1);
  }
  return 2 / Math.sqrt(Math.PI) * sum;
}

const gelu = (x: number) => x * (1 + erf(x / Math.SQRT2)) / 2;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function linear(values: Values, name: string, x: readonly number[]): number[] {
  const [weight, bias] = [values.get(`${name}.weight`)!, values.get(`${name}.bias`)!];
  return bias.map((b, o) => x.reduce((sum, value, i) => sum + weight[o * x.length + i]! * value, b));
}

function softmax(x: readonly number[]): number[] {
  const powers = x.map((value) => Math.exp(value - Math.max(...x)));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}

/** Weights of the rows of one bag, logits, and the loss at a label. */
export function milRef(
  { kind, rows, dim, width, classes }: RefModel,
  values: Values,
  label: number,
  { share, count }: { readonly share: number; readonly count: number },
) {
  const x = values.get("x")!;
  const h = Array.from(
    { length: rows },
    (_, j) =>
      linear(values, "rows", x.slice(j * dim, (j + 1) * dim)).map((v) => kind === "clam" ? Math.max(v, 0) : gelu(v)),
  );
  const scores = h.map((row) => {
    const a = linear(values, "attention.0.V", row).map(Math.tanh);
    const gate = kind === "abmil" ? undefined : linear(values, "attention.0.U", row).map(sigmoid);
    return linear(values, "attention.0.w", a.map((v, i) => v * (gate?.[i] ?? 1)))[0]!;
  });
  const weights = softmax(scores);
  const pooled = Array.from({ length: width }, (_, c) => h.reduce((sum, row, j) => sum + weights[j]! * row[c]!, 0));
  const logits = linear(values, "output", kind === "clam" ? pooled : linear(values, "slide", pooled).map(gelu));
  const bag = -Math.log(softmax(logits)[label]!);
  if (kind !== "clam") return { weights, logits, loss: bag };
  const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
  const [high, low] = [order.slice(0, count), order.slice(-count)];
  const cost = (row: number, c: number, is: number) =>
    -Math.log(softmax(linear(values, "instances", h[row]!).slice(2 * c, 2 * c + 2))[is]!);
  let instance = 0;
  for (let c = 0; c < classes; c++) {
    for (const row of high) {
      if (c === label) instance += cost(row, c, 1) / (2 * count);
      else if (classes > 2) instance += cost(row, c, 0) / count;
    }
    if (c === label) { for (const row of low) instance += cost(row, c, 0) / (2 * count); }
  }
  if (classes > 2) instance /= classes;
  return { weights, logits, loss: (1 - share) * bag + share * instance };
}

/** Gradients of a function of all values by central differences of three widths, whose errors cancel to the sixth order. */
export function numericGradients(values: Values, loss: (at: Values) => number): Map<string, number[]> {
  const h = 1e-4;
  return new Map([...values].map(([name, own]) => [
    name,
    own.map((value, i) => {
      const at = (step: number) => loss(new Map(values).set(name, own.with(i, value + step)));
      const slope = (step: number) => (at(step) - at(-step)) / (2 * step);
      return 1.5 * slope(h) - 0.6 * slope(2 * h) + 0.1 * slope(3 * h);
    }),
  ]));
}
