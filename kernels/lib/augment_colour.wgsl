// Colours of patches, on RGB in [0, 1]. `at` is where a patch's row of numbers begins.
//!if upto=turn
//!else

const GREY = vec3f(0.2989, 0.587, 0.114);
// Darkest intensity, so that its logarithm is finite.
const DARKEST: f32 = 1e-6;

// Hue turned by sixths of the circle: each channel falls from the value to value - range, by its distance from the hue.
fn turnHue(v: vec3f, sixths: f32) -> vec3f {
  let value = max(v.x, max(v.y, v.z));
  let range = value - min(v.x, min(v.y, v.z));
  let slope = (v.yzx - v.zxy) / max(range, 0x1p-100f);
  let sector = select(select(4.0 + slope.z, 2.0 + slope.y, value == v.y), slope.x, value == v.x);
  let k = vec3f(5.0, 3.0, 1.0) + sector + sixths;
  let within = k - 6.0 * floor(k / 6.0);
  return value - range * saturate(min(within, 4.0 - within));
}

// The steps of a jitter in the order drawn; those before the contrast where `early`. `mean` is the mean grey it is mixed with.
fn jittered(rgb: vec3f, at: u32, mean: f32, early: bool) -> vec3f {
  var v = rgb;
  for (var steps = changes[at + 8u]; steps != 0u; steps >>= 8u) {
    let step = steps & 255u;
    let factor = number(at + 8u + step);
    if (step == 1u) { v = saturate(v * factor); }
    if (step == 2u) {
      if (early) { break; }
      v = saturate(factor * v + (1.0 - factor) * mean);
    }
    if (step == 3u) { v = saturate(factor * v + (1.0 - factor) * dot(GREY, v)); }
    if (step == 4u) { v = turnHue(v, factor); }
  }
  return v;
}

fn row3(i: u32) -> vec3f { return vec3f(number(i), number(i + 1u), number(i + 2u)); }

// Stains of other strength: an affine map of logarithms.
fn stained(v: vec3f, at: u32) -> vec3f {
  let dark = log(max(v, vec3f(DARKEST)));
  let light = dark.x * row3(at + 14u) + dark.y * row3(at + 17u) + dark.z * row3(at + 20u) + row3(at + 23u);
  return exp(clamp(light, vec3f(-80.0), vec3f()));
}

// A pixel before the blur.
fn coloured(b: u32, at: u32, y: u32, x: u32, mean: f32) -> vec3f {
  let v = enlarged(b, at, y, x);
  let kind = changes[at + 6u];
  if (kind == 1u) { return jittered(v, at, mean, false); }
  if (kind == 2u) { return stained(v, at); }
  return v;
}
//!end
