// Second operand stored [B, K, N]: four columns of the result by four steps of the reduction, one column of the matrix a
// step. Steps past the end repeat the last one; the first operand is zero there.

fn baseB(batch: u32, n: u32) -> vec4u {
  //!if vec=4
  return vec4u(batch * p.K * p.N + min(n, p.N - 4u));
  //!else
  return vec4u(batch * p.K * p.N + min(n, p.N - 1u));
  //!end
}

fn fragB(base: vec4u, k: u32, to: u32) -> mat4x4f {
  let i = base + min(vec4u(k, k + 1u, k + 2u, k + 3u), vec4u(to - 1u)) * p.N;
  return mat4x4f(b_load4(i.x), b_load4(i.y), b_load4(i.z), b_load4(i.w));
}

//!if TX
fn blockB(id: u32) -> vec2u { return vec2u(id % (TX * NG * GV), id / (TX * NG * GV)); }
//!end
//!if SG
fn blockB(id: u32) -> vec2u { return vec2u(id % (BH * GV / 4u), id / (BH * GV / 4u)); }
//!end

//!if e
// LoRA: row j of e, four columns.
fn extE(n: u32, j: u32) -> vec4f {
  //!if vec=4
  let i = min(n, p.N - 4u);
  //!else
  let i = min(n, p.N - 1u);
  //!end
  return select(vec4f(), e_load4(min(j, p.R - 1u) * p.N + i), j < p.R);
}
//!end
