import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { type Command, COMMON, type Flags, helpText, parseArgs } from "../../src/cli/args.ts";
import { nearest } from "../../src/core/nearest.ts";
import { ConfigError } from "../../src/core/errors.ts";

const FLAGS = {
  json: COMMON.json,
  out: { kind: "text", value: "PATH", help: "where", default: "runs/demo" },
  data: { kind: "list", value: "DIR", help: "input" },
  steps: { kind: "number", value: "N", help: "how many", integer: true, min: 1, default: 10 },
  precision: COMMON.precision,
} as const satisfies Flags;

function refusal(argv: string[]): ConfigError {
  try {
    parseArgs(FLAGS, argv);
  } catch (error) {
    ok(error instanceof ConfigError);
    equal(error.exitCode, 2);
    return error;
  }
  throw new Error(`${argv.join(" ")} was accepted`);
}

Deno.test("parseArgs() fills defaults", () => {
  const { flags, overrides, words } = parseArgs(FLAGS, []);
  deepEqual(flags, { json: false, out: "runs/demo", data: [], steps: 10, precision: undefined });
  deepEqual([overrides, words], [[], []]);
});

Deno.test("parseArgs() reads values after a space and after an equals sign, and collects lists", () => {
  const { flags } = parseArgs(FLAGS, ["--out=a=b", "--steps", "3", "--data", "x", "--data=y", "--json"]);
  deepEqual(flags, { json: true, out: "a=b", data: ["x", "y"], steps: 3, precision: undefined });
});

Deno.test("parseArgs() tells overrides from words and takes everything after -- as words", () => {
  const args = parseArgs(FLAGS, ["a.svs", "optim.lr=1e-4", "note=a=b", "--", "--json", "k=v"], {
    words: true,
    overrides: true,
  });
  deepEqual(args.overrides, [["optim.lr", "1e-4"], ["note", "a=b"]]);
  deepEqual(args.words, ["a.svs", "--json", "k=v"]);
});

Deno.test("parseArgs() offers the nearest flag for an unknown one", () => {
  const error = refusal(["--josn"]);
  equal(error.message, "Cannot read --josn: no such flag");
  equal(error.hint, "Did you mean --json?");
  equal(refusal(["--zzzzzz"]).hint, "Add --help for the list");
});

Deno.test("parseArgs() says how a key that was written as a flag is given", () => {
  const hint = (argv: string[]): string | undefined => {
    try {
      parseArgs(FLAGS, argv, { overrides: true, keys: ["epochs", "batch_size", "steps_max"] });
    } catch (error) {
      return (error as ConfigError).hint;
    }
  };
  equal(hint(["--epochs", "2"]), "epochs is a key, not a flag: write epochs=2");
  equal(hint(["--epoch=2"]), "epochs is a key, not a flag: write epochs=2");
  equal(hint(["--batch-size", "--json"]), "batch_size is a key, not a flag: write batch_size=VALUE");
  equal(hint(["--optim.epochs", "3"]), "epochs is a key, not a flag: write epochs=3");
  equal(hint(["--josn"]), "Did you mean --json?");
});

Deno.test("parseArgs() refuses values of the wrong type, out of range, missing or superfluous", () => {
  match(refusal(["--steps", "three"]).message, /given "three", wanted an integer >= 1/);
  match(refusal(["--steps", "0"]).message, /wanted an integer >= 1/);
  match(refusal(["--steps", "1.5"]).message, /wanted an integer/);
  match(refusal(["--precision", "f64"]).message, /wanted one of f32, f16/);
  match(refusal(["--out"]).message, /given no value, wanted PATH/);
  match(refusal(["--out", "--json"]).message, /given no value/);
  match(refusal(["--json=yes"]).message, /takes no value/);
  match(refusal(["stray"]).message, /takes only flags/);
});

Deno.test("parseArgs() says how a flag is written that was given in another way", () => {
  equal(refusal(["out=runs/a"]).hint, "Write --out runs/a");
  equal(refusal(["json=true"]).hint, "Write --json");
  equal(refusal(["--json=yes"]).hint, "Write --json");
  equal(refusal(["step"]).hint, "Did you mean --steps?");
  equal(refusal(["--out"]).hint, "Write --out VALUE");
  equal(refusal(["--out", "--json"]).hint, "A value that begins with dashes: --out=--json");
  equal(refusal(["--constructor"]).message, "Cannot read --constructor: no such flag");
  // A path may hold an equals sign.
  equal(parseArgs(FLAGS, ["a=b.h5"], { words: true }).words[0], "a=b.h5");
});

Deno.test("parseArgs() takes a negative number as a value", () => {
  const flags = { shift: { kind: "number", value: "X", help: "" } } as const satisfies Flags;
  equal(parseArgs(flags, ["--shift", "-1.5"]).flags.shift, -1.5);
});

Deno.test("nearest() finds typing errors and nothing else", () => {
  equal(nearest("docter", ["doctor", "train"]), "doctor");
  equal(nearest("trian", ["doctor", "train"]), "train");
  equal(nearest("instal", ["install", "json"]), "install");
  equal(nearest("banana", ["doctor", "train"]), undefined);
});

Deno.test("helpText() lists every flag with its default and one example", () => {
  const command: Command = {
    name: "demo",
    summary: "does it",
    flags: FLAGS,
    example: "demo --steps 3",
    overrides: true,
    run: () => Promise.resolve(),
  };
  const text = helpText(command);
  for (const name of Object.keys(FLAGS)) ok(text.includes(`--${name}`), name);
  ok(text.includes("how many (default 10)"));
  ok(text.includes("Usage: deno task demo [flags] [key=value …]"));
  ok(text.includes("Example: deno task demo --steps 3"));
});

Deno.test("Args types follow the table", () => {
  const { flags } = parseArgs(FLAGS, []);
  const steps: number = flags.steps;
  const precision: string | undefined = flags.precision;
  // @ts-expect-error There is no such flag.
  throws(() => flags.nothing.length);
  equal(steps + (precision?.length ?? 0), 10);
});
