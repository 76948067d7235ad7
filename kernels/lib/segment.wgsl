// Segments of neighbouring rows: segment b is rows bound[b] .. bound[b + 1]. Its number for a row, by bisection; the number
// of segments, E - 1, for rows before the first bound or behind the last.

fn segmentOf(row: u32) -> u32 {
  if (row < bound[0]) { return p.E - 1u; }
  var low: u32 = 0u;
  var high: u32 = p.E;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (bound[middle] <= row) { low = middle; } else { high = middle; }
  }
  return low;
}
