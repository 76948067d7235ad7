/**
 * XML as files of other programs hold it: bytes of any usual encoding to elements with their namespaces. Document types are
 * passed over and their entities are not known, so nothing is fetched and nothing expands.
 *
 * Source: XML 1.0 (fifth edition), appendix F for encodings; Namespaces in XML 1.0.
 *
 * @module
 */

import { parseXml, type XmlDocument, XmlElement } from "@rgrove/parse-xml";

export { XmlElement };

/** Bytes and elements of a document that is read: metadata of a slide, not a book. */
const MAX_BYTES = 1 << 23;
const MAX_ELEMENTS = 100_000;

/** Why a text is no XML that is read. */
export class XmlProblem extends Error {}

/** Text of a document: by its byte order mark, its first bytes, or the encoding it declares; UTF-8 otherwise. */
export function decodeXml(bytes: Uint8Array): string {
  const label = wideEncoding(bytes);
  if (label !== undefined) {
    const even = bytes.subarray(0, bytes.length & ~1);
    return new TextDecoder(label).decode(even).replace(/\0[^]*$/, "").trim();
  }
  const end = bytes.indexOf(0);
  const text = end < 0 ? bytes : bytes.subarray(0, end);
  const head = new TextDecoder("latin1").decode(text.subarray(0, 256));
  const declared = /^\W*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.-]*)["']/.exec(head)?.[1] ?? "utf-8";
  // Programs that keep text in 16 bits declare that, and then write bytes.
  const encoding = /^(?:utf-?16|ucs-?2|utf-?32)/i.test(declared) ? "utf-8" : declared;
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(text).trim();
  } catch (cause) {
    if (cause instanceof RangeError) throw new XmlProblem(`its encoding ${declared} is not known`);
    // What claims to be UTF-8 and is not comes from programs that write the system's code page.
    return new TextDecoder("windows-1252").decode(text).trim();
  }
}

/** UTF-16 by its byte order mark or its first character, which is `<`. */
function wideEncoding([a, b]: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  if ((a === 0xff && b === 0xfe) || (a === 0x3c && b === 0)) return "utf-16le";
  return (a === 0xfe && b === 0xff) || (a === 0 && b === 0x3c) ? "utf-16be" : undefined;
}

/**
 * The root element of a document.
 *
 * @throws {XmlProblem} Saying what is wrong and where.
 */
export function readXml(text: string): XmlElement {
  const limit = text.length > MAX_BYTES ? MAX_BYTES : undefined;
  if (limit !== undefined) throw new XmlProblem(`it has ${text.length} characters, at most ${limit} are read`);
  let elements = 0;
  for (let at = text.indexOf("<"); at >= 0; at = text.indexOf("<", at + 1)) elements++;
  if (elements > 2 * MAX_ELEMENTS) {
    throw new XmlProblem(`it has more than ${MAX_ELEMENTS} elements, fewer are read`);
  }
  let document: XmlDocument;
  try {
    document = parseXml(text);
  } catch (cause) {
    // The parser goes down by recursion.
    if (cause instanceof RangeError) throw new XmlProblem("its elements lie too deep in each other", { cause });
    throw new XmlProblem((cause as Error).message.split("\n")[0]!, { cause });
  }
  if (document.root === null) throw new XmlProblem("it has no element");
  return document.root;
}

/** Name of an element without prefix, and the namespace it is in; empty where it is in none. */
export function nameOf(element: XmlElement): { readonly local: string; readonly namespace: string } {
  const colon = element.name.indexOf(":");
  const declaration = colon < 0 ? "xmlns" : `xmlns:${element.name.slice(0, colon)}`;
  const local = element.name.slice(colon + 1);
  for (let at: XmlElement["parent"] | XmlElement = element; at instanceof XmlElement; at = at.parent) {
    const found = at.attributes[declaration];
    if (found !== undefined) return { local, namespace: found };
  }
  return { local, namespace: "" };
}

/** Elements inside `parent` that have this name and lie in a namespace that `belongs`. */
export function childrenOf(parent: XmlElement, local: string, belongs: (namespace: string) => boolean): XmlElement[] {
  return parent.children.filter((child): child is XmlElement => {
    if (!(child instanceof XmlElement)) return false;
    const name = nameOf(child);
    return name.local === local && belongs(name.namespace);
  });
}
