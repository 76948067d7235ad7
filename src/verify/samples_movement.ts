/**
 * Samples in f64 of kernels that move numbers: blocks, padding, permutations, broadcast operands and their gradients, noise by
 * counter. What is only moved must come out as it went in.
 *
 * @module
 */

import { threefry2x32 } from "../core/rng.ts";
import type { Dispatch } from "../graph/plan.ts";
import { type Sampler, Samples, spread, sum, type Values } from "./sample.ts";
import { BINARY, BINARY_SLOPES } from "./samples_elements.ts";

/** Numbers of a dispatch that no shape determines. */
function scalars({ options }: Dispatch): (name: string) => number {
  return (name) => (options[name] as number | undefined) ?? 0;
}

/** A sampler of units: element `unit * U + k` of `y` is `right(unit, k)`. @param count Units looked at, out of which some are taken. */
function units(
  { dims: { U = 1 } }: Dispatch,
  y: ArrayLike<number>,
  count: number,
  row: (unit: number) => { readonly at: number; right(k: number): number },
): ReturnType<Sampler> {
  const samples = new Samples();
  for (const unit of spread(count)) {
    const { at, right } = row(unit);
    for (let k = 0; k < U; k++) samples.add("y", y[at * U + k]!, right(k));
  }
  return samples.list;
}

const copyBlock: Sampler = ({ x, y }, dispatch) => {
  const p = scalars(dispatch);
  const [C, U] = [p("C"), dispatch.dims["U"] ?? 1];
  return units(dispatch, y!, p("R") * C, (unit) => {
    const [r, c] = [Math.floor(unit / C), unit % C];
    const from = r * p("x_step") + p("x_at") + c;
    return { at: r * p("y_step") + p("y_at") + c, right: (k) => x![from * U + k]! };
  });
};

const padBlock: Sampler = ({ x, y }, dispatch) => {
  const p = scalars(dispatch);
  const { Y = 0, U = 1 } = dispatch.dims;
  const [L, C] = [p("L"), p("C")];
  return units(dispatch, y!, Y, (unit) => {
    const [r, c] = [Math.floor(unit / C / L), unit % C];
    const l = Math.floor(unit / C) % L - p("start");
    const from = r * p("x_row") + l * p("x_step") + c;
    return { at: unit, right: (k) => (l >= 0 && l < p("count") ? p("scale") * x![from * U + k]! : 0) };
  });
};

const permute: Sampler = ({ x, y }, dispatch) => {
  const p = scalars(dispatch);
  const { X = 0, U = 1 } = dispatch.dims;
  const inner = dispatch.variant.tune["INNER"] ?? 1;
  return units(dispatch, y!, X, (unit) => {
    let [rest, from] = [unit, 0];
    for (let i = 0; i < inner; i++) {
      const extent = p(`e${i}`);
      from += rest % extent * p(`s${i}`);
      rest = Math.floor(rest / extent);
    }
    from += rest * p("s_outer");
    return { at: unit, right: (k) => x![from * U + k]! };
  });
};

const transpose: Sampler = ({ x, y }, dispatch) => {
  const { B = 1, R = 1, C = 1 } = dispatch.dims;
  return units(dispatch, y!, B * R * C, (at) => {
    const [r, c, b] = [at % R, Math.floor(at / R) % C, Math.floor(at / R / C)];
    return { at, right: () => x![(b * R + r) * C + c]! };
  });
};

const repitch: Sampler = ({ x, y }, dispatch) => {
  const p = scalars(dispatch);
  const { M = 0, P = 1, Q = 1 } = dispatch.dims;
  const [a, b] = [p("a"), p("b")];
  return units(dispatch, y!, M * Q, (at) => {
    const [m, head, c] = [Math.floor(at / Q), Math.floor(at % Q / b), at % Q % b];
    return { at, right: () => (c < a ? x![m * P + head * a + c]! : 0) };
  });
};

const sumBlock: Sampler = ({ x, y, total }, dispatch) => {
  const p = scalars(dispatch);
  const { Y = 0, U = 1 } = dispatch.dims;
  const C = p("C");
  const samples = new Samples();
  for (const unit of spread(Y)) {
    const from = Math.floor(unit / C) * p("x_row") + p("x_at") + unit % C;
    for (let k = 0; k < U; k++) {
      const term = (i: number) => p("scale") * x![(from + i * p("x_step")) * U + k]!;
      const size = Math.sqrt(sum(0, p("count"), (i) => term(i) ** 2));
      samples.add("sum", (y ?? total)![unit * U + k]!, sum(0, p("count"), term), size);
    }
  }
  return samples.list;
};

/** Place in a tensor without its middle dimension of element i of one with it. */
function middle({ variant, options }: Dispatch): (i: number) => number {
  const [R, C] = [options["R"] as number, options["C"] as number];
  switch (variant.options["over"]) {
    case "first":
      return (i) => i % C;
    case "last":
      return (i) => Math.floor(i / R);
    default:
      return (i) => Math.floor(i / (R * C)) * C + i % C;
  }
}

const binaryMiddle: Sampler = ({ x, y, v, v4 }, dispatch) => {
  const place = middle(dispatch);
  const { f, left } = dispatch.variant.options;
  const samples = new Samples();
  for (const i of spread(y!.length)) {
    const [a, b] = [x![i]!, (v ?? v4)![place(i)]!];
    samples.add("y", y![i]!, left === "v" ? BINARY[f!]!(b, a) : BINARY[f!]!(a, b));
  }
  return samples.list;
};

const reduceGradient: Sampler = ({ x, top, count, dx, dy, dy4 }, dispatch) => {
  const place = middle(dispatch);
  const scale = dispatch.options["scale"] as number;
  const samples = new Samples();
  for (const i of spread(dx!.length)) {
    const k = place(i);
    const right = x ? (x[i] === top![k] ? dy![k]! / count![k]! : 0) : scale * (dy ?? dy4)![k]!;
    samples.add("dx", dx![i]!, right);
  }
  return samples.list;
};

/** Places in two operands of element i of a broadcast result. */
function broadcast(dispatch: Dispatch): (i: number) => readonly [number, number] {
  const p = scalars(dispatch);
  const rank = Number(dispatch.variant.options["rank"]);
  return (i) => {
    let [rest, a, b] = [i, 0, 0];
    for (let j = 1; j < rank; j++) {
      const extent = p(`e${j}`);
      a += rest % extent * p(`a${j}`);
      b += rest % extent * p(`b${j}`);
      rest = Math.floor(rest / extent);
    }
    return [a + rest * p("a0"), b + rest * p("b0")];
  };
}

const binaryBroadcast: Sampler = ({ a, b, y }, dispatch) => {
  const place = broadcast(dispatch);
  const samples = new Samples();
  for (const i of spread(y!.length)) {
    const [at, bt] = place(i);
    samples.add("y", y![i]!, BINARY[dispatch.variant.options["f"]!]!(a![at]!, b![bt]!));
  }
  return samples.list;
};

const binaryBroadcastGradient: Sampler = ({ a, b, dy, d }, dispatch) => {
  const place = broadcast(dispatch);
  const { f, of } = dispatch.variant.options;
  const samples = new Samples();
  for (const i of spread(d!.length)) {
    const [at, bt] = place(i);
    const slopes = BINARY_SLOPES[f!]!(a![at]!, b![bt]!);
    if (slopes) samples.add("d", d![i]!, dy![i]! * slopes[of === "b" ? 1 : 0]);
  }
  return samples.list;
};

const noise: Sampler = (values, { dims, options, variant }) => {
  const { y, random } = values as Record<"y" | "random", ArrayLike<number>> & Values;
  const { R = 1, C = 1 } = dims;
  const pairs = Math.ceil(C / 2);
  const samples = new Samples();
  for (const i of spread(y.length)) {
    const [c, r, a] = [i % C, Math.floor(i / C) % R, Math.floor(i / C / R)];
    const key = (random[1]! ^ (options["stream"] as number)) >>> 0;
    const words = threefry2x32(random[0]!, key, a * pairs + (c >> 1), (random[2]! + r) >>> 0);
    if (variant.options["kind"] === "bernoulli") {
      samples.add("y", y[i]!, words[c & 1]! < (options["threshold"] as number) ? 1 : 0);
      continue;
    }
    const [u, v] = words.map((word) => (word >>> 8) / 2 ** 24) as [number, number];
    if (variant.options["kind"] === "uniform") {
      samples.add("y", y[i]!, c & 1 ? v : u);
      continue;
    }
    const angle = 2 * Math.PI * (v - 0.5);
    samples.add("y", y[i]!, Math.sqrt(-2 * Math.log(1 - u)) * (c & 1 ? Math.sin(angle) : Math.cos(angle)));
  }
  return samples.list;
};

const gatherColumns: Sampler = ({ x, index, y }, dispatch) => {
  const { C = 1, K = 1 } = dispatch.dims;
  return units(dispatch, y!, y!.length, (at) => {
    const [m, column] = [Math.floor(at / K), index![at % K]!];
    return { at, right: () => (column < C ? x![m * C + column]! : NaN) };
  });
};

/** Samplers by kernel. */
export const MOVEMENT: Readonly<Record<string, Sampler>> = {
  copy_block: copyBlock,
  pad_block: padBlock,
  permute,
  permute_tiled: transpose,
  attention_repitch: repitch,
  sum_block: sumBlock,
  binary_middle: binaryMiddle,
  binary_broadcast: binaryBroadcast,
  binary_broadcast_bwd: binaryBroadcastGradient,
  reduce_bwd: reduceGradient,
  random: noise,
  gather_columns: gatherColumns,
};
