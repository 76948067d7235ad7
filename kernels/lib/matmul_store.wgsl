// Where a matmul reads and what becomes of its sums.

// First `left` elements of v, zeros after them.
fn keep(v: vec4f, left: u32) -> vec4f { return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(left)); }

// Batch, first step and end of the reduction of workgroup z: S slices of K a batch, in whole tiles of 16.
fn sliceOf(z: u32) -> vec3u {
  let S = p.Z / p.B;
  let batch = z / S;
  let step = (p.K + S * 16u - 1u) / (S * 16u) * 16u;
  let k = min(p.K, (z - batch * S) * step);
  return vec3u(batch, k, min(p.K, k + step));
}

// Column of group n in half v of a swiglu weight.
fn columnOf(n: u32, v: u32) -> u32 {
  //!if act=swiglu
  return n + v * p.F;
  //!else
  return n;
  //!end
}

fn put(sum: vec4f, z: u32, m: u32, n: u32) {
  if (n >= p.N) { return; }
  //!if part
  let i = (z * p.M + m) * p.N + n;
  let v = p.alpha * sum;
  //!if vec=4
  part_store4(i, v);
  //!else
  //!for q in 0..4
  if (n + $q < p.N) { part[i + $q] = v[$q]; }
  //!end
  //!end
  //!else
  finish(p.alpha * sum, z, m, n);
  //!end
}

//!if act=swiglu
fn putPair(gate: vec4f, value: vec4f, z: u32, m: u32, f: u32) {
  if (f < p.F) { finishPair(p.alpha * gate, p.alpha * value, z, m, f); }
}
//!end
