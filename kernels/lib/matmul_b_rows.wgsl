// Second operand stored [B, N, K]: four columns of the result by four steps of the reduction, one column of the matrix a
// step.

fn baseB(batch: u32, n: u32) -> vec4u {
  return (batch * p.N + min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(p.N - 1u))) * p.K;
}

fn fragB(base: vec4u, k: u32, to: u32) -> mat4x4f {
  //!if vec=4
  return transpose(mat4x4f(b_load4(base.x + k), b_load4(base.y + k), b_load4(base.z + k), b_load4(base.w + k)));
  //!else
  let left = to - k;
  return transpose(mat4x4f(
    keep(b_load4(base.x + k), left),
    keep(b_load4(base.y + k), left),
    keep(b_load4(base.z + k), left),
    keep(b_load4(base.w + k), left),
  ));
  //!end
}

//!if TX
fn blockB(id: u32) -> vec2u {
  return vec2u(((id >> 1u) & 3u) | ((id / (8u * K8)) << 2u), (id & 1u) | ((id >> 2u) & (2u * K8 - 2u)));
}
//!end
//!if SG
fn blockB(id: u32) -> vec2u { return vec2u(id / 4u, id % 4u); }
//!end

//!if e
// LoRA: step j of four rows of e.
fn extE(n: u32, j: u32) -> vec4f {
  let i = min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(p.N - 1u)) * p.R + min(j, p.R - 1u);
  return select(vec4f(), vec4f(e_load(i.x), e_load(i.y), e_load(i.z), e_load(i.w)), j < p.R);
}
//!end
