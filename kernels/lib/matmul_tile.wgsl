// Tiles of both operands in workgroup memory, and what an invocation fetches for them. OWN: stored by the invocation that reads
// them, so that all places it reads are one index and constants, of which one is clamped; one spare vector each, for the banks.

const ROWS: u32 = TY * MG;
const COLS: u32 = TX * NG * GV;
const STEPS: u32 = K8 * 8u;
//!if OWN=1
var<workgroup> tileA: array<array<vec4f, STEPS * MG + 1u>, TY>;
var<workgroup> tileB: array<array<vec4f, STEPS * NG * GV + 1u>, TX>;
//!else
var<workgroup> tileA: array<vec4f, ROWS * STEPS>;
var<workgroup> tileB: array<vec4f, COLS * STEPS>;
//!end

//!if h
fn extA(m: u32, j: u32) -> mat4x4f { return mat4x4f(extH(m, j), extH(m, j + 1u), extH(m, j + 2u), extH(m, j + 3u)); }
fn extB(n: u32, j: u32) -> mat4x4f { return mat4x4f(extE(n, j), extE(n, j + 1u), extE(n, j + 2u), extE(n, j + 3u)); }
//!end

fn fetch(first: bool, base: vec4u, place: u32, k: u32, to: u32, ext: u32) -> mat4x4f {
  var f = mat4x4f();
  if (k < to) {
    if (first) { f = fragA(base, k, to); } else { f = fragB(base, k, to); }
  }
  //!if h
  if (k >= ext) {
    if (first) { f = extA(place, k - ext); } else { f = extB(place, k - ext); }
  }
  //!end
  return f;
}
