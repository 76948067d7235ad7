import { equal, throws } from "node:assert/strict";
import { speedOf } from "../../src/cli/progress.ts";
import { count } from "../../src/core/text_table.ts";
import { print, say } from "../../src/cli/terminal.ts";

Deno.test("rates are said as people say them, whatever their size", () => {
  const said = [1174.3, 99.6, 42.4, 9.96, 4.25, 0.5, 0.4, 0.004, 0.0001, 0].map((rate) => speedOf(rate, "slides"));
  equal(
    said.join("; "),
    "1,174 slides/s; 100 slides/s; 42 slides/s; 10 slides/s; 4.3 slides/s; 0.5 slides/s; 3 s a slide; 4 min a slide; " +
      "2.8 h a slide; 0 slides/s",
  );
});

Deno.test("counts agree with their nouns", () => {
  equal(
    [count(1, "section"), count(0, "section"), count(12345, "patch", "patches"), count(1, "patch", "patches")].join(
      "; ",
    ),
    "1 section; 0 sections; 12,345 patches; 1 patch",
  );
});

Deno.test("a log whose disk is full does not end the work; a result that cannot be printed does", () => {
  const full = () => {
    throw new Error("No space left on device (os error 28)");
  };
  const [stdout, stderr] = [Deno.stdout.writeSync, Deno.stderr.writeSync];
  try {
    Deno.stdout.writeSync = Deno.stderr.writeSync = full;
    say("of no use any more");
    throws(() => print("the result"), /No space left/);
  } finally {
    Deno.stdout.writeSync = stdout;
    Deno.stderr.writeSync = stderr;
  }
});
