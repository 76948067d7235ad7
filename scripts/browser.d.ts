// Constants of WebGPU that every browser has and TypeScript's dom library does not declare yet.
declare const GPUBufferUsage: Readonly<
  Record<
    | "MAP_READ"
    | "MAP_WRITE"
    | "COPY_SRC"
    | "COPY_DST"
    | "INDEX"
    | "VERTEX"
    | "UNIFORM"
    | "STORAGE"
    | "INDIRECT"
    | "QUERY_RESOLVE",
    number
  >
>;
declare const GPUMapMode: Readonly<Record<"READ" | "WRITE", number>>;
declare const GPUShaderStage: Readonly<Record<"VERTEX" | "FRAGMENT" | "COMPUTE", number>>;
