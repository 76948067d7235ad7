/**
 * HTML and SVG as a tagged template that escapes whatever is put into it.
 *
 * @module
 */

/** Text that is markup already. */
export class Markup {
  /** @param text Trusted markup: made by {@linkcode markup}, or constant. */
  constructor(readonly text: string) {}
}

/** What may stand in a template; lists are joined, what is missing leaves nothing. */
export type Slot = Markup | string | number | undefined | null | false | readonly Slot[];

/** Markup from a template. Texts and numbers are escaped for elements and for quoted attributes. */
export function markup(strings: TemplateStringsArray, ...slots: readonly Slot[]): Markup {
  let out = strings[0]!;
  for (const [i, slot] of slots.entries()) out += fill(slot) + strings[i + 1]!;
  return new Markup(out);
}

function fill(slot: Slot): string {
  if (slot instanceof Markup) return slot.text;
  if (slot === undefined || slot === null || slot === false) return "";
  return typeof slot === "object" ? slot.map(fill).join("") : escapeText(String(slot));
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A text without control signs and those that turn the direction of writing. */
function clean(text: string): string {
  // deno-lint-ignore no-control-regex -- They are what is looked for.
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** A text as HTML shows it. */
export function escapeText(text: string): string {
  return clean(text).replace(/[&<>"']/g, (sign) => ESCAPES[sign]!);
}

/** Data for the page's script, which nothing in it can end. */
export function dataBlock(id: string, value: unknown): Markup {
  const json = JSON.stringify(value, (_, one) => typeof one === "string" ? clean(one) : one).replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return markup`<script type="application/json" id="${id}">${new Markup(json)}</script>`;
}

/** Bytes in base64. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
