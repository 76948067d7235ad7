// First operand stored [B, K, M]: four rows of the result by four steps of the reduction, one column of the matrix a step.

fn baseA(batch: u32, m: u32) -> vec4u {
  //!if vec=4
  return vec4u(batch * p.K * p.M + min(m, p.M - 4u));
  //!else
  return vec4u(batch * p.K * p.M + min(m, p.M - 1u));
  //!end
}

fn fragA(base: vec4u, k: u32, to: u32) -> mat4x4f {
  let i = base + min(vec4u(k, k + 1u, k + 2u, k + 3u), vec4u(to - 1u)) * p.M;
  return mat4x4f(
    a_load4(i.x),
    select(vec4f(), a_load4(i.y), k + 1u < to),
    select(vec4f(), a_load4(i.z), k + 2u < to),
    select(vec4f(), a_load4(i.w), k + 3u < to),
  );
}

//!if TY
fn blockA(id: u32) -> vec2u { return vec2u(id % (TY * MG), id / (TY * MG)); }
//!end
//!if SG
fn blockA(id: u32) -> vec2u { return vec2u(id % (BM / 4u), id / (BM / 4u)); }
//!end
