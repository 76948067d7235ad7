//!if SUBGROUPS=1
enable subgroups;
// Largest of what the eight invocations of a row have, of four rows at once; they follow each other in a subgroup of eight or more.
fn rowsMost(own: vec4f) -> vec4f {
  let two = max(own, subgroupShuffleXor(own, 1u));
  let four = max(two, subgroupShuffleXor(two, 2u));
  return max(four, subgroupShuffleXor(four, 4u));
}
//!end
