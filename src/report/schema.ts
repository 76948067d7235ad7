/**
 * Checks of JSON values, composed like the types they check: a wrong value is named by its path in the file.
 *
 * @module
 */

/** Where a value lies, and how to say that it is wrong. */
export interface Place {
  /** Path in the file, `encoders[1].probe`; empty at the top. */
  readonly path: string;
  /** Throws the error of the file. */
  readonly fail: (path: string, found: string, expected: string) => never;
}

/** Checks a value. @returns The value, of its type. @throws What the place makes. */
export type Check<T> = (value: unknown, place: Place) => T;

/** A check of a field that may be missing. */
export interface Optional<T> {
  readonly optional: Check<T>;
}

type Field<T> = undefined extends T ? Optional<Exclude<T, undefined>> : Check<T>;

function refuse(value: unknown, { path, fail }: Place, expected: string): never {
  const text = JSON.stringify(value) ?? "nothing";
  return fail(path, text.length > 60 ? `${text.slice(0, 60)}…` : text, expected);
}

/** A text. */
export const text: Check<string> = (value, place) => typeof value === "string" ? value : refuse(value, place, "a text");

/** A flag. */
export const flag: Check<boolean> = (value, place) =>
  typeof value === "boolean" ? value : refuse(value, place, "true or false");

/** A finite number. */
export const real: Check<number> = (value, place) =>
  typeof value === "number" && Number.isFinite(value) ? value : refuse(value, place, "a number");

/** A whole number that is not negative. */
export const count: Check<number> = (value, place) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? value as number : refuse(value, place, "a whole number");

/** A number within bounds, which are part of them. */
export function within(least: number, most: number): Check<number> {
  return (value, place) => {
    const found = real(value, place);
    return found >= least && found <= most ? found : refuse(value, place, `a number from ${least} to ${most}`);
  };
}

/** Bytes in base64. */
export const base64: Check<string> = (value, place) =>
  typeof value === "string" && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value)
    ? value
    : refuse(value, place, "bytes in base64");

/** A number above zero. */
export const positive: Check<number> = (value, place) =>
  real(value, place) > 0 ? value as number : refuse(value, place, "a number above 0");

/** Checks that take null. */
const NULLABLE = new WeakSet<object>();

/** As `check`, or null where the value is not defined. */
export function nullable<T>(check: Check<T>): Check<T | null> {
  const either: Check<T | null> = (value, place) => value === null ? null : check(value, place);
  NULLABLE.add(either);
  return either;
}

/** A field that may be missing; null, unless the check takes it, counts as that. */
export function optional<T>(check: Check<T>): Optional<T> {
  return { optional: check };
}

/** One of some texts. */
export function oneOf<const T extends string>(...choices: readonly T[]): Check<T> {
  return (value, place) => choices.includes(value as T) ? value as T : refuse(value, place, choices.join(" or "));
}

/** The number `wanted` itself: what a file says of its own layout. */
export function exactly<const T extends number>(wanted: T): Check<T> {
  return (value, place) => value === wanted ? wanted : refuse(value, place, String(wanted));
}

/** A list. */
export function list<T>(check: Check<T>, most: number = 1 << 22): Check<readonly T[]> {
  return (value, place) => {
    if (!Array.isArray(value)) return refuse(value, place, "a list");
    if (value.length > most) return place.fail(place.path, `${value.length} elements`, `at most ${most}`);
    return value.map((element, i) => check(element, { ...place, path: `${place.path}[${i}]` }));
  };
}

/** Texts or numbers by name. */
export function record<T>(check: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value, place) => {
    const entries = Object.entries(asObject(value, place));
    return Object.fromEntries(entries.map(([key, one]) => [key, check(one, { ...place, path: dotted(place, key) })]));
  };
}

/** An object with these fields; others are left out. */
export function object<T extends object>(fields: { readonly [K in keyof T]-?: Field<T[K]> }): Check<T> {
  return (value, place) => {
    const given = asObject(value, place);
    const out: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(fields) as [string, Check<unknown> | Optional<unknown>][]) {
      const own = Object.hasOwn(given, key) ? given[key] : undefined;
      const at = { ...place, path: dotted(place, key) };
      if (typeof field === "function") out[key] = field(own, at);
      else if (own !== undefined && (own !== null || NULLABLE.has(field.optional))) out[key] = field.optional(own, at);
    }
    return out as T;
  };
}

function asObject(value: unknown, place: Place): Record<string, unknown> {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return refuse(value, place, "an object");
  return value as Record<string, unknown>;
}

function dotted({ path }: Place, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
