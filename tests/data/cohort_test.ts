/** Tables of cohorts, task files and folds: read, written, made, and refused where they are wrong. */

import assert from "node:assert/strict";
import { ConfigError, DataError, exitCodeOf, FormatError } from "../../src/core/errors.ts";
import { makeFolds } from "../../src/data/cohort/folds.ts";
import { readCaseExpression, readGeneSets } from "../../src/data/cohort/gene_sets.ts";
import { cohortText, readCohort } from "../../src/data/cohort/cohort_table.ts";
import { readTask, targetsOf, taskText } from "../../src/data/cohort/task.ts";

const TABLE = [
  "Unnamed: 0\tcase_id\tslide_id\tGRADE\tOS_event\tOS_days\tnote\tfold_1\tfold_0\tfold_10",
  '0\t007\t007_a\t1\t1\t10.5\t"a ""b"""\ttrain\ttest\ttrain',
  "1\t007\t007_b\t1\t1\t10.5\t\ttrain\ttest\ttrain",
  "2\t1e5\t1e5_a\t2\t0\t0\tx\ttest\ttrain\tval",
  "3\tNA\tNA_a\t\t\t\ty\ttest\ttrain\t",
  "",
].join("\n");
const TASK =
  "task_col: GRADE\nsample_col: case_id\nextra_cols: []\nmetrics: [macro-ovr-auc]\nlabel_dict:\n  2: high\n  1: low\nother: 1\n";

/** What a call throws. */
function thrown(act: () => unknown): Error & { code?: string; hint?: string; context?: Record<string, unknown> } {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error("Nothing was thrown");
}

Deno.test("readCohort() keeps names and labels as text and orders folds by their numbers; cohortText() reads back", () => {
  const table = readCohort(TABLE, "k=all.tsv");
  assert.deepEqual(table.columns, ["case_id", "slide_id", "GRADE", "OS_event", "OS_days", "note"]);
  assert.deepEqual(table.folds, ["fold_0", "fold_1", "fold_10"]);
  assert.deepEqual(table.rows.map((row) => row.case), ["007", "007", "1e5", "NA"]);
  assert.deepEqual(table.rows[2]!.folds, ["train", "test", "val"]);
  assert.deepEqual(table.rows[3]!.folds, ["train", "test", undefined]);
  assert.equal(table.rows[0]!.fields[5], 'a "b"');
  const again = readCohort(cohortText(table), "again.tsv");
  assert.deepEqual({ ...again, file: "", rows: again.rows.map((r) => ({ ...r, line: 0 })) }, {
    ...table,
    file: "",
    rows: table.rows.map((r) => ({ ...r, line: 0 })),
  });
  const csv = readCohort("slide_id , label,fold_0\r\ns1,a,test\r\n s2, b , train\r\n", "x.csv");
  const { line: _, ...row } = csv.rows[1]!;
  assert.deepEqual([csv.cases, row], [false, { slide: "s2", case: "s2", fields: ["s2", "b"], folds: ["train"] }]);
});

Deno.test("readCohort() names file, line and what is wrong", () => {
  const head = "case_id,slide_id,y,fold_0\n";
  const rows: [string, RegExp, string?][] = [
    ["case,slide\na,b\n", /its columns are case, slide, expected slide_id/, "columns"],
    ["", /its columns are none/, "columns"],
    [head, /it has no slide/, "labels"],
    [`${head}a,b,1\n`, /line 2 has 3 fields, expected 4/],
    [`${head},b,1,train\n`, /line 2 has no case_id/],
    [`${head}a,,1,train\n`, /line 2 has no slide_id/],
    [`${head}a,b,1,Train\n`, /line 2 has "Train" in fold_0, expected train, val, test or nothing/],
    [`${head}a,b,1,train\nc,b,1,test\n`, /slide b is in lines 2 and 3, expected once/, "labels"],
    [
      `${head}a,b,1,train\na,c,1,test\n`,
      /case a is on both sides of fold_0: train in line 2, test in line 3/,
      "split-leak",
    ],
    [
      `${head}a,b,1,train\na,c,1,\n`,
      /case a is on both sides of fold_0: train in line 2, nothing in line 3/,
      "split-leak",
    ],
    ["slide_id,y,y\na,1,2\n", /names the column y twice/],
    [`${head}"a,b,1,train\n`, /line 2 has/],
  ];
  for (const [text, message, code] of rows) {
    const error = thrown(() => readCohort(text, "k.csv"));
    assert.match(error.message, message);
    assert.match(error.message, /k\.csv/);
    assert.equal(exitCodeOf(error), 4);
    if (code !== undefined) assert.equal(error.code, code);
  }
});

Deno.test("readTask() and targetsOf(): classes in the order of their labels, survival, regression", () => {
  const table = readCohort(TABLE, "k=all.tsv");
  const task = readTask(TASK, "config.yaml");
  assert.deepEqual([...task.names], [["1", "low"], ["2", "high"]]);
  const again = readTask(taskText(task), "config.yaml");
  assert.deepEqual({ ...again, names: [...again.names] }, { ...task, names: [...task.names] });
  const { targets, rows, unlabelled } = targetsOf(task, table);
  assert.deepEqual(targets, { kind: "classification", classes: ["low", "high"], labels: [0, 0, 1] });
  assert.deepEqual([rows.length, unlabelled], [3, ["NA_a"]]);
  const os = targetsOf(readTask("task_col: OS", "c.yaml"), table).targets;
  assert.deepEqual(os, { kind: "survival", times: [10.5, 10.5, 0], events: [1, 1, 0] });
  const days = targetsOf(readTask("task_col: [OS_days, GRADE]\ntask_type: regression", "c.yaml"), table).targets;
  assert.deepEqual(days, { kind: "regression", names: ["OS_days", "GRADE"], values: [[10.5, 1], [10.5, 1], [0, 2]] });
  const floats = readCohort("slide_id,y\na,1.0\nb,0.0\nc,1.0\n", "f.csv");
  assert.deepEqual(targetsOf(readTask("task_col: y\nlabel_dict: {0: no, 1: yes}", "c.yaml"), floats).targets, {
    kind: "classification",
    classes: ["no", "yes"],
    labels: [1, 0, 1],
  });
});

Deno.test("what pandas and R write where there is no value is none, unless it is a label by name", () => {
  const words = ["NaN", "nan", "NA", "N/A", "n/a", "<NA>", "#N/A", "NULL", "null", "None", "-nan", ""];
  const rows = [...words, "Nan1", "NAD", "a"].map((label, i) => `s${i},${label},${label === "a" ? 1 : label}`);
  const table = readCohort(`slide_id,y,z\n${rows.join("\n")}\n`, "t");
  const of = (task: string) => targetsOf(readTask(task, "c"), table);
  const found = of("task_col: y\n");
  assert.deepEqual(found.rows.map(({ slide }) => slide), ["s12", "s13", "s14"]);
  assert.deepEqual(found.unlabelled, words.map((_, i) => `s${i}`));
  const named = of("task_col: y\nlabel_dict: {NA: none, Nan1: x, NAD: y, a: z}\n");
  assert.deepEqual(named.rows.map(({ slide }) => slide), ["s2", "s12", "s13", "s14"]);
  const folds = makeFolds(readCohort("slide_id,y\na,1\nb,NaN\nc,2\nd,1\ne,2\n", "t"), {
    folds: 2,
    stratify: "y",
    seed: 0,
  });
  assert.deepEqual([folds.classes, folds.table.rows[1]!.folds], [["1", "2"], [undefined, undefined]]);
});

Deno.test("tasks and targets that cannot be used are refused by line, column and case", () => {
  const tasks: [string, RegExp][] = [
    ["- a", /config\.yaml:1: Cannot read a task: a list or text/],
    ["sample_col: case_id", /task_col: it is empty/],
    ["task_col: y\ntask_type: ranking", /config\.yaml:2: Cannot read task_type: ranking, wanted classification or/],
    ["task_col: y\nsample_col: patient", /sample_col: patient, wanted case_id or slide_id/],
    ["task_col: [a, b]", /2 columns, wanted one, or task_type: regression/],
    ["task_col: y\nlabel_dict: [a]", /label_dict: a list/],
    ["task_col: y\nmetrics: [[a]]", /metrics: a list, wanted text/],
    ["task_col: *a", /config\.yaml:1/],
  ];
  for (const [text, message] of tasks) {
    const error = thrown(() => readTask(text, "config.yaml"));
    assert.ok(error instanceof ConfigError, String(error));
    assert.match(error.message, message);
  }
  const refused = (text: string, task: string) =>
    thrown(() => targetsOf(readTask(task, "c.yaml"), readCohort(text, "t.csv")));
  const head = "case_id,slide_id,y,y_event,y_days\n";
  const rows: [string, string, RegExp][] = [
    [`${head}a,b,,,\n`, "task_col: z", /columns are case_id, .* z is missing/],
    [`${head}a,b,,,\n`, "task_col: y\ntask_type: classification", /no slide has y/],
    [`${head}a,b,1,,\n`, "task_col: y\ntask_type: classification", /all 1 slides have y 1, expected two classes/],
    [
      `${head}a,b,3,,\n`,
      "task_col: y\ntask_type: classification\nlabel_dict: {0: n, 1: p}",
      /line 2 has y "3", expected one of 0, 1/,
    ],
    [`${head}a,b,1,,\na,c,2,,\n`, "task_col: y\ntask_type: classification", /case a has y 1 in line 2 and 2 in line 3/],
    [`${head}a,b,0,yes,3\n`, "task_col: y", /line 2 has y_event "yes", expected 1 for an event or 0/],
    [`${head}a,b,0,1,-3\n`, "task_col: y", /line 2 has y_days "-3", expected a time of 0 or more/],
    [`${head}a,b,0,1,nan\n`, "task_col: y", /line 2 has y_days "nan", expected a number/],
    [`${head}a,b,x,1,1\n`, "task_col: y\ntask_type: regression", /line 2 has y "x", expected a number/],
  ];
  for (const [text, task, message] of rows) {
    const error = refused(text, task);
    assert.ok(error instanceof DataError, String(error));
    assert.match(error.message, message);
  }
});

/** Cases of two classes at sites of four, every third with two slides. */
function plain(cases: number, order = (i: number) => i): ReturnType<typeof readCohort> {
  const lines = Array.from({ length: cases }, (_, i) => order(i)).flatMap((i) =>
    (i % 3 ? ["a"] : ["a", "b"]).map((s) => `c${i},c${i}_${s},${i % 4 === 0 ? "rare" : "common"},s${i >> 2},${i * 1.5}`)
  );
  return readCohort(["case_id,slide_id,y,site,age", ...lines, ""].join("\n"), "t.csv");
}

Deno.test("makeFolds(): each case tested once, classes even, the same of a seed and in any order of rows", () => {
  const made = makeFolds(plain(40), { folds: 5, stratify: "y", seed: 3 });
  assert.deepEqual(made.classes, ["common", "rare"]);
  assert.deepEqual(made.counts.map(({ test }) => test), Array(5).fill([6, 2]));
  assert.deepEqual(made.notes, []);
  for (const row of made.table.rows) assert.equal(row.folds.filter((part) => part === "test").length, 1);
  // Reading refuses a case on both sides, so reading back proves that there is none.
  const text = cohortText(made.table);
  readCohort(text, "k=all.tsv");
  assert.equal(cohortText(makeFolds(plain(40), { folds: 5, stratify: "y", seed: 3 }).table), text);
  assert.notEqual(cohortText(makeFolds(plain(40), { folds: 5, stratify: "y", seed: 4 }).table), text);
  const turned = makeFolds(plain(40, (i) => 39 - i), { folds: 5, stratify: "y", seed: 3 });
  const parts = (of: typeof made) => new Map(of.table.rows.map(({ slide, folds }) => [slide, folds.join()]));
  for (const [slide, own] of parts(made)) assert.equal(parts(turned).get(slide), own);
});

Deno.test("makeFolds() by site: no site on both sides, classes still even; drawn folds have their share", () => {
  for (const options of [{ folds: 4 }, { folds: 20, testFraction: 0.2 }]) {
    const { table, counts } = makeFolds(plain(80), { ...options, stratify: "y", site: "site", seed: 0 });
    table.folds.forEach((_, f) => {
      const side = (part: string) =>
        new Set(table.rows.filter((row) => row.folds[f] === part).map((row) => row.fields[3]));
      assert.equal([...side("train")].filter((site) => side("test").has(site)).length, 0);
      const [common, rare] = counts[f]!.test;
      assert.ok(
        Math.abs(common! - (options.testFraction ? 12 : 15)) <= 3 && Math.abs(rare! - 4.5) <= 1,
        `${common} ${rare}`,
      );
    });
  }
  const drawn = makeFolds(plain(40), { folds: 30, testFraction: 0.2, stratify: "y", seed: 1 });
  assert.deepEqual(drawn.counts.map(({ test }) => test), Array(30).fill([6, 2]));
  assert.ok(new Set(drawn.table.folds.map((_, f) => drawn.table.rows.map((row) => row.folds[f]).join())).size > 25);
  const quarters = makeFolds(plain(40), { folds: 5, stratify: "age", seed: 1 });
  assert.deepEqual(quarters.counts.map(({ test }) => test), Array(5).fill([2, 2, 2, 2]));
  const tcga = readCohort("case_id,slide_id,y\nTCGA-A2-1,a,1\nTCGA-A2-2,b,0\nTCGA-B6-1,c,1\n", "t.csv");
  const { table } = makeFolds(tcga, { folds: 2, site: true, seed: 0 });
  assert.deepEqual(table.rows[0]!.folds, table.rows[1]!.folds);
});

Deno.test("makeFolds() names what stands in its way, and the classes that a fold lacks", () => {
  const refused = (text: string, options: Partial<Parameters<typeof makeFolds>[1]>) =>
    thrown(() => makeFolds(readCohort(text, "t.csv"), { folds: 2, seed: 0, ...options }));
  const head = "case_id,slide_id,y,site\n";
  const rows: [string, Partial<Parameters<typeof makeFolds>[1]>, RegExp][] = [
    [`${head}a,b,1,x\n`, {}, /it has 1 cases, wanted 2/],
    [`${head}a,b,1,x\nc,d,1,x\n`, { site: "site" }, /it has 1 sites, wanted 2/],
    [`${head}a,b,1,x\na,c,1,y\nd,e,1,y\n`, { site: "site" }, /case a has site "x" in line 2 and "y" in line 3/],
    [`${head}a,b,1,\nc,d,1,x\n`, { site: "site" }, /case a has no site/],
    [`${head}a,b,1,x\nc,d,1,x\n`, { site: true }, /case a is no TCGA name/],
    [`${head}a,b,1,x\nc,d,1,x\n`, { stratify: "z" }, /z is missing/],
    ["case_id,slide_id,fold_0\na,b,train\nc,d,test\n", {}, /it has fold_0 already/],
  ];
  for (const [text, options, message] of rows) assert.match(refused(text, options).message, message);
  const made = makeFolds(readCohort(`${head}a,b,1,x\nc,d,0,x\ne,f,1,x\ng,h,,x\n`, "t.csv"), {
    folds: 3,
    stratify: "y",
    seed: 0,
  });
  assert.ok(made.notes.some((note) => /1 of 4 cases have no y and are in no fold: g/.test(note)));
  assert.ok(made.notes.some((note) => /no train case of y 0/.test(note)), made.notes.join());
  assert.deepEqual(made.table.rows[3]!.folds, [undefined, undefined, undefined]);
});

Deno.test("gene sets and expression are read, and refused by line", () => {
  assert.deepEqual(readGeneSets("A\tx\tG1\tG2\tG1\r\nB\t\tG3\n\n", "s.gmt"), [
    { name: "A", genes: ["G1", "G2"] },
    { name: "B", genes: ["G3"] },
  ]);
  for (
    const [text, message] of [["A\tx\n", /line 1 has 0 genes/], ["A\t\tg\nA\t\th\n", /line 2 has the set A again/], [
      "",
      /it has none/,
    ]] as const
  ) {
    assert.match(thrown(() => readGeneSets(text, "s.gmt")).message, message);
  }
  const read = readCaseExpression("case_id\tG1\tG2\na\t1\t-2e1\n", "x.tsv");
  assert.deepEqual([read.genes, [...read.cases.get("a")!]], [["G1", "G2"], [1, -20]]);
  for (
    const [text, message] of [
      ["id,G\na,1\n", /expected case_id/],
      ["case_id,G,G\na,1,2\n", /gene G stands twice/],
      ["case_id,G\na,x\n", /line 2 has G "x", expected a number/],
      ["case_id,G\na,1\na,2\n", /line 3 has case a again/],
      ["case_id,G\na\n", /line 2 has 1 fields/],
    ] as const
  ) {
    const error = thrown(() => readCaseExpression(text, "x.csv"));
    assert.ok(error instanceof FormatError || error instanceof DataError);
    assert.match(error.message, message);
  }
});
