/** Worker of h5_test.ts: reads the second row of the dataset it is given. */

import { disk } from "../../src/io/fs.ts";
import { H5File } from "../../src/io/hdf5/h5.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<[string, string]>) => void;
  postMessage: (n: number) => void;
};
scope.onmessage = async ({ data: [path, dataset] }) => {
  using file = await H5File.open(disk.open(path, "read"));
  scope.postMessage(file.read(dataset, 1, 2).length);
};
