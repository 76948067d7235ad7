//! attention_fwd_tall: attention_fwd with 64 queries a workgroup, for which keys and values are read half as often
//! o[b,i,h,:] = sum_j p[i,j] v[b,j,h,:], p = softmax_j(scale * sum_c q[b,i,h,c] k[b,j,h,c]), lse = log sum_j exp(…)
//!
//! in     q      [Bq, Nq, QC]  T/4   Bq = B, or 1: shared by the batch; q of head h at h*E
//! in     kv     [B, Nk, KC]   T/4   k of head h at first + h*E, v at first + D + h*E
//! out    o      [B, Nq, D]    T/4   head h at h*E
//! out?   lse    [B, H, Nq]    f32   kept for attention_bwd_*
//! param  first  u32
//! param  scale  f32
//! tune   E4 = 16   4 | 5 | 6 | 8 | 10 | 12 | 14 | 16 | 18 | 20 | 24 | 28 | 32   quarter of the head width E
//! tune   EC4 = 4   1 | 2 | 3 | 4         quarters of channels staged at a time for products, a divisor of E4
//! tune   EG = 2    1 | 2 | 3 | 4         ceil(E4/8)
//! tune   WX = 4    2 | 4                 vectors of weights used at a time, at most 12/EG
//! tune   SUBGROUPS = 0  0 | 1            maxima are exchanged by subgroups, to the same bits
//! grid   ceil(Nq/64), D/(4*E4), B
//! flops  4*B*Nq*Nk*D
//! touch  q Bq*Nq*D
//! touch  kv 2*B*Nk*D
//! lib    row_exchange scores marks logits logarithm
//! ref    tests/ref/attention.ts

// EC4 groups of 64 rows 65 vectors apart, then of 32 columns 33 apart; after the products parts of rows, then values.
var<workgroup> staged: array<vec4f, 392>;
// 64 rows of 9 vectors, one spare for the banks; vector x holds the weights of columns x, x + 8, x + 16, x + 24.
var<workgroup> weights: array<vec4f, 576>;
var<private> head: vec2u;

fn rowLoad(i: u32, c: u32) -> vec4f {
  return q_load4((min(head.y, p.Bq - 1u) * p.Nq + min(i, p.Nq - 1u)) * p.QC + (head.x * E4 + c) * 4u);
}

fn colLoad(operand: u32, j: u32, c: u32) -> vec4f {
  return kv_load4((head.y * p.Nk + min(j, p.Nk - 1u)) * p.KC + p.first + operand * p.D + (head.x * E4 + c) * 4u);
}

// Scalar products of rows ty + 16i and columns tx + 8j of 128 invocations.
fn products(row0: u32, col0: u32, lane: u32) -> mat4x4f {
  var sums = mat4x4f();
  for (var chunk = 0u; chunk < E4; chunk += EC4) {
    workgroupBarrier();
    //!for n in 0..3
    if (lane + $n * 128 < 96u * EC4) {
      let c = (lane + $n * 128) % EC4;
      let line = (lane + $n * 128) / EC4;
      if (line < 64u) { staged[c * 65u + line] = rowLoad(row0 + line, chunk + c); } else {
        staged[65u * EC4 + c * 33u + line - 64u] = colLoad(0u, col0 + line - 64u, chunk + c);
      }
    }
    //!end
    workgroupBarrier();
    for (var c = 0u; c < EC4; c++) {
      //!for i in 0..4
      let a$i = staged[c * 65u + (lane >> 3u) + $i * 16];
      let b$i = staged[65u * EC4 + c * 33u + (lane & 7u) + $i * 8];
      //!end
      //!for i in 0..4
      sums[$i] += vec4f(dot(a$i, b0), dot(a$i, b1), dot(a$i, b2), dot(a$i, b3));
      //!end
    }
  }
  return sums;
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  head = wg.yz;
  let row0 = wg.x * 64u;
  let ty = lane >> 3u;
  let tx = lane & 7u;
  var most = vec4f(LEAST);
  var total = vec4f();
  //!for g in 0..EG
  var o$g = mat4x4f();
  //!end
  for (var col0 = 0u; col0 < p.Nk; col0 += 32u) {
    let s = products(row0, col0, lane);
    let inside = vec4u(col0 + tx) + vec4u(0u, 8u, 16u, 24u) < vec4u(p.Nk);
    //!for i in 0..4
    let s$i = select(vec4f(LEAST), score4(s[$i] * p.scale), inside);
    //!end
    let before = most;
    let own = vec4f(max4(s0), max4(s1), max4(s2), max4(s3));
    //!if SUBGROUPS=1
    most = max(most, rowsMost(own));
    //!else
    workgroupBarrier();
    staged[lane] = own;
    workgroupBarrier();
    //!for x in 0..8
    most = max(most, staged[ty * 8u + $x]);
    //!end
    //!end
    // Exactly 1 where the top stays: exp(0) may be 3 units off at every step.
    let shrink = select(power4(before - most), vec4f(1.0), before == most);
    //!for i in 0..4
    let p$i = select(vec4f(), power4(s$i - most[$i]), inside);
    weights[(ty + $i * 16) * 9u + tx] = p$i;
    //!end
    total = total * shrink + vec4f(dot(p0, vec4f(1.0)), dot(p1, vec4f(1.0)), dot(p2, vec4f(1.0)), dot(p3, vec4f(1.0)));
    //!for g in 0..EG
    o$g = mat4x4f(o$g[0] * shrink.x, o$g[1] * shrink.y, o$g[2] * shrink.z, o$g[3] * shrink.w);
    //!end
    for (var x0 = 0u; x0 < 8u; x0 += WX) {
      workgroupBarrier();
      //!for n in 0..3
      if (lane + $n * 128 < 32u * WX * EG) {
        let c = (lane + $n * 128) % (8u * EG);
        let line = (lane + $n * 128) / (8u * EG);
        if (c < E4) { staged[lane + $n * 128] = colLoad(1u, col0 + x0 + line % WX + line / WX * 8u, c); }
      }
      //!end
      workgroupBarrier();
      for (var x = 0u; x < WX; x++) {
        //!for i in 0..4
        let w$i = weights[(ty + $i * 16) * 9u + x0 + x];
        //!end
        //!for g in 0..EG
        {
          let at = x * (8u * EG) + tx + $g * 8;
          let v = mat4x4f(staged[at], staged[at + 8u * EG * WX], staged[at + 16u * EG * WX], staged[at + 24u * EG * WX]);
          //!for i in 0..4
          o$g[$i] += v * w$i;
          //!end
        }
        //!end
      }
    }
  }
  workgroupBarrier();
  staged[lane] = total;
  workgroupBarrier();
  var sums = vec4f();
  //!for x in 0..8
  sums += staged[ty * 8u + $x];
  //!end
  //!for i in 0..4
  if (row0 + ty + $i * 16 < p.Nq) {
    let row = row0 + ty + $i * 16;
    let mark = markOfTop(most[$i]);
    let to = (head.y * p.Nq + row) * p.D + head.x * (E4 * 4u);
    //!for g in 0..EG
    if (tx + $g * 8 < E4) { o_store4(to + (tx + $g * 8) * 4, marked4(o$g[$i] / sums[$i], mark)); }
    //!end
    //!if lse
    if (tx == 0u) { lse[(head.y * p.H + head.x) * p.Nq + row] = marked(most[$i] + log4(vec4f(sums[$i])).x, mark); }
    //!end
  }
  //!end
}
