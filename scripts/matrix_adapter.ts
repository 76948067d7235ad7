/**
 * Makes a software adapter that has matrix units: Mesa's lavapipe of Debian's suite `sid`, with the loader and libraries it needs,
 * unpacked into data/cache/matrix and nowhere else. The archive is the one that this machine's own apt sources name, or that of
 * `--archive URL`; its lists are kept apart from the system's.
 *
 * The libraries are newer than the system's, so that a program is started by the folder's own dynamic loader.
 *
 * @module
 */

import { exec, ROOT } from "./exec.ts";

const FOLDER = `${ROOT}data/cache/matrix`;
const LIBRARIES = `${FOLDER}/root/usr/lib/x86_64-linux-gnu`;
const DRIVER = `${FOLDER}/lvp_icd.json`;
/** Driver and loader; the rest is what they need. */
const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];

/** How a program is started on the adapter. */
export interface MatrixAdapter {
  /** Goes before the program and its arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Version of Mesa, as its package has it. */
  readonly version: string;
}

/** An archive of Debian, and the keys that sign it. */
interface Archive {
  readonly uri: string;
  readonly keys: string | undefined;
}

/** The archive that a machine's apt sources name; security and third parties have none of the packages. */
export function archiveOf(sources: readonly string[]): Archive | undefined {
  for (const text of sources) {
    for (const stanza of text.split(/\n\s*\n/)) {
      const field = (name: string) => new RegExp(`^${name}:[ \\t]*(\\S+)`, "mi").exec(stanza)?.[1];
      const line = /^deb(?:[ \t]+\[([^\]]*)\])?[ \t]+(\S+)/m.exec(stanza);
      const uri = field("URIs") ?? line?.[2];
      if (uri === undefined || !/\/debian\/?$/.test(uri)) continue;
      return { uri, keys: field("Signed-By") ?? /signed-by=(\S+)/.exec(line?.[1] ?? "")?.[1] };
    }
  }
  return undefined;
}

/** Texts of the machine's apt sources. */
function ownSources(): string[] {
  const folder = "/etc/apt/sources.list.d";
  const paths = ["/etc/apt/sources.list"];
  try {
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
      /\.(list|sources)$/.test(name)
    );
    paths.push(...names.sort().map((name) => `${folder}/${name}`));
  } catch { /* a folder that does not exist holds none */ }
  return paths.flatMap((path) => {
    try {
      return [Deno.readTextFileSync(path)];
    } catch {
      return [];
    }
  });
}

async function must(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const { code, output } = await exec(command, args, { quiet: true, env });
  if (code !== 0) throw new Error(`${command} ${args.slice(0, 3).join(" ")} failed:\n${output}`);
  return output;
}

/** Settings by which apt keeps to the folder: lists, packages, and a system that has none installed. */
function settings(folder: string, { uri, keys }: Archive): Record<string, string> {
  return {
    "sources.list.d/sid.sources": [
      "Types: deb",
      `URIs: ${uri}`,
      "Suites: sid",
      "Components: main",
      ...(keys === undefined ? [] : [`Signed-By: ${keys}`]),
      "",
    ].join("\n"),
    "apt.conf": [
      `Dir::Etc::sourcelist "/dev/null";`,
      `Dir::Etc::sourceparts "${folder}/sources.list.d";`,
      `Dir::State "${folder}/state";`,
      `Dir::State::status "${folder}/status";`,
      `Dir::Cache "${folder}/cache";`,
      `APT::Install-Recommends "false";`,
      `APT::Architecture "amd64";`,
      `Acquire::Languages "none";`,
      "",
    ].join("\n"),
    status: "",
  };
}

async function fetched(archive: Archive): Promise<void> {
  const folder = `${FOLDER}/apt`;
  for (const part of ["sources.list.d", "state/lists/partial", "cache/archives/partial"]) {
    await Deno.mkdir(`${folder}/${part}`, { recursive: true });
  }
  for (const [name, text] of Object.entries(settings(folder, archive))) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  const env = { APT_CONFIG: `${folder}/apt.conf`, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  console.log("Fetching Mesa's lavapipe of Debian sid (70 MB) into data/cache/matrix");
  await must("apt-get", ["update"], env);
  await must("apt-get", ["install", "-y", "--download-only", ...PACKAGES], env);
  const packages = [...Deno.readDirSync(`${folder}/cache/archives`)].map(({ name }) => name).filter((name) =>
    name.endsWith(".deb")
  ).sort();
  for (const name of packages) await must("dpkg-deb", ["-x", `${folder}/cache/archives/${name}`, `${FOLDER}/root`]);
  await Deno.writeTextFile(`${FOLDER}/packages.txt`, `${packages.join("\n")}\n`);
  await Deno.remove(folder, { recursive: true });
  // Last: it says that the folder is whole. The driver is found among the libraries.
  const icd = JSON.parse(await Deno.readTextFile(`${FOLDER}/root/usr/share/vulkan/icd.d/lvp_icd.json`));
  icd.ICD.library_path = "libvulkan_lvp.so";
  await Deno.writeTextFile(DRIVER, JSON.stringify(icd));
}

/**
 * The adapter, fetched at the first call.
 *
 * @throws {Error} Where there is no apt, no archive of Debian among its sources, or the archive cannot be reached.
 */
export async function matrixAdapter(archive?: string): Promise<MatrixAdapter> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") throw new Error("Wanted 64-bit Linux on x86");
  if (!await Deno.stat(DRIVER).then(() => true, () => false)) {
    const own = archiveOf(ownSources());
    const from = archive === undefined ? own : { uri: archive, keys: own?.keys };
    if (from === undefined) throw new Error("No apt source of this machine is Debian's: name one with --archive URL");
    await fetched(from);
  }
  const packages = await Deno.readTextFile(`${FOLDER}/packages.txt`);
  return {
    command: [`${LIBRARIES}/ld-linux-x86-64.so.2`, "--library-path", LIBRARIES],
    // A kernel's text is compiled once, which takes longer than running it.
    env: {
      VK_DRIVER_FILES: DRIVER,
      XDG_RUNTIME_DIR: FOLDER,
      MESA_SHADER_CACHE_DIR: `${FOLDER}/shaders`,
      GALLIVM_PERF: "nopt",
    },
    version: /^mesa-vulkan-drivers_([^_]+)/m.exec(packages)?.[1] ?? "unknown",
  };
}
