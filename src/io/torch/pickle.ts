/**
 * Python pickles, protocols 2 to 5, as data: a stack machine that builds numbers, texts and containers and knows no code. What a
 * pickle wants called is looked up in a list the caller gives; anything else is refused by name. Bounds on operations,
 * containers and copies keep a hostile pickle from taking time or memory out of proportion to its length.
 *
 * Source: Python's `pickletools`, which documents every opcode.
 *
 * @module
 */

import { FormatError } from "../../core/errors.ts";
import {
  isContainer,
  type PickleContext,
  PickleGlobal,
  PickleObject,
  PicklePlaceholder,
  PickleTuple,
  type PickleValue,
  setItems,
} from "./pickle_value.ts";

/** Longest pickle, bytes. */
export const MAX_PICKLE: number = 1 << 26;
/** Most operations, containers, values on the stack, memorised values, and values or characters copied by calls. */
const MAX = { operations: 1 << 23, containers: 1 << 20, stack: 1 << 20, memo: 1 << 21, copies: 1 << 24 } as const;
/** Longest name of a global, bytes. */
const MAX_NAME = 512;

/** How to read a pickle. */
export interface PickleOptions {
  /** Name of the file, for error messages. */
  readonly file: string;
  /** Globals by module and name, separated by a space. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Makes what a persistent id stands for; without it, such ids are refused. */
  readonly persistent?: (id: PickleValue, cx: PickleContext) => PickleValue;
  /** Lets placeholders stand for globals that are not listed, instead of refusing them. Default false. */
  readonly tolerant?: boolean;
}

/** One reading of a pickle. */
class Machine implements PickleContext {
  at = 0;
  /** Byte of the operation being run. */
  opAt = 0;
  readonly view: DataView;
  stack: PickleValue[] = [];
  /** Heights of the stack at its open marks. */
  readonly marks: number[] = [];
  readonly memo: Map<number, PickleValue> = new Map();
  containers = 0;
  copies = 0;

  constructor(readonly bytes: Uint8Array, readonly options: PickleOptions) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(found: string, expected: string, hint?: string): never {
    const { file } = this.options;
    throw new FormatError(`Cannot read ${file} as a pickle: byte ${this.opAt} ${found}, expected ${expected}`, {
      context: { file, offset: this.opAt, found, expected },
      ...(hint === undefined ? {} : { hint }),
    });
  }

  charge(count: number): void {
    this.copies += count;
    if (this.copies > MAX.copies) this.fail("copies too much", `calls that copy at most ${MAX.copies} values in all`);
  }

  /** Position of `count` bytes that follow. */
  skip(count: number): number {
    const from = this.at;
    if (count > this.bytes.length - from) {
      this.fail(`needs ${count} bytes that follow`, `at most ${this.bytes.length - from}`);
    }
    this.at += count;
    return from;
  }

  u8(): number {
    return this.view.getUint8(this.skip(1));
  }
  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }
  /** A length of 64 bits; one beyond the exact integers is beyond the pickle, too. */
  u64(): number {
    return Number(this.view.getBigUint64(this.skip(8), true));
  }
  i32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  push(value: PickleValue): void {
    if (this.stack.length >= MAX.stack) this.fail("stacks yet another value", `at most ${MAX.stack}`);
    this.stack.push(value);
  }

  /** Pushes a new container. */
  make(value: PickleValue): void {
    if (++this.containers > MAX.containers) this.fail("makes yet another container", `at most ${MAX.containers}`);
    this.push(value);
  }

  pop(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) {
      this.fail("takes a value off an empty stack", "one more before it");
    }
    return this.stack.pop()!;
  }

  top(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) {
      this.fail("asks for the top of an empty stack", "one value before it");
    }
    return this.stack.at(-1)!;
  }

  /** Values above the last mark. */
  popMark(): PickleValue[] {
    const height = this.marks.pop();
    if (height === undefined) this.fail("closes a mark", "one that is open");
    return this.stack.splice(height);
  }

  popMany(count: number): PickleValue[] {
    const out: PickleValue[] = [];
    for (let i = 0; i < count; i++) out.unshift(this.pop());
    return out;
  }

  mark(): void {
    if (this.marks.length >= MAX.stack) this.fail("opens yet another mark", `at most ${MAX.stack}`);
    this.marks.push(this.stack.length);
  }

  memorise(index: number): void {
    this.memo.set(index, this.top());
    if (this.memo.size > MAX.memo) this.fail("memorises yet another value", `at most ${MAX.memo}`);
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) this.fail(`recalls value ${index}`, `one of the ${this.memo.size} memorised`);
    this.push(value);
  }

  text(length: number, encoding: "utf-8" | "latin1" = "utf-8"): string {
    const from = this.skip(length);
    // The decoder costs more than a short text.
    if (length <= 48) {
      let out = "";
      let all = 0;
      for (let i = from; i < from + length; i++) {
        all |= this.bytes[i]!;
        out += String.fromCharCode(this.bytes[i]!);
      }
      if (all < 128 || encoding === "latin1") return out;
    }
    const bytes = this.bytes.subarray(from, from + length);
    if (encoding === "latin1") return latin1(bytes);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      this.fail(`holds a text of ${length} bytes that is no UTF-8`, "UTF-8");
    }
  }

  /** A text up to a newline. */
  line(): string {
    const end = this.bytes.subarray(this.at, this.at + MAX_NAME + 1).indexOf(10);
    if (end < 0) this.fail("begins a name without end", `a newline within ${MAX_NAME} bytes`);
    const out = this.text(end);
    this.at++;
    return out;
  }

  /** Two's complement of any length. */
  long(length: number): number | bigint {
    const from = this.skip(length);
    this.charge(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i]!);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  global(module: string, name: string): void {
    const known = this.options.globals.get(`${module} ${name}`);
    if (known !== undefined) return this.push(known);
    const label = `${module} ${name}`.slice(0, MAX_NAME);
    if (this.options.tolerant) return this.make(new PicklePlaceholder(label));
    this.fail(
      `names the unsupported global "${label}"`,
      "what PyTorch needs for tensors only",
      "Save the state_dict alone with torch.save, or convert it to safetensors",
    );
  }

  stackGlobal(): void {
    const [module, name] = this.popMany(2);
    if (typeof module !== "string" || typeof name !== "string") this.fail("names a global without texts", "two texts");
    this.global(module, name);
  }

  /** REDUCE and NEWOBJ: what is called is always one of the listed globals. */
  call(): void {
    const [callable, args] = this.popMany(2);
    if (!(args instanceof PickleTuple)) this.fail("calls without a tuple of arguments", "one");
    if (callable instanceof PicklePlaceholder) return this.make(callable);
    if (!(callable instanceof PickleGlobal)) this.fail("calls a value", "a global");
    if (callable.call === undefined) this.fail(`calls "${callable.name}"`, "a global that makes something");
    this.make(callable.call(args.items, this));
  }

  build(): void {
    const state = this.pop();
    const target = this.top();
    // The only attribute an OrderedDict of PyTorch brings along is _metadata, versions of modules.
    if (target instanceof Map) return;
    if (!(target instanceof PickleObject)) this.fail("restores the state of a plain value", "an object");
    target.setState(state, this);
  }

  append(values: readonly PickleValue[]): void {
    const list = this.top();
    if (list instanceof PicklePlaceholder) return;
    if (!Array.isArray(list)) this.fail("appends to what is no list", "a list");
    for (const value of values) list.push(value);
  }

  assign(values: readonly PickleValue[]): void {
    const map = this.top();
    if (map instanceof PicklePlaceholder) return;
    if (!(map instanceof Map)) this.fail("sets items of what is no dictionary", "a dictionary");
    setItems(map, values, this);
  }

  add(values: readonly PickleValue[]): void {
    const set = this.top();
    if (!(set instanceof Set)) this.fail("adds to what is no set", "a set");
    for (const value of values) {
      if (isContainer(value)) this.fail("adds a container to a set", "plain values");
      set.add(value);
    }
  }

  persistent(): void {
    const id = this.pop();
    if (this.options.persistent === undefined) this.fail("names a persistent id", "none in this pickle");
    this.make(this.options.persistent(id, this));
  }

  protocol(): void {
    const version = this.u8();
    if (this.opAt !== 0 || version < 2 || version > 5) this.fail(`sets protocol ${version}`, "2 to 5, once, at byte 0");
  }

  /** Runs up to STOP, which must end the bytes with one value left. */
  run(): PickleValue {
    if (this.bytes[0] !== 0x80) this.fail(`is ${hex(this.bytes[0] ?? 0)}`, "PROTO, 0x80");
    for (let count = 0; count < MAX.operations; count++) {
      this.opAt = this.at;
      const code = this.u8();
      if (code === 0x2e) return this.stop();
      const operation = OPERATIONS[code];
      if (operation === undefined) this.fail(`is opcode ${hex(code)}`, "one that saved tensors need");
      operation(this);
    }
    this.fail("is yet another operation", `at most ${MAX.operations}`);
  }

  stop(): PickleValue {
    const value = this.pop();
    if (this.stack.length > 0 || this.marks.length > 0 || this.at !== this.bytes.length) {
      const left = `${this.stack.length} values and ${this.bytes.length - this.at} bytes left over`;
      this.fail(`stops with ${left}`, "none");
    }
    return value;
  }
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, "0")}`;
}

/** Text whose characters are the bytes. (The decoder of that name is windows-1252.) */
function latin1(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 8192) parts.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return parts.join("");
}

/** What every operation does, by its code. */
const OPERATIONS: readonly (((m: Machine) => void) | undefined)[] = (() => {
  const table: Record<number, (m: Machine) => void> = {
    0x80: (m) => m.protocol(),
    0x95: (m) => void m.u64(), // FRAME: a hint for streams
    0x28: (m) => m.mark(), // ( MARK
    0x30: (m) => void m.pop(), // 0 POP
    0x31: (m) => void m.popMark(), // 1 POP_MARK
    0x4e: (m) => m.push(null), // N NONE
    0x88: (m) => m.push(true), // NEWTRUE
    0x89: (m) => m.push(false), // NEWFALSE
    0x4a: (m) => m.push(m.i32()), // J BININT
    0x4b: (m) => m.push(m.u8()), // K BININT1
    0x4d: (m) => m.push(m.view.getUint16(m.skip(2), true)), // M BININT2
    0x8a: (m) => m.push(m.long(m.u8())), // LONG1
    0x47: (m) => m.push(m.view.getFloat64(m.skip(8))), // G BINFLOAT, big-endian
    0x58: (m) => m.push(m.text(m.u32())), // X BINUNICODE
    0x8c: (m) => m.push(m.text(m.u8())), // SHORT_BINUNICODE
    0x8d: (m) => m.push(m.text(m.u64())), // BINUNICODE8
    0x54: (m) => m.push(m.text(m.u32(), "latin1")), // T BINSTRING of Python 2; a negative length is too long
    0x55: (m) => m.push(m.text(m.u8(), "latin1")), // U SHORT_BINSTRING
    0x42: (m) => m.make(bytesOf(m, m.u32())), // B BINBYTES
    0x43: (m) => m.make(bytesOf(m, m.u8())), // C SHORT_BINBYTES
    0x8e: (m) => m.make(bytesOf(m, m.u64())), // BINBYTES8
    0x29: (m) => m.make(new PickleTuple([])), // ) EMPTY_TUPLE
    0x74: (m) => m.make(new PickleTuple(m.popMark())), // t TUPLE
    0x85: (m) => m.make(new PickleTuple(m.popMany(1))), // TUPLE1
    0x86: (m) => m.make(new PickleTuple(m.popMany(2))), // TUPLE2
    0x87: (m) => m.make(new PickleTuple(m.popMany(3))), // TUPLE3
    0x5d: (m) => m.make([]), // ] EMPTY_LIST
    0x6c: (m) => m.make(m.popMark()), // l LIST
    0x61: (m) => m.append([m.pop()]), // a APPEND
    0x65: (m) => m.append(m.popMark()), // e APPENDS
    0x7d: (m) => m.make(new Map()), // } EMPTY_DICT
    0x64: (m) => {
      const map = new Map<PickleValue, PickleValue>();
      setItems(map, m.popMark(), m);
      m.make(map);
    }, // d DICT
    0x73: (m) => m.assign(m.popMany(2)), // s SETITEM
    0x75: (m) => m.assign(m.popMark()), // u SETITEMS
    0x8f: (m) => m.make(new Set()), // EMPTY_SET
    0x90: (m) => m.add(m.popMark()), // ADDITEMS
    0x71: (m) => m.memorise(m.u8()), // q BINPUT
    0x72: (m) => m.memorise(m.u32()), // r LONG_BINPUT
    0x94: (m) => m.memorise(m.memo.size), // MEMOIZE
    0x68: (m) => m.recall(m.u8()), // h BINGET
    0x6a: (m) => m.recall(m.u32()), // j LONG_BINGET
    0x63: (m) => m.global(m.line(), m.line()), // c GLOBAL
    0x93: (m) => m.stackGlobal(), // STACK_GLOBAL
    0x52: (m) => m.call(), // R REDUCE
    0x81: (m) => m.call(), // NEWOBJ
    0x62: (m) => m.build(), // b BUILD
    0x51: (m) => m.persistent(), // Q BINPERSID
  };
  return Array.from({ length: 256 }, (_, code) => table[code]);
})();

function bytesOf(m: Machine, length: number): Uint8Array {
  const from = m.skip(length);
  return m.bytes.subarray(from, from + length);
}

/**
 * Reads a pickle.
 *
 * @param bytes The whole pickle; byte strings of the result share its memory.
 * @param options What may be named in it.
 * @returns The value. Values that are one object in the pickle are one object here.
 * @throws {FormatError} At the first byte that is damaged, unsupported or beyond the bounds.
 */
export function readPickle(bytes: Uint8Array, options: PickleOptions): PickleValue {
  const machine = new Machine(bytes, options);
  if (bytes.length > MAX_PICKLE) machine.fail(`begins ${bytes.length} bytes`, `at most ${MAX_PICKLE}`);
  return machine.run();
}
