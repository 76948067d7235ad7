// Square root of what is not negative. WGSL derives it from 1 / inverseSqrt, which neither 0 nor subnormal numbers have.

const ROOT_LEAST: f32 = 0x1p-126f;

fn root4(x: vec4f) -> vec4f { return select(vec4f(), sqrt(max(x, vec4f(ROOT_LEAST))), x >= vec4f(ROOT_LEAST)); }

fn root(x: f32) -> f32 { return select(0.0, sqrt(max(x, ROOT_LEAST)), x >= ROOT_LEAST); }

// 1 / sqrt(x), finite for 0 and for what rounding has put below.
fn inverseRoot(x: f32) -> f32 { return inverseSqrt(max(x, ROOT_LEAST)); }
