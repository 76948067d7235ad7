/**
 * Tables, sortable by the page's script, figures with their captions, and sections.
 *
 * @module
 */

import { type Markup, markup, type Slot } from "./html.ts";
import { attributes } from "./svg.ts";

/** A column of a table. */
export interface Column<Row> {
  readonly head: Slot;
  /** What the cell shows. */
  readonly cell: (row: Row) => Slot;
  /** What it sorts by. Without it the column does not sort. */
  readonly key?: (row: Row) => number | string | null | undefined;
  /** `number` sets it to the right, `wide` leaves it out on phones. */
  readonly className?: string;
  /** Name beside the value where phones set cells below each other. */
  readonly label?: string;
  /** Longer name of the column. */
  readonly title?: string;
}

/** How a table is set. */
export interface TableOptions {
  readonly caption: Slot;
  readonly className?: string;
  /** Whether its heads are buttons that sort. */
  readonly sortable?: boolean;
  /** Rows after the last. */
  readonly foot?: Slot;
}

/** A table; its first column names the rows. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], options: TableOptions): Markup {
  const heads = columns.map(({ head, key, className, title }) => {
    const sorts = options.sortable && key !== undefined;
    const content = sorts ? markup`<button type="button" class="sort">${head}</button>` : head;
    return markup`<th scope="col"${attributes({ class: className, title })}>${content}</th>`;
  });
  const body = rows.map((row) => markup`<tr>${columns.map((column, i) => cell(row, column, i === 0, options))}</tr>`);
  return markup`<table${attributes({ class: options.className })}${
    options.sortable && markup` data-behaviour="sort"`
  }><caption>${options.caption}</caption><thead><tr>${heads}</tr></thead><tbody>${body}</tbody>${
    options.foot !== undefined && markup`<tfoot>${options.foot}</tfoot>`
  }</table>`;
}

function cell<Row>(
  row: Row,
  { cell, key, className, label }: Column<Row>,
  first: boolean,
  options: TableOptions,
): Markup {
  const value = options.sortable ? key?.(row) : undefined;
  const facts = attributes({
    class: className,
    "data-label": label,
    "data-key": options.sortable && key !== undefined ? String(value ?? "") : undefined,
  });
  return first ? markup`<th scope="row"${facts}>${cell(row)}</th>` : markup`<td${facts}>${cell(row)}</td>`;
}

/** An identifier in a cell; a long one may break anywhere. */
export function identifier(text: string): Slot {
  return text.length > 14 ? markup`<span class="id">${text}</span>` : text;
}

/** A table or drawing that scrolls on its own, reachable by keyboard. */
export function scroller(name: string, content: Slot, className = ""): Markup {
  return markup`<div class="scroller ${className}" role="region" tabindex="0" aria-label="${name}">${content}</div>`;
}

/** A figure with its caption; the style numbers it. */
export function figure(
  { title, caption, className }: { title: Slot; caption?: Slot; className?: string },
  ...content: readonly Slot[]
): Markup {
  return markup`<figure${
    attributes({ class: className })
  }>${content}<figcaption><b>${title}</b> ${caption}</figcaption></figure>`;
}

/** A section of the page. */
export function section(
  { id, title, lead }: { id: string; title: string; lead?: Slot },
  ...content: readonly Slot[]
): Markup {
  return markup`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${
    lead !== undefined && markup`<p class="lead">${lead}</p>`
  }${content}</section>`;
}

/** One line in place of a section whose evidence is missing. */
export function absent(reason: string): Markup {
  return markup`<p class="absent">Not shown: ${reason}.</p>`;
}

/** Terms with what belongs to them. */
export function definitions(rows: readonly (readonly [term: Slot, value: Slot])[]): Markup {
  return markup`<dl>${rows.map(([term, value]) => markup`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`;
}
