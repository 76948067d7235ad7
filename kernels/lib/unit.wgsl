// One element of a `/4` tensor as it is stored: four columns where the last extents allow it, else one.

//!if vec=4
alias Unit = vec4<T>;
alias Wide = vec4f;
const UNIT: u32 = 4u;
fn toUnit(v: vec4f) -> Unit { return narrow4(v); }
//!else
alias Unit = T;
alias Wide = f32;
const UNIT: u32 = 1u;
fn toUnit(v: f32) -> Unit { return narrow(v); }
//!end
