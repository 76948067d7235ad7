// Euclidean norm that does not overflow: squares are summed plainly and scaled down by 2^160.

const DOWN: f32 = 0x1p-80f;
const UP: f32 = 0x1p+80f;

fn squares(v: vec4f) -> mat2x4f { return mat2x4f(v * v, (v * DOWN) * (v * DOWN)); }

fn rowNorm(sums: vec2f) -> f32 { return select(sqrt(sums.x), sqrt(sums.y) * UP, sums.x > 1e38); }
