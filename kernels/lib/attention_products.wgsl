// Tiles of 32 rows (kept) by 32 columns (streamed) over 64 invocations: ty = lane / 8 owns rows ty + 8i, tx = lane % 8
// columns tx + 8j. The kernel defines rowLoad and colLoad of an operand (0 or 1), a row or column and a group of four
// channels; they must clamp.

// EC4 groups of 32 rows, then of 32 columns, 33 vectors apart for the banks. Columns for attention_sums too.
//!if KEEP=1
// Rows stay for all columns, E4 groups of them; what is staged are columns alone.
var<workgroup> kept: array<vec4f, E4 * 33u>;
var<workgroup> staged: array<vec4f, max(EC4 * 33u, 32u * WX * EG)>;

fn keepRows(row0: u32, lane: u32) {
  for (var at = lane; at < 32u * E4; at += 64u) { kept[at % E4 * 33u + at / E4] = rowLoad(0u, row0 + at / E4, at % E4); }
}
//!else
var<workgroup> staged: array<vec4f, 528>;
//!end

// Scalar products of rows and columns: element [i][j] for row ty + 8i, column tx + 8j.
fn products(operand: u32, row0: u32, col0: u32, lane: u32) -> mat4x4f {
  var sums = mat4x4f();
  for (var chunk = 0u; chunk < E4; chunk += EC4) {
    workgroupBarrier();
    //!for n in 0..4
    if (lane + $n * 64 < 32u * EC4) {
      let c = (lane + $n * 64) % EC4;
      let line = (lane + $n * 64) / EC4;
      //!if KEEP=1
      staged[c * 33u + line] = colLoad(operand, col0 + line, chunk + c);
      //!else
      staged[c * 33u + line] = rowLoad(operand, row0 + line, chunk + c);
      staged[c * 33u + line + 264u] = colLoad(operand, col0 + line, chunk + c);
      //!end
    }
    //!end
    workgroupBarrier();
    for (var c = 0u; c < EC4; c += CU) {
      //!for u in 0..CU
      {
        let at = (c + $u) * 33u;
        //!for i in 0..4
        //!if KEEP=1
        let a$i = kept[at + chunk * 33u + (lane >> 3u) + $i * 8];
        let b$i = staged[at + (lane & 7u) + $i * 8];
        //!else
        let a$i = staged[at + (lane >> 3u) + $i * 8];
        let b$i = staged[at + (lane & 7u) + (264 + $i * 8)];
        //!end
        //!end
        //!for i in 0..4
        sums[$i] += vec4f(dot(a$i, b0), dot(a$i, b1), dot(a$i, b2), dot(a$i, b3));
        //!end
      }
      //!end
    }
  }
  return sums;
}
