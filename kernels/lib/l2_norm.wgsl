// Euclidean norm that does not overflow: squares are summed plainly and scaled down by 2^160; needs root.wgsl. The scaled sum
// tells which to take: what overflows is undefined.

const DOWN: f32 = 0x1p-80f;
const UP: f32 = 0x1p+80f;

fn squares(v: vec4f) -> mat2x4f { return mat2x4f(v * v, (v * DOWN) * (v * DOWN)); }

fn rowNorm(sums: vec2f) -> f32 { return select(root(sums.x), root(sums.y) * UP, sums.y > 0x1p-34f); }
