//! permute_tiled: transpose of matrices through workgroup memory, so that reads and writes are both contiguous
//! y[b, c, r] = x[b, r, c]
//!
//! in     x  [B, R, C]   T
//! out    y  [B, C, R]   T
//! tune   WG = 256               256
//! grid   fold B*ceil(R/32)*ceil(C/32)
//! flops  0
//! ref    tests/ref/permute.ts

// One column more than the tile, so that a column lies in 32 banks.
var<workgroup> tile: array<T, 1056>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) nwg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let down = (p.R + 31u) / 32u;
  let across = (p.C + 31u) / 32u;
  let at = folded(wg, nwg);
  let row = at / across;
  let b = row / down;
  if (b >= p.B) { return; }
  let r0 = (row - b * down) * 32u;
  let c0 = (at - row * across) * 32u;
  let fast = lane & 31u;
  let slow = lane >> 5u;
  let base = b * p.R * p.C;
  //!for k in 0..4
  if (r0 + slow + $k * 8u < p.R && c0 + fast < p.C) {
    tile[(slow + $k * 8u) * 33u + fast] = x[base + (r0 + slow + $k * 8u) * p.C + c0 + fast];
  }
  //!end
  workgroupBarrier();
  //!for k in 0..4
  if (c0 + slow + $k * 8u < p.C && r0 + fast < p.R) {
    y[base + (c0 + slow + $k * 8u) * p.R + r0 + fast] = tile[fast * 33u + slow + $k * 8u];
  }
  //!end
}
