/**
 * Values of a configuration file that others wrote: each is as expected, absent, or an error that names file, key and value.
 * What says another computation than this project's is refused by name, never passed over.
 *
 * @module
 */

import { FormatError, WeightsError } from "../core/errors.ts";

/** Longest text of a value in a message, characters. */
const SHOWN = 80;

/** One object of a configuration. `null` is what is absent, as these files write it. */
export class ConfigReader {
  readonly #values: Readonly<Record<string, unknown>>;
  /** Name for messages. */
  readonly file: string;
  readonly #at: string;

  /**
   * Begins to read.
   *
   * @param at Before the names of keys in messages.
   * @throws {FormatError} If it is no object.
   */
  constructor(json: unknown, file: string, at: string = "") {
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw new FormatError(`Cannot read ${file}: ${at || "it"} is ${shown(json)}, wanted an object`, {
        context: { file, key: at },
      });
    }
    this.#values = json as Record<string, unknown>;
    this.file = file;
    this.#at = at;
  }

  /** Names of the keys. */
  keys(): string[] {
    return Object.keys(this.#values);
  }

  /** The value itself; undefined where it is absent or null. */
  value(key: string): unknown {
    return this.#values[key] ?? undefined;
  }

  /** Whether the key has a value. */
  has(key: string): boolean {
    return this.value(key) !== undefined;
  }

  /** Throws that a value is of another kind than it should be. */
  wrong(key: string, wanted: string): never {
    throw new FormatError(
      `Cannot read ${this.file}: ${this.#at}${key} is ${shown(this.#values[key])}, wanted ${wanted}`,
      {
        context: { file: this.file, key: this.#at + key, wanted },
      },
    );
  }

  /** Throws that a value asks for what is not computed here. */
  refuse(key: string, wanted: string): never {
    throw new WeightsError(
      `Cannot load the encoder of ${this.file}: ${this.#at}${key} is ${
        shown(this.#values[key])
      }, wanted ${wanted}: anything else is not implemented`,
      { code: "weights-unsupported", context: { file: this.file, key: this.#at + key, wanted } },
    );
  }

  /** Refuses a key that has another value than those given. */
  only(key: string, ...allowed: readonly unknown[]): void {
    if (this.has(key) && !allowed.includes(this.value(key))) {
      this.refuse(key, allowed.map((value) => JSON.stringify(value)).join(" or "));
    }
  }

  /** A number above a bound. */
  number(key: string, above = 0): number | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value > above) return value;
    this.wrong(key, `a number above ${above}`);
  }

  /** A whole number above 0. */
  whole(key: string): number | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
    this.wrong(key, "a whole number above 0");
  }

  /** True or false. */
  flag(key: string): boolean | undefined {
    const value = this.value(key);
    if (value === undefined || typeof value === "boolean") return value;
    this.wrong(key, "true or false");
  }

  /** A text. */
  text(key: string): string | undefined {
    const value = this.value(key);
    if (value === undefined || typeof value === "string") return value;
    this.wrong(key, "a text");
  }

  /** A number a channel; one number is that of all three. */
  channels(key: string): readonly [number, number, number] | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    const three = typeof value === "number" ? [value, value, value] : value;
    const good = Array.isArray(three) && three.length === 3 &&
      three.every((v) => typeof v === "number" && Number.isFinite(v));
    if (good) return three as unknown as [number, number, number];
    this.wrong(key, "three numbers");
  }

  /** The side of a square: a whole number, or height and width that are the same. */
  square(key: string): number | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.whole(key);
    const [height, width] = value;
    if (value.length !== 2 || !Number.isSafeInteger(height) || height < 1) {
      this.wrong(key, "a side, or height and width");
    }
    if (height !== width) this.refuse(key, "a square");
    return height;
  }

  /** An object. */
  object(key: string): ConfigReader | undefined {
    const value = this.value(key);
    return value === undefined ? undefined : new ConfigReader(value, this.file, `${this.#at}${key}.`);
  }
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, SHOWN);
}
