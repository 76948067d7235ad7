/**
 * What a command is permitted: to read, to write where its outputs go, and nothing else. Told from the command line alone,
 * without the commands, which take their engine along.
 *
 * @module
 */

/** Permissions of a process, as Deno's flags name them. */
export interface Permissions {
  readonly write: readonly string[];
  readonly env: readonly string[];
  readonly sys: readonly string[];
  readonly net?: readonly string[];
  readonly run?: readonly string[];
  /** Folders of native libraries. */
  readonly ffi?: readonly string[];
}

/**
 * Variables that commands read: places of caches, Deno's and Vulkan's choice of a device, the launcher's word, the
 * share of a job of SLURM or Kubernetes, and two of `yaml`.
 */
const ENV: readonly string[] = [
  "HOME",
  "USERPROFILE",
  "TMPDIR",
  "XDG_CACHE_HOME",
  "XDG_RUNTIME_DIR",
  "HF_HOME",
  "HF_HUB_CACHE",
  "HUGGINGFACE_HUB_CACHE",
  "HF_ENDPOINT",
  "HF_HUB_OFFLINE",
  "TRANSFORMERS_OFFLINE",
  "DENO_WEBGPU_BACKEND",
  "VK_DRIVER_FILES",
  "VK_ICD_FILENAMES",
  "SEAL_LAUNCHER",
  "SEAL_DAWN",
  "SEAL_NO_INSTALL",
  "npm_command",
  "SLURM_ARRAY_TASK_ID",
  "SLURM_ARRAY_TASK_MIN",
  "SLURM_ARRAY_TASK_MAX",
  "SLURM_ARRAY_TASK_STEP",
  "SLURM_ARRAY_TASK_COUNT",
  "JOB_COMPLETION_INDEX",
  "LOG_STREAM",
  "LOG_TOKENS",
];
/** Variables that hold a token or say where one is. */
const TOKENS: readonly string[] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HF_TOKEN_PATH"];
const SYS: readonly string[] = ["statfs", "uid", "hostname", "osRelease", "systemMemoryInfo"];

/** Where Hugging Face keeps repositories and the content of large files. */
const HUB_HOSTS: readonly string[] = ["huggingface.co", "*.huggingface.co", "*.hf.co"];

/** Endings of outputs that are a file. */
const FILE = /\.(?:h5|h5ad|safetensors|npy|csv|json|html|png|pth|nii|tiff?)$/;

/** The words of a command line, as far as they can be told without the command's table of flags. */
export class Line {
  /** Words that are no flags, values of flags among them. */
  readonly words: readonly string[];
  readonly #flags: readonly string[];

  /** @param argv What follows the command's name. */
  constructor(argv: readonly string[]) {
    const end = argv.indexOf("--");
    this.#flags = end < 0 ? argv : argv.slice(0, end);
    this.words = [...this.#flags.filter((word) => !/^-\D/.test(word)), ...(end < 0 ? [] : argv.slice(end + 1))];
  }

  /** All values of a flag, written `--name value` or `--name=value`. */
  values(name: string): string[] {
    return this.#flags.flatMap((word, i, all) => {
      const bare = word.replace(/^--?/, "");
      if (bare === word) return [];
      if (bare.startsWith(`${name}=`)) return [bare.slice(name.length + 1)];
      return bare === name && all[i + 1] !== undefined ? [all[i + 1]!] : [];
    });
  }

  /** The last value of a flag. */
  value(name: string): string | undefined {
    return this.values(name).at(-1);
  }

  /** Whether a switch is given. */
  has(name: string): boolean {
    return this.#flags.some((word) => word === `--${name}` || word === `-${name}`);
  }

  /** `key=value` words, in order. */
  get overrides(): [key: string, value: string][] {
    return this.words.filter((word) => /^[\w.]+=/.test(word)).map((word) => {
      const at = word.indexOf("=");
      return [word.slice(0, at), word.slice(at + 1)];
    });
  }
}

/** Outputs of commands that write not to `--out` alone: folders, or files by their endings. */
const OUTPUTS: Readonly<Record<string, (line: Line) => string[] | Promise<string[]>>> = {
  convert: (line) => {
    const valued = SECOND_WORD[line.words[0] ?? ""];
    const last = valued !== undefined
      ? secondWord(line, valued)
      : line.words.filter((word) => word.endsWith(".safetensors")).slice(-1);
    return [...line.values("out"), ...last];
  },
  embed: (line) => [line.value("job") ?? line.value("out") ?? "features"],
  evaluate: (line) => [line.value("out") ?? "evaluation", ...line.values("cache")],
  mil: (line) => [line.value("out") ?? "runs/mil"],
  predict: (line) => [line.value("out") ?? "predictions"],
  report: (line) => [...line.words],
  retrieve: (line) => [line.value("out") ?? "retrieval"],
  train: trainOutputs,
};

/** Conversions `IN OUT`, and their flags whose values are words. */
const SECOND_WORD: Readonly<Record<string, readonly string[]>> = {
  anndata: [],
  features: ["to", "mpp"],
  volume: ["spacing", "axes", "level", "channels", "resample", "window", "zarr"],
};

/** OUT of `convert features|volume IN OUT`: the second word that is no flag's value. */
function secondWord(line: Line, flags: readonly string[]): string[] {
  const values = flags.flatMap((flag) => line.values(flag));
  return line.words.slice(1).filter((word) => !values.includes(word)).slice(1, 2);
}

/** Whether `train` runs the demo: nothing but a place, a seed or how to run was said. */
export function isDemo(line: Line): boolean {
  const own = ["config", "data", "encoder"].some((flag) => line.values(flag).length > 0);
  return !own && line.overrides.length === 0;
}

async function trainOutputs(line: Line): Promise<string[]> {
  const out = line.value("out");
  if (isDemo(line)) return [out ?? "runs/demo", "data/cache/demo"];
  const config = line.value("config");
  if (out !== undefined && config === undefined && line.overrides.length === 0) return [out];
  const { methodOf } = await import("../methods/index.ts");
  const { runFolderOf } = await import("../run/folder.ts");
  const given = (["encoder", "out"] as const).flatMap((key): [string, string][] => {
    const value = line.value(key);
    return value === undefined ? [] : [[key, value]];
  });
  try {
    const documents = config === undefined ? [] : [{ name: config, text: Deno.readTextFileSync(config) }];
    const method = await methodOf(documents, line.overrides);
    const read = method.config.read(documents, [...given, ...line.overrides]).config;
    return [runFolderOf(method, read), ...method.outputs?.(read) ?? []];
  } catch {
    // The command says what is wrong with it, and writes nothing.
    return [];
  }
}

/** The part of a path above its last name; undefined at the root. */
function above(path: string): string | undefined {
  const [, parent] = /^(.*?)[/\\]*[^/\\]+[/\\]*$/s.exec(path) ?? [];
  if (parent === undefined || parent === path) return undefined;
  return parent === "" ? (/^[/\\]/.test(path) ? "/" : path === "." ? undefined : ".") : parent;
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Paths to permit so that an output can be written: those of a folder, since files in the making, locks and states lie beside
 * a file; of the first folder that must be made; and where links lead. Deno's lists know no commas: the folder above is taken.
 */
export function writable(output: string): string[] {
  let path = output.replace(/(?<=[^/\\:])[/\\]+$/, "") || ".";
  if (FILE.test(path) && !isFolder(path)) path = above(path) ?? ".";
  for (let up = above(path); up !== undefined && !exists(path) && !exists(up); up = above(path)) path = up;
  const own = /^(?:[/\\]|[A-Za-z]:)/.test(path) ? path : path === "." ? Deno.cwd() : `${Deno.cwd()}/${path}`;
  const paths = [path, ...resolved(path).filter((each) => each !== own)];
  return [...new Set(paths.map(withoutComma))];
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Where a path leads, if links are on the way; its last name may be missing. */
function resolved(path: string): string[] {
  const parent = above(path);
  try {
    if (exists(path)) return [Deno.realPathSync(path)];
    if (parent === undefined) return [];
    return [`${Deno.realPathSync(parent).replace(/[/\\]$/, "")}/${path.split(/[/\\]/).at(-1)}`];
  } catch {
    return [];
  }
}

function withoutComma(path: string): string {
  let short = path;
  while (short.includes(",")) short = above(short) ?? "/";
  return short;
}

/** Permissions of a command. @param argv The command line, the command's name first. */
export async function permissionsOf(argv: readonly string[]): Promise<Permissions> {
  const [name = "", ...rest] = argv;
  const line = new Line(rest);
  const { COMMANDS } = await import("./commands.gen.ts");
  const plain = Object.hasOwn(COMMANDS, name) ? line.values("out") : [];
  const outputs = Object.hasOwn(OUTPUTS, name) ? await OUTPUTS[name]!(line) : plain;
  const wanted = line.has("help") || line.has("h") ? [] : outputs;
  const write = [...new Set(wanted.flatMap(writable))];
  if (name === "download") return downloadPermissions(write, Deno.env.get("HF_ENDPOINT"));
  return name === "doctor"
    ? { write, env: [...ENV, ...TOKENS, "LD_*", "DYLD_*"], sys: SYS, run: doctorPrograms(line) }
    : { write, env: ENV, sys: SYS };
}

function doctorPrograms(line: Line): string[] {
  return [Deno.execPath(), "env", "dpkg-query", ...(line.has("install") ? ["apt-get", "sudo"] : [])];
}

/** Permissions of a process that downloads: the hub, what it writes to and the token. */
export function downloadPermissions(write: readonly string[], endpoint: string | undefined): Permissions {
  const own = endpoint === undefined ? undefined : URL.parse(endpoint)?.host;
  return {
    write,
    env: [...ENV, ...TOKENS, "SEAL_DOWNLOAD_HOSTS"],
    sys: SYS,
    net: [
      ...(own ? [own] : []),
      ...HUB_HOSTS,
      ...(Deno.env.get("SEAL_DOWNLOAD_HOSTS")?.split(",").filter(Boolean) ?? []),
    ],
  };
}

/** Flags of `deno run`. Whatever is not named is refused without a question. */
export function denoFlags({ write, env, sys, net = [], run = [], ffi = [] }: Permissions): string[] {
  const list = (flag: string, values: readonly string[]) =>
    values.length ? [`--allow-${flag}=${values.join(",")}`] : [];
  return [
    "--no-prompt",
    "--allow-read",
    ...list("write", write),
    ...list("env", env),
    ...list("sys", sys),
    ...list("net", net),
    ...list("run", run),
    ...list("ffi", ffi),
  ];
}
