/**
 * Genes that are asked for by name among those that were measured: the same name, or the same gene under another one.
 *
 * @module
 */

import { type GeneColumns, isEnsembl, stripVersion, SYMBOL_COLUMNS } from "./genes.ts";

/** Why two names are taken for one gene: they differ by case alone, by identifier and symbol, or one is an alias. */
export type Likeness = "case" | "ensembl" | "alias";

/** A gene under another name. */
export interface OtherName {
  readonly asked: string;
  /** As it was measured. */
  readonly gene: string;
  readonly column: number;
  readonly why: Likeness;
}

/** What was found of the genes asked for. */
export interface Found {
  /** Columns, each once. */
  readonly columns: readonly number[];
  /** Those that were found under another name; where that was not asked for, those that could be. */
  readonly others: readonly OtherName[];
  /** Names of which there is nothing. */
  readonly missing: readonly string[];
}

/** Measured genes by all their names. A name of several genes is of none. */
export class GeneResolver {
  readonly #exact = new Map<string, number>();
  readonly #byCase = new Names();
  readonly #byId = new Names();
  readonly #bySymbol = new Names();
  readonly #byApproved = new Names();

  /**
   * @param genes Names as they were measured.
   * @param columns Further columns of the table, such as `gene_ids` or `gene_name`.
   * @param aliases Approved symbol by alias or Ensembl identifier, keys in upper case.
   */
  constructor(
    private readonly genes: readonly string[],
    columns: GeneColumns = {},
    private readonly aliases: ReadonlyMap<string, string> = new Map(),
  ) {
    genes.forEach((name, j) => {
      if (!this.#exact.has(name)) this.#exact.set(name, j);
      this.#byCase.add(name, j);
      if (isEnsembl(name)) this.#byId.add(stripVersion(name), j);
      const approved = this.aliases.get(stripVersion(name).toUpperCase());
      if (approved !== undefined) this.#byApproved.add(approved, j);
    });
    for (const [column, names] of Object.entries(columns)) {
      names.forEach((name, j) => {
        if (name === undefined || name === "") return;
        if (isEnsembl(name)) this.#byId.add(stripVersion(name), j);
        else if (SYMBOL_COLUMNS.includes(column)) this.#bySymbol.add(name, j);
      });
    }
  }

  /** Finds genes. @param map Takes those under another name too. */
  find(asked: readonly string[], map: boolean): Found {
    const columns = new Set<number>();
    const others: OtherName[] = [];
    const missing: string[] = [];
    for (const name of asked) {
      const own = this.#exact.get(name);
      if (own !== undefined) {
        columns.add(own);
        continue;
      }
      const other = this.#other(name);
      if (other === undefined) missing.push(name);
      else {
        others.push({ asked: name, gene: this.genes[other.column]!, ...other });
        if (map) columns.add(other.column);
      }
    }
    return { columns: [...columns], others, missing };
  }

  #other(name: string): { column: number; why: Likeness } | undefined {
    const bare = stripVersion(name);
    const approved = this.aliases.get(bare.toUpperCase());
    const ways: [Likeness, number | undefined][] = [
      ["ensembl", this.#byId.get(bare)],
      ["ensembl", this.#bySymbol.get(name)],
      ["case", this.#byCase.get(name)],
      ["alias", approved === undefined ? undefined : this.#byCase.get(approved) ?? this.#bySymbol.get(approved)],
      ["alias", this.#byApproved.get(approved ?? name)],
    ];
    const found = ways.find(([, column]) => column !== undefined);
    return found === undefined ? undefined : { why: found[0], column: found[1]! };
  }
}

/** Columns by name, whatever its case. */
class Names {
  readonly #columns = new Map<string, number>();

  add(name: string, column: number): void {
    const key = name.trim().toUpperCase();
    const before = this.#columns.get(key);
    this.#columns.set(key, before === undefined || before === column ? column : -1);
  }

  get(name: string): number | undefined {
    const column = this.#columns.get(name.trim().toUpperCase());
    return column === undefined || column < 0 ? undefined : column;
  }
}

const WHY: Readonly<Record<Likeness, string>> = {
  case: "in other letter case",
  ensembl: "by Ensembl identifier",
  alias: "by an alias",
};

/** What is said of genes under other names: `3 in other letter case (EPCAM is Epcam), 1 by an alias (…)`. */
export function describeOthers(others: readonly OtherName[]): string {
  return [...Map.groupBy(others, ({ why }) => why)].map(([why, of]) =>
    `${of.length} ${WHY[why]} (${of[0]!.asked} is ${of[0]!.gene})`
  ).join(", ");
}
