// Weighted sums of columns for rows ty + 8i and groups of four channels tx + 8g; tiles as in attention_products.

// 32 rows of 9 vectors, one spare for the banks; vector x holds the weights of columns x, x + 8, x + 16, x + 24.
var<workgroup> weights: array<vec4f, 288>;

struct Sums {
  //!for g in 0..EG
  g$g: mat4x4f,
  //!end
}

// Adds sum_j weights[row, j] * column j for rows ty + 8i, and makes the weights visible first. Stages 4 WX columns at a time.
fn addWeighted(sums: Sums, operand: u32, col0: u32, lane: u32) -> Sums {
  var out = sums;
  for (var x0 = 0u; x0 < 8u; x0 += WX) {
    workgroupBarrier();
    //!for n in 0..8
    if (lane + $n * 64 < 32u * WX * EG) {
      let c = (lane + $n * 64) % (8u * EG);
      let line = (lane + $n * 64) / (8u * EG);
      if (c < E4) { staged[lane + $n * 64] = colLoad(operand, col0 + x0 + line % WX + line / WX * 8u, c); }
    }
    //!end
    workgroupBarrier();
    for (var x = 0u; x < WX; x++) {
      //!for i in 0..4
      let w$i = weights[(lane >> 3u) * 9u + x0 + x + $i * 72];
      //!end
      //!for g in 0..EG
      {
        let at = x * (8u * EG) + (lane & 7u) + $g * 8;
        let v = mat4x4f(staged[at], staged[at + 8u * EG * WX], staged[at + 16u * EG * WX], staged[at + 24u * EG * WX]);
        //!for i in 0..4
        out.g$g[$i] += v * w$i;
        //!end
      }
      //!end
    }
  }
  return out;
}
