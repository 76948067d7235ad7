/**
 * Writes ONNX models: just enough of the protobuf format for the graphs that `ort.ts` builds.
 *
 * Field numbers are those of onnx/onnx.proto.
 *
 * @module
 */

import type { HostTensor } from "./types.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Value of an attribute: integers and floats are told apart by wrapping floats. */
export type Attribute = number | readonly number[] | { readonly float: number };

/** One operator of the graph. */
export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** `com.microsoft` for ONNX Runtime's own operators. */
  readonly domain?: string;
}

/** A node with one output. */
export function op(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Node["attributes"] = {},
  domain = "",
): Node {
  return { op, inputs, outputs: [output], attributes, domain };
}

/** A graph with f32 inputs and outputs of known shape. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  readonly weights?: Readonly<Record<string, HostTensor>>;
  /** int64 vectors, for shapes. */
  readonly integers?: Readonly<Record<string, readonly number[]>>;
}

const FLOAT = 1, INT64 = 7;
const encoder = new TextEncoder();

function join(parts: readonly Bytes[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Non-negative integer as a base-128 varint. */
function varint(value: number): Bytes {
  const out: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  return new Uint8Array([...out, value]);
}

const int = (field: number, value: number): Bytes => join([varint(field * 8), varint(value)]);
const bytes = (field: number, value: Bytes): Bytes => join([varint(field * 8 + 2), varint(value.length), value]);
const text = (field: number, value: string): Bytes => bytes(field, encoder.encode(value));
const message = (field: number, parts: readonly Bytes[]): Bytes => bytes(field, join(parts));
const float = (field: number, value: number): Bytes =>
  join([varint(field * 8 + 5), new Uint8Array(new Float32Array([value]).buffer)]);

function attribute(name: string, value: Attribute): Bytes {
  const head = text(1, name);
  if (typeof value === "number") return message(5, [head, int(3, value), int(20, 2)]);
  if ("float" in value) return message(5, [head, float(2, value.float), int(20, 1)]);
  return message(5, [head, ...value.map((v) => int(8, v)), int(20, 7)]);
}

function node({ op, inputs, outputs, attributes = {}, domain = "" }: Node): Bytes {
  return message(1, [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, outputs[0]!),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    text(7, domain),
  ]);
}

function valueInfo(field: number, name: string, shape: readonly number[]): Bytes {
  const dims = shape.map((size) => message(1, [int(1, size)]));
  return message(field, [text(1, name), message(2, [message(1, [int(1, FLOAT), message(2, dims)])])]);
}

function initializer(name: string, type: number, shape: readonly number[], data: Bytes): Bytes {
  return message(5, [...shape.map((size) => int(1, size)), int(2, type), text(8, name), bytes(9, data)]);
}

/** The model file of a graph: IR version 8, operator set 17. */
export function model(graph: Graph): Bytes {
  const { nodes, inputs, outputs, weights = {}, integers = {} } = graph;
  const parts = [...nodes.map(node), text(2, "bench")];
  for (const [name, { shape, data }] of Object.entries(weights)) {
    parts.push(initializer(name, FLOAT, shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
  }
  for (const [name, values] of Object.entries(integers)) {
    const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    parts.push(initializer(name, INT64, [values.length], data));
  }
  for (const [name, shape] of Object.entries(inputs)) parts.push(valueInfo(11, name, shape));
  for (const [name, shape] of Object.entries(outputs)) parts.push(valueInfo(12, name, shape));
  const opset = (domain: string, version: number) => message(8, [text(1, domain), int(2, version)]);
  return join([int(1, 8), text(2, "bench"), message(7, parts), opset("", 17), opset("com.microsoft", 1)]);
}
