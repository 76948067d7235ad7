// First operand stored [B, M, K]: four rows by four steps of the reduction, one column of the matrix a step.

fn baseA(batch: u32, m: u32) -> vec4u {
  return (batch * p.M + min(vec4u(m, m + 1u, m + 2u, m + 3u), vec4u(p.M - 1u))) * p.K;
}

fn fragA(base: vec4u, k: u32, to: u32) -> mat4x4f {
  //!if vec=4
  return transpose(mat4x4f(a_load4(base.x + k), a_load4(base.y + k), a_load4(base.z + k), a_load4(base.w + k)));
  //!else
  let left = to - k;
  return transpose(mat4x4f(
    keep(a_load4(base.x + k), left),
    keep(a_load4(base.y + k), left),
    keep(a_load4(base.z + k), left),
    keep(a_load4(base.w + k), left),
  ));
  //!end
}

//!if TY
// Block of a tile that a loading invocation fetches: group of four rows, group of four steps. Neighbours share 32-byte
// sectors of memory and still store to different banks.
fn blockA(id: u32) -> vec2u {
  return vec2u(((id >> 1u) & 3u) | ((id / (8u * K8)) << 2u), (id & 1u) | ((id >> 2u) & (2u * K8 - 2u)));
}
//!end
//!if SG
fn blockA(id: u32) -> vec2u { return vec2u(id / 4u, id % 4u); }
//!end

//!if h
// LoRA: step j of four rows of h.
fn extH(m: u32, j: u32) -> vec4f {
  let i = min(vec4u(m, m + 1u, m + 2u, m + 3u), vec4u(p.M - 1u)) * p.R + min(j, p.R - 1u);
  return select(vec4f(), vec4f(h_load(i.x), h_load(i.y), h_load(i.z), h_load(i.w)), j < p.R);
}
//!end
