/** Losses in float64, from the formulas, with whole matrices and plain loops. */

type M = number[][];

/** Rows of a flat matrix. */
export function rowsOf(x: ArrayLike<number>, rows: number): M {
  const cols = x.length / rows;
  return Array.from({ length: rows }, (_, i) => Array.from({ length: cols }, (_, j) => x[i * cols + j]!));
}

const sum = (v: readonly number[]) => v.reduce((a, b) => a + b, 0);
const mean = (v: readonly number[]) => sum(v) / v.length;
const dot = (u: readonly number[], v: readonly number[]) => sum(u.map((value, i) => value * v[i]!));
const turn = (m: M): M => m[0]!.map((_, j) => m.map((row) => row[j]!));
const times = (a: M, b: M): M => a.map((row) => turn(b).map((col) => dot(row, col)));
const centred = (v: number[]) => v.map((value) => value - mean(v));
const unit = (v: number[]) => v.map((value) => value / Math.max(Math.sqrt(dot(v, v)), 1e-12));
const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));
const atan = Math.atan;

function logSoftmax(row: number[]): number[] {
  const top = Math.max(...row);
  const lse = top + Math.log(sum(row.map((v) => Math.exp(v - top))));
  return row.map((v) => v - lse);
}

/** Mean over elements of f(y - x, column). */
export function pointwiseRef(f: (d: number, column: number) => number, y: M, x: M): number {
  return mean(y.flatMap((row, i) => row.map((v, j) => f(v - x[i]![j]!, j))));
}

/** Correlation matrix of columns, by standardised columns. */
function correlations(y: M, x: M, eps: number): M {
  const standard = (m: M) =>
    turn(m).map((col) => {
      const c = centred(col);
      return c.map((v) => v / Math.sqrt(dot(c, c) / c.length + eps));
    });
  const [u, v] = [standard(y), standard(x)];
  return u.map((p) => v.map((q) => dot(p, q) / y.length));
}

/** Barlow term. */
export function barlowRef(y: M, x: M, factor: number, lambda: number, eps: number): number {
  const c = correlations(y, x, eps);
  return factor * sum(c.flatMap((row, i) => row.map((v, j) => (i === j ? (v - 1) ** 2 : lambda * v * v))));
}

/** One minus mean row correlation. */
export function pccRef(y: M, x: M): number {
  return 1 - mean(y.map((row, i) => {
    const [a, b] = [centred(row), centred(x[i]!)];
    return dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) + 1e-8);
  }));
}

/** One minus mean column correlation. */
export function pccGenesRef(y: M, x: M): number {
  const columns = turn(x).map(centred);
  return 1 - mean(
    turn(y).map(centred).map((a, j) => {
      const b = columns[j]!;
      const deviation = (v: number[]) => Math.sqrt(dot(v, v) / v.length + 1e-9);
      return dot(a, b) / a.length / (deviation(a) * deviation(b));
    }),
  );
}

/** Covariance norm. */
export function plsRef(y: M, x: M): number {
  const c = times(turn(y).map(centred), turn(turn(x).map(centred)));
  return -1e-4 * Math.sqrt(sum(c.flat().map((v) => (v / (y.length - 1)) ** 2)));
}

/** Symmetric cross-entropy of pairs. */
export function clipRef(a: M, b: M, scale: number, normalise = true): number {
  const [u, v] = normalise ? [a.map(unit), b.map(unit)] : [a, b];
  const s = u.map((p) => v.map((q) => scale * dot(p, q)));
  const diagonal = (m: M) => mean(m.map((row, i) => -logSoftmax(row)[i]!));
  return (diagonal(s) + diagonal(turn(s))) / 2;
}

/** Soft targets of {@linkcode softClipRef}. */
export function softTargetsRef(image: M, gene: M, temperature: number): M {
  const [u, v] = [image.map(unit), gene.map(unit)];
  return u.map((_, i) =>
    logSoftmax(u.map((_, j) => (dot(u[i]!, u[j]!) + dot(v[i]!, v[j]!)) / 2 / temperature)).map(Math.exp)
  );
}

/** Loss against given soft targets. */
export function softClipRef(image: M, gene: M, temperature: number, targets: M): number {
  const [u, v] = [image.map(unit), gene.map(unit)];
  const s = v.map((p) => u.map((q) => dot(p, q) / temperature));
  const entropy = (logits: M, t: M) => mean(logits.map((row, i) => -dot(t[i]!, logSoftmax(row))));
  return (entropy(s, targets) + entropy(turn(s), turn(targets))) / 2;
}

/** Weights of {@linkcode s2lRef}. */
export function s2lWeightsRef(gene: M, squared = true): M {
  const v = gene.map(unit);
  return v.map((p) =>
    v.map((q) => {
      const d2 = sum(p.map((value, e) => (value - q[e]!) ** 2));
      const w = 1 - 4 / Math.PI * atan((squared ? d2 : Math.sqrt(d2)) / 0.3);
      return w < 0.75 ? 0 : w;
    })
  );
}

/** Weighted sigmoid loss against given weights. */
export function s2lRef(image: M, gene: M, scale: number, bias: number, w: M): number {
  const [u, v] = [image.map(unit), gene.map(unit)];
  const terms = u.flatMap((p, i) =>
    v.map((q, j) => {
      const l = scale * dot(p, q) + bias;
      return w[i]![j]! * softplus(-l) + (1.7 - 0.75 * w[i]![j]!) * softplus(l);
    })
  );
  return sum(terms) / u.length;
}

/** Lower triangular L with L L^T = m. */
function cholesky(m: M): M {
  const L = m.map((row) => row.map(() => 0));
  for (let i = 0; i < m.length; i++) {
    for (let j = 0; j <= i; j++) {
      const rest = m[i]![j]! - dot(L[i]!.slice(0, j), L[j]!.slice(0, j));
      L[i]![j] = i === j ? Math.sqrt(rest) : rest / L[j]![j]!;
    }
  }
  return L;
}

/** Solves L z = b for each column of b. */
function forward(L: M, b: M): M {
  const z: M = [];
  b.forEach((row, i) => {
    z.push(row.map((v, c) => (v - sum(z.map((done, j) => L[i]![j]! * done[c]!))) / L[i]![i]!));
  });
  return z;
}

/** Eigenvalues of a symmetric matrix by Jacobi rotations. */
function eigenvalues(m: M): number[] {
  const a = m.map((row) => row.slice());
  for (let sweep = 0; sweep < 60; sweep++) {
    for (let p = 0; p < a.length; p++) {
      for (let q = p + 1; q < a.length; q++) {
        if (Math.abs(a[p]![q]!) < 1e-300) continue;
        const angle = atan(2 * a[p]![q]! / (a[q]![q]! - a[p]![p]!)) / 2;
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (const row of a) [row[p], row[q]] = [c * row[p]! - s * row[q]!, s * row[p]! + c * row[q]!];
        const [u, v] = [a[p]!.slice(), a[q]!.slice()];
        a[p] = u.map((value, j) => c * value - s * v[j]!);
        a[q] = u.map((value, j) => s * value + c * v[j]!);
      }
    }
  }
  return a.map((row, i) => row[i]!);
}

/** Canonical correlations, regularised. */
export function canonicalRef(a: M, b: M, r: number): number[] {
  const [u, v] = [turn(a).map(centred), turn(b).map(centred)];
  const n = a.length - 1;
  const covariance = (p: M, q: M, ridge: number) =>
    p.map((x, i) => q.map((y, j) => dot(x, y) / n + (i === j ? ridge : 0)));
  const L = cholesky(covariance(u, u, r));
  const R = cholesky(covariance(v, v, r));
  const T = turn(forward(R, turn(forward(L, covariance(u, v, 0)))));
  return eigenvalues(times(T, turn(T))).map((value) => Math.sqrt(Math.max(value, 0)));
}
