// Threefry-2x32, 20 rounds; the same bits as src/core/rng.ts.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11 (Random123).

fn threefryRound(v: vec2u, r: u32) -> vec2u {
  let x = v.x + v.y;
  return vec2u(x, ((v.y << r) | (v.y >> (32u - r))) ^ x);
}

fn threefryA(v: vec2u) -> vec2u {
  return threefryRound(threefryRound(threefryRound(threefryRound(v, 13u), 15u), 26u), 6u);
}

fn threefryB(v: vec2u) -> vec2u {
  return threefryRound(threefryRound(threefryRound(threefryRound(v, 17u), 29u), 16u), 24u);
}

fn threefry(key: vec2u, counter: vec2u) -> vec2u {
  let k0 = key.x;
  let k1 = key.y;
  let k2 = 0x1bd11bdau ^ k0 ^ k1;
  let a = threefryA(counter + key) + vec2u(k1, k2 + 1u);
  let b = threefryB(a) + vec2u(k2, k0 + 2u);
  let c = threefryA(b) + vec2u(k0, k1 + 3u);
  let d = threefryB(c) + vec2u(k1, k2 + 4u);
  return threefryA(d) + vec2u(k2, k0 + 5u);
}
