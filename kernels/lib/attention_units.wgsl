// Attention by matrix units: a workgroup keeps W*SM rows, SM a subgroup, and goes through columns, BK at a time. The kernel says
// how many tiles of columns, of scores and of weights there are at a time (TILES, SCORES, WEIGHTS), and defines rowLoad and colLoad
// of an operand (0 or 1), a row or column and a group of four channels; they must clamp. ROWS is TILES*BK at most.

const ROWS: u32 = W * SM;
const LANES: u32 = W * SG;
// Invocations that share a row: invocation `lane` looks at row lane/ACROSS.
const ACROSS: u32 = SG / SM;
const LD: u32 = E4 * 4u + PAD;
// Sizes of a tile of columns, and of one of scores or weights.
const TILE: u32 = BK * LD;
const BLOCK: u32 = ROWS * BK;

// Columns; before them rows.
var<workgroup> tile: array<f16, TILES * TILE>;
// Weights of columns, row by row.
var<workgroup> weights: array<f16, WEIGHTS * BLOCK>;
// Products of rows and columns; at the end results, SN channels at a time.
var<workgroup> rows: array<f32, SCORES * BLOCK>;
fn putTile(at: u32, v: vec4f) {
  let w = narrow4(v);
  //!for u in 0..4
  tile[at + $u] = w[$u];
  //!end
}
// All rows, in place of columns.
fn stageRows(operand: u32, row0: u32, lane: u32) {
  for (var at = lane; at < ROWS * E4; at += LANES) {
    putTile(at / E4 * LD + at % E4 * 4u, rowLoad(operand, row0 + at / E4, at % E4));
  }
}
// Columns from col0 into one of the tiles; from `count` on there are zeros, which add nothing.
fn stageColumns(operand: u32, to: u32, col0: u32, count: u32, lane: u32) {
  for (var at = lane; at < BK * E4; at += LANES) {
    let j = col0 + at / E4;
    var v: vec4f = vec4f();
    if (j < count) { v = colLoad(operand, j, at % E4); }
    putTile(to * TILE + at / E4 * LD + at % E4 * 4u, v);
  }
}

// Columns of its row that an invocation looks at in turn n, four at a time: rows begin at different banks.
fn columnsOf(lane: u32, n: u32) -> vec4u {
  return (ACROSS * (vec4u(n * 4u + lane / ACROSS) + vec4u(0u, 1u, 2u, 3u)) + lane % ACROSS) % BK;
}

// Products of that row and those columns.
fn productsAt(block: u32, lane: u32, columns: vec4u) -> vec4f {
  let at = block * BLOCK + lane / ACROSS * BK + columns;
  return vec4f(rows[at.x], rows[at.y], rows[at.z], rows[at.w]);
}
fn putWeights(block: u32, lane: u32, columns: vec4u, v: vec4f) {
  let at = block * BLOCK + lane / ACROSS * BK + columns;
  let w = narrow4(v);
  //!for u in 0..4
  weights[at[$u]] = w[$u];
  //!end
}
// Four results of a row, from column c of what storeRows left.
fn resultAt(block: u32, lane: u32, c: u32) -> vec4f { return productsAt(block, lane, c + vec4u(0u, 1u, 2u, 3u)); }
