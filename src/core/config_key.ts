/**
 * What a table of configuration keys may say, and the types that follow from it. Parts that a configuration chooses (losses,
 * gene models) bring rows of their own; a table is put together from them.
 *
 * @module
 */

import { ConfigError } from "./errors.ts";

/** What all keys have. */
export interface AnyKey {
  /** One line: what it does. */
  readonly doc: string;
  /** What a number counts. */
  readonly unit?: string;
  /**
   * Why nothing reads it. Such a key is accepted with any value, named in the report, and has no place in the configuration.
   */
  readonly unused?: string;
}

/** One key of a configuration. */
export type Key =
  & AnyKey
  & (
    | {
      readonly kind: "number";
      readonly default: number | null;
      readonly min?: number;
      readonly max?: number;
      /** The limits themselves are outside. */
      readonly open?: true;
      readonly integer?: true;
      readonly nullable?: true;
    }
    | { readonly kind: "flag"; readonly default: boolean }
    | { readonly kind: "text"; readonly default: string | null; readonly nullable?: true }
    | {
      readonly kind: "choice";
      readonly of: readonly string[];
      readonly default: string;
      /** The choice that null stands for. */
      readonly nullIs?: string;
      /** Values that others understand, with the reason why they are refused here. */
      readonly refused?: Readonly<Record<string, string>>;
    }
    | { readonly kind: "texts"; readonly default: readonly string[] | null; readonly nullable?: true }
    | { readonly kind: "numbers"; readonly default: readonly number[]; readonly min?: number; readonly integer?: true }
    /** Any mapping, list or scalar; always unused. */
    | { readonly kind: "any"; readonly unused: string }
  );

/** Keys of one concern. */
export type Keys = Readonly<Record<string, Key>>;

/** A table of keys by concern. */
export type KeyTable = Readonly<Record<string, Keys>>;

/** Type of the value of a key that is not null. */
export type Plain<K extends Key> = K extends { kind: "number" } ? number
  : K extends { kind: "flag" } ? boolean
  : K extends { kind: "text" } ? string
  : K extends { kind: "choice"; of: readonly (infer V)[] } ? V
  : K extends { kind: "texts" } ? readonly string[]
  : K extends { kind: "numbers" } ? readonly number[]
  : never;

/** Type of the value of a key. */
export type ValueOf<K extends Key> = K extends { nullable: true } ? Plain<K> | null : Plain<K>;

/** Values of the keys of one concern that something reads. */
export type ValuesOf<T extends Keys> = {
  readonly [K in keyof T as T[K] extends { unused: string } ? never : K]: ValueOf<T[K]>;
};

/** A value of any key. */
export type Value = number | boolean | string | null | readonly string[] | readonly number[];

/** No keys. */
export type NoKeys = Readonly<Record<never, never>>;

/** Keys it is about, whether it holds, what to say if not, and the mend: something that can be typed. */
export type Rule = readonly [keys: readonly string[], holds: boolean, message: string, hint: string];

/** A part that a configuration chooses by name, with keys of its own. */
interface WithKeys {
  readonly keys: Keys;
}

type Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;

/** Keys of all parts of a registry. */
export type KeysOf<R extends Readonly<Record<string, WithKeys>>> = Intersection<R[keyof R]["keys"]>;

/**
 * Keys that several parts share, then those of each part of a registry, in its order.
 *
 * @throws {ConfigError} If two bring one name.
 */
export function withKeysOf<S extends Keys, R extends Readonly<Record<string, WithKeys>>>(
  shared: S,
  registry: R,
): S & KeysOf<R> {
  const rows: Record<string, Key> = { ...shared };
  for (const [part, { keys }] of Object.entries(registry)) {
    for (const [name, key] of Object.entries(keys)) {
      if (Object.hasOwn(rows, name)) {
        throw new ConfigError(`Cannot add the key ${name} of ${part}: there is one already, wanted another name`, {
          context: { key: name },
        });
      }
      rows[name] = key;
    }
  }
  return rows as unknown as S & KeysOf<R>;
}

/**
 * A table with these keys first, in this order; the others follow in theirs. Files that a configuration is written to keep
 * their order so, wherever a row comes from.
 */
export function ordered<T extends Keys>(first: readonly (keyof T & string)[], table: T): T {
  const names = new Set<string>([...first, ...Object.keys(table)]);
  return Object.fromEntries([...names].map((name) => [name, table[name]])) as unknown as T;
}
