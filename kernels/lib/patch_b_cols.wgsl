// Second operand of a matmul: four pixels of a patch by four steps of the reduction over patches. Steps past the end
// repeat the last one; the first operand is zero there.

fn baseB(batch: u32, n: u32) -> vec4u { return min(vec4u(n, n + 1u, n + 2u, n + 3u), vec4u(p.N - 1u)); }

fn fragB(base: vec4u, k: u32, to: u32) -> mat4x4f {
  let origin = originOf(min(vec4u(k, k + 1u, k + 2u, k + 3u), vec4u(to - 1u)));
  let c = channelOf(base);
  let i = offsetOf(base);
  return mat4x4f(
    //!for u in 0..4
    pixels4(i + origin[$u], c),
    //!end
  );
}

//!if TX
fn blockB(id: u32) -> vec2u { return vec2u(id % (TX * NG * GV), id / (TX * NG * GV)); }
//!end
