/** The software adapter with matrix units: whose archive it comes from, and what a transcript keeps to itself. */

import { deepEqual, equal } from "node:assert/strict";
import { ROOT } from "../../scripts/exec.ts";
import { archiveOf } from "../../scripts/matrix_adapter.ts";
import { transcript } from "../../scripts/test_matrix.ts";

const STANZA = `Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Signed-By: /usr/share/keyrings/debian.gpg`;

Deno.test("Debian's archive is found among apt sources of both forms, and no other", () => {
  const other = "Types: deb\nURIs: https://deb.example/node_20.x\nSuites: nodistro\n";
  const security = STANZA.replace("/debian\n", "/debian-security\n");
  const found = { uri: "http://mirror.example/debian", keys: "/usr/share/keyrings/debian.gpg" };
  deepEqual(archiveOf([other, `${security}\n\n${STANZA}\n`]), found);
  deepEqual(archiveOf(["deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ trixie main\n"]), {
    uri: "http://mirror.example/debian/",
    keys: "/k.gpg",
  });
  deepEqual(archiveOf(["# a note\ndeb http://mirror.example/debian trixie main\n"]), {
    uri: "http://mirror.example/debian",
    keys: undefined,
  });
  equal(archiveOf([other, security, "deb http://mirror.example/ubuntu noble main\n", ""]), undefined);
});

Deno.test("a transcript holds neither places nor hosts nor Dawn's warnings", () => {
  const printed = [
    "Warning: something was reduced",
    `llvmpipe: matrix units of 8x8x8, ${ROOT}data/cache/matrix/root`,
    "matmul: nt 1x1x1 ... ok (1.2e-4; 2 ways; matmul_nt_matrix)",
    "at /home/somebody/x.ts:3 and https://registry.example/a/b and file:///tmp/x.ts:1:2",
    "",
  ].join("\n");
  equal(
    transcript(printed),
    [
      "llvmpipe: matrix units of 8x8x8, data/cache/matrix/root",
      "matmul: nt 1x1x1 ... ok (1.2e-4; 2 ways; matmul_nt_matrix)",
      "at … and … and …",
      "",
    ].join("\n"),
  );
});
