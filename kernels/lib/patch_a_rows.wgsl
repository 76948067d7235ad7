// First operand of a matmul: four patches by four steps of the reduction over their pixels.

fn baseA(batch: u32, m: u32) -> vec4u { return originOf(min(vec4u(m, m + 1u, m + 2u, m + 3u), vec4u(p.M - 1u))); }

fn fragA(base: vec4u, k: u32, to: u32) -> mat4x4f {
  let at = vec4u(k, k + 1u, k + 2u, k + 3u);
  let step = min(at, vec4u(to - 1u));
  let inside = at < vec4u(to);
  let c = channelOf(step);
  let i = offsetOf(step);
  return transpose(mat4x4f(
    //!for r in 0..4
    select(vec4f(), pixels4(i + base[$r], c), inside),
    //!end
  ));
}

//!if TY
fn blockA(id: u32) -> vec2u {
  return vec2u(((id >> 1u) & 3u) | ((id / (8u * K8)) << 2u), (id & 1u) | ((id >> 2u) & (2u * K8 - 2u)));
}
//!end
