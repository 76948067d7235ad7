/**
 * The frame of a page: one HTML file that loads nothing, with its sections, styles and script.
 *
 * @module
 */

import { VERSION } from "../core/version.ts";
import { base64, Markup, markup, type Slot } from "./html.ts";
import css from "./page.css" with { type: "text" };
import js from "./page.js" with { type: "text" };

/** A section: its anchor, its name in the navigation, what it shows; nothing is left out of both. */
export type PageSection = readonly [id: string, name: string, content: Slot];

/** What a page holds. */
export interface Page {
  readonly title: string;
  /** What stands under the title. */
  readonly head: Slot;
  readonly sections: readonly PageSection[];
  /** What stands behind the first section. */
  readonly behindFirst?: Slot;
  readonly foot: Slot;
}

/** The page. The same content gives the same bytes. */
export async function pageOf({ title, head, sections, behindFirst, foot }: Page): Promise<string> {
  const shown = sections.filter(([, , content]) => content !== "");
  const links = shown.map(([id, name]) => markup`<li><a href="#${id}">${name}</a></li>`);
  const policy = `default-src 'none'; img-src data:; style-src '${await hash(css)}'; script-src '${await hash(
    js,
  )}'; base-uri 'none'; form-action 'none'`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="seal-webgpu ${VERSION}">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Markup(css)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the result</a>
<header class="masthead"><h1>${title}</h1>${head}</header>
<nav aria-label="Sections"><div><ul>${links}</ul><button type="button" id="theme" aria-label="Switch between light and dark" hidden>Dark</button></div></nav>
<main id="main">${shown[0]![2]}${behindFirst}${shown.slice(1).map(([, , content]) => content)}</main>
<footer><p>${foot}This page loads nothing from the network.</p></footer>
<div id="tip" role="status" hidden></div>
<script>${new Markup(js)}</script>
</body>
</html>
`.text;
}

/** Hash of a text as a content security policy names it. */
async function hash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `sha256-${base64(new Uint8Array(digest))}`;
}
