// The whole reduction in one slice, its sums stored where the pixels of the patches lie.

fn keep(v: vec4f, left: u32) -> vec4f { return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(left)); }
fn sliceOf(z: u32) -> vec3u { return vec3u(0u, 0u, p.K); }
fn columnOf(n: u32, v: u32) -> u32 { return n; }

fn put(sum: vec4f, z: u32, m: u32, n: u32) {
  let at = vec4u(n, n + 1u, n + 2u, n + 3u);
  let i = originOf(vec4u(m)) + offsetOf(at);
  //!for q in 0..4
  if (at[$q] < p.N) { dpixels[i[$q]] = narrow(sum[$q]); }
  //!end
}
