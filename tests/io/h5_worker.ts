/** Worker of h5_test.ts: reads the second patch of the file it is given. */

import { disk } from "../../src/io/fs.ts";
import { H5File } from "../../src/io/h5.ts";

const scope = self as unknown as { onmessage: (event: MessageEvent<string>) => void; postMessage: (n: number) => void };
scope.onmessage = async ({ data }) => {
  using file = await H5File.open(disk.open(data, "read"));
  scope.postMessage(file.read("/img", 1, 2).length);
};
