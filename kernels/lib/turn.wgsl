// (cos, sin) of t turns, |t| <= 1/2, within 1e-7. Source: Cephes (`sinf.c`), on an eighth of a turn around each quarter.

fn turn(t: f32) -> vec2f {
  let quarter = round(4.0 * t);
  let a = 6.283185307179586 * fma(quarter, -0.25, t);
  let z = a * a;
  let c = fma(fma(fma(fma(2.443315711809948e-5, z, -1.388731625493765e-3), z, 4.166664568298827e-2), z, -0.5), z, 1.0);
  let s = fma(fma(fma(-1.9515295891e-4, z, 8.3321608736e-3), z, -1.6666654611e-1) * z, a, a);
  let odd = (i32(quarter) & 1) != 0;
  return select(vec2f(c, s), vec2f(-s, c), odd) * select(1.0, -1.0, (i32(quarter) & 2) != 0);
}
