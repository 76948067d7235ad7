/**
 * How a value of a configuration is read and written by the kind of its key.
 *
 * Values are read from their text, so that a file and `key=value` on the command line mean the same, and so that the habits
 * of both YAML versions are understood: `True`, `yes` and `on` are true; `null`, `~`, `None` and nothing at all are null.
 *
 * @module
 */

import type { Key, Value } from "../../core/config_key.ts";
import { type YamlNode, yamlText } from "../../io/yaml.ts";

/** A value, or what was wanted instead of what was given. */
export type Reading = { readonly value: Value } | { readonly wanted: string };

const TRUE = /^(true|yes|on)$/i;
const FALSE = /^(false|no|off)$/i;
const NULL = /^(null|none|~|)$/i;

/** What a key accepts, for errors and help: `a number from 0 to 1`. */
export function wantedValue(key: Key): string {
  const or = "nullable" in key || "nullIs" in key ? " or null" : "";
  switch (key.kind) {
    case "number":
      return `${key.integer ? "a whole number" : "a number"}${rangeText(key)}${or}`;
    case "flag":
      return "true or false";
    case "text":
      return `a text${or}`;
    case "choice":
      return key.of.join(" | ");
    case "texts":
      return `a list of texts${or}`;
    case "numbers":
      return `a list of ${key.integer ? "whole numbers" : "numbers"}${rangeText(key)}`;
    case "any":
      return "anything";
  }
}

function rangeText(key: { min?: number; max?: number; open?: true }): string {
  const { min, max, open } = key;
  if (min !== undefined && max !== undefined) return open ? ` between ${min} and ${max}` : ` from ${min} to ${max}`;
  if (min !== undefined) return open ? ` above ${min}` : ` of at least ${min}`;
  return max === undefined ? "" : open ? ` below ${max}` : ` of at most ${max}`;
}

/** Reads the value of a key from a node of a document. */
export function readValue(key: Key, node: YamlNode): Reading {
  const wrong = { wanted: wantedValue(key) };
  if (key.kind === "any" || node.kind === "map") return wrong;
  if (key.kind === "texts" || key.kind === "numbers") return readList(key, node) ?? wrong;
  return (node.kind === "scalar" ? readScalar(key, node) : undefined) ?? wrong;
}

function readScalar(
  key: Extract<Key, { kind: "number" | "flag" | "text" | "choice" }>,
  node: { text: string; quoted: boolean },
): Reading | undefined {
  const { text, quoted } = node;
  // A choice may itself be called none.
  if (key.kind === "choice" && key.of.includes(text)) return { value: text };
  if (key.kind === "choice" && key.nullIs !== undefined && (FALSE.test(text) || (!quoted && NULL.test(text)))) {
    return { value: key.nullIs };
  }
  if (!quoted && NULL.test(text)) return "nullable" in key ? { value: null } : undefined;
  switch (key.kind) {
    case "flag":
      return TRUE.test(text) ? { value: true } : FALSE.test(text) ? { value: false } : undefined;
    case "text":
      return { value: text };
    case "choice": {
      const found = key.of.find((value) => value.toLowerCase() === text.toLowerCase());
      if (found !== undefined) return { value: found };
      const { refused = {} } = key;
      const word = text.toLowerCase();
      return Object.hasOwn(refused, word) ? { wanted: `${wantedValue(key)} (${refused[word]})` } : undefined;
    }
    case "number": {
      const number = readNumber(text, key);
      return number === undefined ? undefined : { value: number };
    }
  }
}

function readNumber(
  text: string,
  key: { min?: number; max?: number; open?: true; integer?: true },
): number | undefined {
  const { min = -Infinity, max = Infinity, open, integer } = key;
  // Decimal only, with the underscores that YAML and Python allow between digits.
  if (!/^[+-]?(\d+(_\d+)*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const number = Number(text.replaceAll("_", ""));
  const inside = open ? number > min && number < max : number >= min && number <= max;
  return inside && Number.isFinite(number) && (!integer || Number.isSafeInteger(number)) ? number : undefined;
}

function readList(key: Extract<Key, { kind: "texts" | "numbers" }>, node: YamlNode): Reading | undefined {
  if (node.kind === "scalar" && !node.quoted && NULL.test(node.text)) {
    return "nullable" in key ? { value: null } : undefined;
  }
  // One value stands for a list of one.
  const items = node.kind === "list" ? node.items : [node];
  const values: (string | number)[] = [];
  for (const item of items) {
    if (item.kind !== "scalar") return undefined;
    const value = key.kind === "texts" ? item.text : readNumber(item.text, key);
    if (value === undefined || value === "") return undefined;
    values.push(value);
  }
  return { value: values as string[] | number[] };
}

/** Writes a value so that {@linkcode readValue} reads it back. */
export function writeValue(value: Value): string {
  if (Array.isArray(value)) return `[${value.map((item: Value) => writeValue(item)).join(", ")}]`;
  return typeof value === "string" ? yamlText(value) : String(value);
}
