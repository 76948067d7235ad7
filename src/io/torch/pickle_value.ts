/**
 * Values a Python pickle can hold, as data.
 *
 * @module
 */

/** A Python tuple. */
export class PickleTuple {
  /** Wraps the items. */
  constructor(readonly items: readonly PickleValue[]) {}
}

/** Something a listed global makes: a tensor, an array, a record. */
export abstract class PickleObject {
  /** Takes the state a pickle restores the object with; objects that have none refuse it. */
  setState(_state: PickleValue, cx: PickleContext): void {
    cx.fail("restores the state of an object that has none", "an object with a state");
  }
}

/** A listed global: an inert name, or one that can be called. */
export class PickleGlobal extends PickleObject {
  /**
   * Describes a global.
   *
   * @param name Module and name, separated by a dot.
   * @param call What stands in for calling it; absent for a name that is only mentioned.
   */
  constructor(
    readonly name: string,
    readonly call?: (args: readonly PickleValue[], cx: PickleContext) => PickleValue,
  ) {
    super();
  }
}

/** What stands for a global that is not listed, and for all that is made from it, when the caller tolerates that. */
export class PicklePlaceholder extends PickleObject {
  /** Remembers module and name. */
  constructor(readonly name: string) {
    super();
  }
  /** Forgets the state. */
  override setState(): void {}
}

/** A value in a pickle. Dictionaries keep their order; integers beyond 2^53 are bigint. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleTuple
  | PickleObject
  | Set<PickleValue>
  | Map<PickleValue, PickleValue>;

/** What a global may ask of the machine that calls it. */
export interface PickleContext {
  /** Throws the error for the operation being run. */
  fail(found: string, expected: string): never;
  /** Counts values or characters that a call copies. */
  charge(count: number): void;
}

/** Whether Python refuses the value as a key. */
export function isContainer(value: PickleValue): boolean {
  return Array.isArray(value) || value instanceof Map || value instanceof Set;
}

/** Puts keys and values, in turn, into a dictionary; a key that comes twice is refused, since no pickler writes one. */
export function setItems(
  map: Map<PickleValue, PickleValue>,
  values: readonly PickleValue[],
  cx: PickleContext,
): void {
  if (values.length % 2 !== 0) cx.fail("sets a key without a value", "both");
  for (let i = 0; i < values.length; i += 2) {
    const key = values[i]!;
    if (Array.isArray(key) || key instanceof Map || key instanceof Set) {
      cx.fail("has a container as key", "a plain key");
    }
    if (map.has(key)) cx.fail(`repeats the key "${String(key).slice(0, 80)}"`, "every key once");
    map.set(key, values[i + 1]!);
  }
}
