// Sums over the RL invocations of a workgroup that share a column, those WG/RL apart; all of the workgroup must call it.

//!if RL=1
fn columnSum(value: f32, lane: u32) -> f32 { return value; }
//!else
var<workgroup> columnParts: array<f32, WG>;

fn columnSum(value: f32, lane: u32) -> f32 {
  // What an earlier sum left may still be read.
  workgroupBarrier();
  columnParts[lane] = value;
  workgroupBarrier();
  var sum: f32 = 0.0;
  //!for r in 0..RL
  sum += columnParts[$r * (WG / RL) + lane % (WG / RL)];
  //!end
  return sum;
}
//!end
