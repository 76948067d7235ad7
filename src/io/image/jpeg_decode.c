/*
 * What takes the time in reading JPEG: Huffman codes to coefficients, coefficients to samples, samples to rows of pixels.
 * `jpeg.ts` reads the markers, checks sizes and lays the memory out; `scripts/build_wasm.ts` makes jpeg_decode.gen.ts of
 * this file. Coefficients and pixels are exactly those of libjpeg-turbo on x86 with its defaults, coefficients out of
 * range included: the transform rounds, wraps and saturates where its vectors of 16 bits do.
 *
 * Source: ITU-T T.81, sections F.2 and G.2; libjpeg-turbo 3, jidctint.c and jidctint-sse2.asm, jdsample.c, jdcolor.c.
 */

#include <wasm_simd128.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed short i16;
typedef signed int i32;
typedef u64 __attribute__((aligned(1), may_alias)) word; /* anywhere in memory */

#define EXPORT(name) __attribute__((export_name(#name)))
#define INLINE static inline __attribute__((always_inline))

/* As FAULTS of jpeg_scan.ts. */
enum { NONE, EARLY, NO_CODE, BEYOND, WIDE_REFINEMENT, RESTART };

/* Bits of a code looked up at once, with the bits of its value where they fit. */
enum { FAST = 10 };
/* Entries of `fast`: bits 0 to 6 are taken from the code; COMPLETE if with the value, which is in bits 16 to 31, and the
   zeros before it in bits 8 to 15; else those hold the symbol. 0 for codes of more bits. */
enum { COMPLETE = 128 };

/* `limit` and `offset` by length: the first code beyond it, shifted to 16 bits; what makes of a code its symbol's index. */
struct table {
  i32 fast[1 << FAST];
  i32 limit[18], offset[18];
  u8 symbols[256];
};

/* The scan's bytes from `next` down, later ones at lower addresses, so that eight of them load as a number whose first bit
   is the stream's; `left` bits of `word`, from its top. */
struct bits {
  const u8 *next;
  u64 word;
  u32 left;
};

/* Of a component; the layout is known to jpeg_scan.ts. */
struct component {
  u32 h, v;          /* blocks of it in an MCU of this scan */
  u32 line;          /* blocks in a line of it */
  u8 *plane;         /* samples, 8 * line a row */
  i16 *coefficients; /* of all blocks, in progressive pictures */
  i16 *steps;        /* of quantisation, row by row */
  struct table *dc, *ac;
  i32 before; /* the DC coefficient from which the next one differs */
};

/* Of a scan; the layout is known to jpeg_scan.ts. */
struct scan {
  u32 count; /* of components */
  u32 progressive, from, to, high, low;
  u32 restart, across, down; /* MCUs */
  u8 *at, *end;              /* coded bytes, and the end of the file */
  u8 *top;                   /* end of the room for them without stuffing */
  u32 found;                 /* more about a fault */
  struct component components[4];
};

/* Zeros that follow the bytes of a scan: more than a block can take. */
enum { SLACK = 512 };

/* Place in a block, row by row, of the k-th coefficient in zigzag order; runs may reach 15 beyond the last. */
static const u8 ZIGZAG[80] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,
    6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31,
    39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63};

/* The signed number for which the `size` bits of `value` stand. */
INLINE i32 extend(u32 value, u32 size) { return size && value >> (size - 1) == 0 ? (i32)value - (1 << size) + 1 : (i32)value; }

/* Fills a table from the counts of codes of 1 to 16 bits, which are those of a prefix code, and their symbols: sizes of
   differences up to 15 (`dc`), or runs of zeros and sizes. */
EXPORT(table) void build_table(const u8 *counts, u32 dc, struct table *table) {
  const u8 *symbols = counts + 16;
  i32 code = 0, index = 0;
  __builtin_memset(table->fast, 0, sizeof table->fast);
  for (u32 length = 1; length <= 16; length++) {
    table->offset[length] = index - code;
    for (u32 i = 0; i < counts[length - 1]; i++, code++, index++) {
      u32 symbol = symbols[index], size = symbol & 15;
      table->symbols[index] = symbol;
      if (length > FAST) continue;
      u32 rest = FAST - length;
      i32 *fast = table->fast + (code << rest);
      for (u32 k = 0; k < 1u << rest; k++) {
        fast[k] = length | symbol << 8;
        /* A size of 0 among runs stands for other things than a value. */
        if (size <= rest && (dc || size > 0)) {
          fast[k] = (length + size) | COMPLETE | (symbol >> 4) << 8 | (u32)extend(k >> (rest - size), size) << 16;
        }
      }
    }
    table->limit[length] = code << (16 - length);
    code <<= 1;
  }
  table->limit[17] = 0x7fffffff;
}

/* After it there are at least 56 bits. */
INLINE void refill(struct bits *bits) {
  bits->word |= *(const word *)(bits->next - 8) >> bits->left;
  u32 bytes = (63 - bits->left) >> 3;
  bits->next -= bytes;
  bits->left += 8 * bytes;
}

/* A symbol and its value take 31 bits at most. */
INLINE void ready(struct bits *bits) {
  if (bits->left < 32) refill(bits);
}

INLINE void skip(struct bits *bits, u32 count) {
  bits->word <<= count;
  bits->left -= count;
}

/* The next `count` bits, at most 16 and none of them missing. */
INLINE u32 take(struct bits *bits, u32 count) {
  u32 value = bits->word >> 1 >> (63 - count);
  skip(bits, count);
  return value;
}

INLINE i32 take_signed(struct bits *bits, u32 size) { return extend(take(bits, size), size); }

/* The symbol whose code is too long for `fast`; more than 255 if there is none. */
static u32 long_symbol(const struct table *table, u64 word, u32 *length) {
  i32 next = word >> 48;
  u32 n = FAST + 1;
  while (next >= table->limit[n]) n++;
  if (n > 16) return 256;
  *length = n;
  return table->symbols[((next >> (16 - n)) + table->offset[n]) & 255];
}

/* The symbol of an entry that is not COMPLETE. */
INLINE u32 symbol_of(struct bits *bits, const struct table *table, i32 entry) {
  u32 length = entry & 127, symbol = entry >> 8;
  if (entry == 0) {
    symbol = long_symbol(table, bits->word, &length);
    if (symbol > 255) return symbol;
  }
  skip(bits, length);
  return symbol;
}

INLINE i32 look_up(const struct bits *bits, const struct table *table) { return table->fast[bits->word >> (64 - FAST)]; }

/* The difference of a DC coefficient to the one before is added to `before`. */
INLINE u32 difference(struct bits *bits, struct component *c) {
  ready(bits);
  i32 entry = look_up(bits, c->dc);
  if (entry & COMPLETE) {
    skip(bits, entry & 127);
    c->before += entry >> 16;
    return NONE;
  }
  u32 size = symbol_of(bits, c->dc, entry);
  if (size > 255) return NO_CODE;
  c->before += take_signed(bits, size);
  return NONE;
}

/* One block of a sequential scan, into zeros. */
INLINE u32 sequential_block(struct bits *bits, struct scan *scan, struct component *c, i16 *block, u32 *last) {
  u32 fault = difference(bits, c);
  if (fault) return fault;
  block[0] = c->before;
  const struct table *table = c->ac;
  u32 k = 1;
  *last = 0;
  while (k < 64) {
    ready(bits);
    i32 entry = look_up(bits, table);
    if (entry & COMPLETE) {
      k += entry >> 8 & 255;
      skip(bits, entry & 127);
      block[ZIGZAG[k]] = entry >> 16;
      *last = k++;
      continue;
    }
    u32 symbol = symbol_of(bits, table, entry), size = symbol & 15;
    if (symbol > 255) return NO_CODE;
    if (size == 0) {
      if (symbol != 0xf0) break;
      k += 16;
      continue;
    }
    k += symbol >> 4;
    block[ZIGZAG[k]] = take_signed(bits, size);
    *last = k++;
  }
  /* Sixteen zeros may end the block, or pass its end, as in libjpeg. */
  if (*last > 63) {
    scan->found = 63;
    return BEYOND;
  }
  return NONE;
}

/* A block's DC coefficient, first or refined. */
INLINE u32 dc_block(struct bits *bits, struct scan *scan, struct component *c, i16 *block) {
  if (scan->high == 0) {
    u32 fault = difference(bits, c);
    block[0] = (u32)c->before << scan->low;
    return fault;
  }
  ready(bits);
  if (take(bits, 1)) block[0] |= 1 << scan->low;
  return NONE;
}

/* New coefficients of a band. */
INLINE u32 first_block(struct bits *bits, struct scan *scan, struct component *c, i16 *block, u32 *end_run) {
  if (*end_run > 0) {
    --*end_run;
    return NONE;
  }
  u32 to = scan->to, low = scan->low;
  for (u32 k = scan->from; k <= to; k++) {
    ready(bits);
    i32 entry = look_up(bits, c->ac), value;
    if (entry & COMPLETE) {
      k += entry >> 8 & 255;
      skip(bits, entry & 127);
      value = entry >> 16;
    } else {
      u32 symbol = symbol_of(bits, c->ac, entry), run = symbol >> 4, size = symbol & 15;
      if (symbol > 255) return NO_CODE;
      if (size == 0) {
        if (run < 15) {
          *end_run = (1 << run) - 1 + take(bits, run);
          return NONE;
        }
        k += 15;
        continue;
      }
      k += run;
      value = take_signed(bits, size);
    }
    if (k > to) {
      scan->found = to;
      return BEYOND;
    }
    block[ZIGZAG[k]] = (u32)value << low;
  }
  return NONE;
}

/* Bits of a row of a block, in the order of rows, to those in zigzag order; filled by `prepare`. */
static u64 SPREAD[8][256];

EXPORT(prepare) void prepare(void) {
  for (u32 k = 0; k < 64; k++) {
    for (u32 row = 0; row < 256; row++) {
      if (row >> (ZIGZAG[k] & 7) & 1) SPREAD[ZIGZAG[k] >> 3][row] |= 1ull << k;
    }
  }
}

/* Which coefficients are known, by their numbers in zigzag order. */
INLINE u64 known(const i16 *block) {
  u64 out = 0;
  for (u32 row = 0; row < 8; row += 2) {
    v128_t some = wasm_i8x16_narrow_i16x8(wasm_v128_load(block + 8 * row), wasm_v128_load(block + 8 * row + 8));
    u32 zeros = wasm_i8x16_bitmask(wasm_i8x16_eq(some, wasm_i8x16_splat(0)));
    out |= SPREAD[row][~zeros & 255] | SPREAD[row + 1][~zeros >> 8 & 255];
  }
  return out;
}

/* One more bit of a known coefficient. */
INLINE void correct(struct bits *bits, i16 *at, i32 bit) {
  ready(bits);
  if (take(bits, 1) && (*at & bit) == 0) *at += *at < 0 ? -bit : bit;
}

/* One more bit of a band. */
INLINE u32 refined_block(struct bits *bits, struct scan *scan, struct component *c, i16 *block, u32 *end_run) {
  u32 k = scan->from, to = scan->to;
  i32 bit = 1 << scan->low;
  /* Those still to come. */
  u64 left = known(block) & (~0ull >> (63 - to)) & (~0ull << k);
  while (*end_run == 0 && k <= to) {
    ready(bits);
    i32 entry = look_up(bits, c->ac), value = 0;
    u32 run = entry >> 8 & 255;
    if ((entry & COMPLETE) && (entry >> 16 == 1 || entry >> 16 == -1)) {
      skip(bits, entry & 127);
      value = (entry >> 16) * bit;
    } else {
      /* A value of more bits than one is a fault, of which only the size is told. */
      u32 symbol = entry & COMPLETE ? 32 - __builtin_clz(entry < 0 ? -(entry >> 16) : entry >> 16)
                                    : symbol_of(bits, c->ac, entry);
      u32 size = symbol & 15;
      if (symbol > 255) return NO_CODE;
      run = symbol >> 4;
      if (size == 0 && run < 15) {
        *end_run = (1 << run) + take(bits, run);
        break;
      }
      if (size > 1) {
        scan->found = size;
        return WIDE_REFINEMENT;
      }
      if (size) value = take(bits, 1) ? bit : -bit;
    }
    /* On to the unknown one after `run` others; the known ones on the way have a bit each. */
    for (k += run; left; left &= left - 1, k++) {
      u32 next = __builtin_ctzll(left);
      if (next > k) break;
      correct(bits, block + ZIGZAG[next], bit);
    }
    if (value != 0) {
      if (k > to) {
        scan->found = to;
        return BEYOND;
      }
      block[ZIGZAG[k]] = value;
    }
    k++;
  }
  if (*end_run > 0) {
    for (; left; left &= left - 1) correct(bits, block + ZIGZAG[__builtin_ctzll(left)], bit);
    --*end_run;
  }
  return NONE;
}

/* ---- Coefficients to samples ---- */

#define PAIR(a, b) wasm_i16x8_make(a, b, a, b, a, b, a, b)
#define LOW16(a, b) wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH16(a, b) wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW32(a, b) wasm_i32x4_shuffle(a, b, 0, 4, 1, 5)
#define HIGH32(a, b) wasm_i32x4_shuffle(a, b, 2, 6, 3, 7)
#define LOW64(a, b) wasm_i64x2_shuffle(a, b, 0, 2)
#define HIGH64(a, b) wasm_i64x2_shuffle(a, b, 1, 3)
#define LOW8(a, b) wasm_i8x16_shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH8(a, b) wasm_i8x16_shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

/* Half of the lanes of eight vectors through the inverse transform; `round` and `shift` descale. */
#define HALF(HALF16, EXTEND, OUT)                                                                    \
  {                                                                                                  \
    v128_t even = HALF16(in[2], in[6]), turn = HALF16(z3, z4);                                       \
    v128_t outer = HALF16(in[7], in[1]), inner = HALF16(in[5], in[3]);                               \
    v128_t t3 = wasm_i32x4_dot_i16x8(even, PAIR(10703, 4433));                                       \
    v128_t t2 = wasm_i32x4_dot_i16x8(even, PAIR(4433, -10704));                                      \
    v128_t t0 = wasm_i32x4_add(wasm_i32x4_shl(EXTEND(sum), 13), round);                              \
    v128_t t1 = wasm_i32x4_add(wasm_i32x4_shl(EXTEND(gap), 13), round);                              \
    v128_t r3 = wasm_i32x4_dot_i16x8(turn, PAIR(-6436, 9633));                                       \
    v128_t r4 = wasm_i32x4_dot_i16x8(turn, PAIR(9633, 6437));                                        \
    v128_t p0 = wasm_i32x4_add(wasm_i32x4_dot_i16x8(outer, PAIR(-4927, -7373)), r3);                 \
    v128_t p3 = wasm_i32x4_add(wasm_i32x4_dot_i16x8(outer, PAIR(-7373, 4926)), r4);                  \
    v128_t p1 = wasm_i32x4_add(wasm_i32x4_dot_i16x8(inner, PAIR(-4176, -20995)), r4);                \
    v128_t p2 = wasm_i32x4_add(wasm_i32x4_dot_i16x8(inner, PAIR(-20995, 4177)), r3);                 \
    v128_t e0 = wasm_i32x4_add(t0, t3), e3 = wasm_i32x4_sub(t0, t3);                                 \
    v128_t e1 = wasm_i32x4_add(t1, t2), e2 = wasm_i32x4_sub(t1, t2);                                 \
    OUT[0] = wasm_i32x4_shr(wasm_i32x4_add(e0, p3), shift);                                          \
    OUT[7] = wasm_i32x4_shr(wasm_i32x4_sub(e0, p3), shift);                                          \
    OUT[1] = wasm_i32x4_shr(wasm_i32x4_add(e1, p2), shift);                                          \
    OUT[6] = wasm_i32x4_shr(wasm_i32x4_sub(e1, p2), shift);                                          \
    OUT[2] = wasm_i32x4_shr(wasm_i32x4_add(e2, p1), shift);                                          \
    OUT[5] = wasm_i32x4_shr(wasm_i32x4_sub(e2, p1), shift);                                          \
    OUT[3] = wasm_i32x4_shr(wasm_i32x4_add(e3, p0), shift);                                          \
    OUT[4] = wasm_i32x4_shr(wasm_i32x4_sub(e3, p0), shift);                                          \
  }

/* The inverse transform across eight vectors, lane by lane, in place. */
INLINE void transform(v128_t *in, i32 rounding, const u32 shift) {
  v128_t low[8], high[8], round = wasm_i32x4_splat(rounding);
  v128_t sum = wasm_i16x8_add(in[0], in[4]), gap = wasm_i16x8_sub(in[0], in[4]);
  v128_t z3 = wasm_i16x8_add(in[7], in[3]), z4 = wasm_i16x8_add(in[5], in[1]);
  HALF(LOW16, wasm_i32x4_extend_low_i16x8, low)
  HALF(HIGH16, wasm_i32x4_extend_high_i16x8, high)
  for (u32 i = 0; i < 8; i++) in[i] = wasm_i16x8_narrow_i32x4(low[i], high[i]);
}

INLINE void transpose(v128_t *x) {
  v128_t a[8], b[8];
  for (u32 i = 0; i < 4; i++) {
    a[2 * i] = LOW16(x[2 * i], x[2 * i + 1]);
    a[2 * i + 1] = HIGH16(x[2 * i], x[2 * i + 1]);
  }
  for (u32 i = 0; i < 8; i += 4) {
    b[i] = LOW32(a[i], a[i + 2]);
    b[i + 1] = HIGH32(a[i], a[i + 2]);
    b[i + 2] = LOW32(a[i + 1], a[i + 3]);
    b[i + 3] = HIGH32(a[i + 1], a[i + 3]);
  }
  for (u32 i = 0; i < 4; i++) {
    x[2 * i] = LOW64(b[i], b[i + 4]);
    x[2 * i + 1] = HIGH64(b[i], b[i + 4]);
  }
}

/* Eight rows of samples of a block whose coefficients are all zero but the first. */
INLINE void flat_block(i32 dc, const i16 *steps, u8 *out, u32 stride) {
  i32 value = ((i16)((u32)(i16)((u32)dc * (u32)steps[0]) << 2) + 16) >> 5;
  value = (value < -128 ? -128 : value > 127 ? 127 : value) + 128;
  u64 row = 0x0101010101010101ull * (u64)value;
  for (u32 y = 0; y < 8; y++, out += stride) *(word *)out = row;
}

/* Eight rows of samples of a block. */
static void inverse(const i16 *block, const i16 *steps, u8 *out, u32 stride) {
  v128_t x[8], rest;
  for (u32 i = 0; i < 8; i++) x[i] = wasm_v128_load(block + 8 * i);
  rest = x[1];
  for (u32 i = 2; i < 8; i++) rest = wasm_v128_or(rest, x[i]);
  if (wasm_v128_any_true(rest)) {
    for (u32 i = 0; i < 8; i++) x[i] = wasm_i16x8_mul(x[i], wasm_v128_load(steps + 8 * i));
    transform(x, 1 << 10, 11);
    transpose(x);
  } else {
    v128_t row = wasm_i16x8_shl(wasm_i16x8_mul(x[0], wasm_v128_load(steps)), 2);
    x[0] = wasm_i16x8_shuffle(row, row, 0, 0, 0, 0, 0, 0, 0, 0);
    x[1] = wasm_i16x8_shuffle(row, row, 1, 1, 1, 1, 1, 1, 1, 1);
    x[2] = wasm_i16x8_shuffle(row, row, 2, 2, 2, 2, 2, 2, 2, 2);
    x[3] = wasm_i16x8_shuffle(row, row, 3, 3, 3, 3, 3, 3, 3, 3);
    x[4] = wasm_i16x8_shuffle(row, row, 4, 4, 4, 4, 4, 4, 4, 4);
    x[5] = wasm_i16x8_shuffle(row, row, 5, 5, 5, 5, 5, 5, 5, 5);
    x[6] = wasm_i16x8_shuffle(row, row, 6, 6, 6, 6, 6, 6, 6, 6);
    x[7] = wasm_i16x8_shuffle(row, row, 7, 7, 7, 7, 7, 7, 7, 7);
  }
  transform(x, 1 << 17, 18);
  /* Vectors are columns now. */
  v128_t centre = wasm_i8x16_splat((signed char)-128);
  v128_t c02 = wasm_i8x16_narrow_i16x8(x[0], x[2]), c13 = wasm_i8x16_narrow_i16x8(x[1], x[3]);
  v128_t c46 = wasm_i8x16_narrow_i16x8(x[4], x[6]), c57 = wasm_i8x16_narrow_i16x8(x[5], x[7]);
  v128_t c01 = LOW8(c02, c13), c23 = HIGH8(c02, c13), c45 = LOW8(c46, c57), c67 = HIGH8(c46, c57);
  v128_t left = LOW16(c01, c23), right = LOW16(c45, c67);
  v128_t left4 = HIGH16(c01, c23), right4 = HIGH16(c45, c67);
  v128_t rows[4] = {LOW32(left, right), HIGH32(left, right), LOW32(left4, right4), HIGH32(left4, right4)};
  for (u32 i = 0; i < 4; i++, out += 2 * stride) {
    v128_t row = wasm_i8x16_sub(rows[i], centre);
    wasm_v128_store64_lane(out, row, 0);
    wasm_v128_store64_lane(out + stride, row, 1);
  }
}

/* Samples of all blocks of a component whose coefficients are complete. */
EXPORT(samples) void samples(const struct component *c, u32 lines) {
  u32 stride = 8 * c->line;
  const i16 *block = c->coefficients;
  for (u32 y = 0; y < lines; y++) {
    u8 *out = c->plane + 8 * y * stride;
    for (u32 x = 0; x < c->line; x++, block += 64, out += 8) inverse(block, c->steps, out, stride);
  }
}

/* ---- Scans ---- */

/* Copies coded bytes from `scan->at` up to a marker, without stuffing, to `scan->top` downward, with zeros behind them.
   Leaves `scan->at` at the marker. Returns how many bytes they are. */
static u32 unstuff(struct scan *scan) {
  const u8 *in = scan->at, *end = scan->end;
  u8 *to = scan->top;
  for (;;) {
    while (end - in >= 16) {
      v128_t bytes = wasm_v128_load(in);
      v128_t back = wasm_i8x16_shuffle(bytes, bytes, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
      wasm_v128_store(to - 16, back);
      u32 marked = wasm_i8x16_bitmask(wasm_i8x16_eq(bytes, wasm_i8x16_splat((signed char)0xff)));
      u32 count = marked ? __builtin_ctz(marked) : 16;
      in += count;
      to -= count;
      if (marked) break;
    }
    while (in < end && *in != 0xff) *--to = *in++;
    const u8 *mark = in;
    while (in < end && *in == 0xff) in++;
    if (in == end || *in != 0) {
      /* Fill bytes before a marker are none of it. */
      scan->at = (u8 *)(in == end ? mark : in - 1);
      break;
    }
    *--to = 0xff;
    in++;
  }
  __builtin_memset(to - SLACK, 0, SLACK);
  return scan->top - to;
}

/* Where the coded byte lies that is number `count` without stuffing, from `at`. */
static u8 *stuffed(u8 *at, const u8 *end, u32 count) {
  while (count-- > 0 && at < end) {
    u32 mark = *at++ == 0xff;
    while (mark && at < end && *at == 0xff) at++;
    if (mark) at++;
  }
  return at;
}

INLINE u32 used_bits(const struct scan *scan, const struct bits *bits) { return 8 * (scan->top - bits->next) - bits->left; }

/* `count` MCUs of a sequential scan from number `mcu`. */
static u32 sequential(struct scan *scan, struct bits *state, u32 length, u32 mcu, u32 count) {
  static i16 block[64] __attribute__((aligned(16)));
  struct bits bits = *state;
  u32 fault = NONE, x = mcu % scan->across, y = mcu / scan->across, last;
  for (; count > 0; count--) {
    for (u32 i = 0; i < scan->count; i++) {
      struct component *c = scan->components + i;
      u32 stride = 8 * c->line;
      for (u32 v = 0; v < c->v; v++) {
        u8 *out = c->plane + 8 * ((y * c->v + v) * stride + x * c->h);
        for (u32 h = 0; h < c->h; h++, out += 8) {
          fault = sequential_block(&bits, scan, c, block, &last);
          if (used_bits(scan, &bits) > 8 * length) fault = EARLY;
          if (!fault) {
            if (last == 0) flat_block(block[0], c->steps, out, stride);
            else inverse(block, c->steps, out, stride);
          }
          if (last > 0 || fault) __builtin_memset(block, 0, sizeof block);
          if (fault) goto done;
        }
      }
    }
    if (++x == scan->across) x = 0, y++;
  }
done:
  *state = bits;
  return fault;
}

/* The kinds of progressive scan. */
enum { DC, FIRST, REFINED };

/* `count` MCUs of a progressive scan from number `mcu`. */
INLINE u32 progressive(struct scan *scan, struct bits *state, u32 length, u32 mcu, u32 count, const u32 kind) {
  struct bits bits = *state;
  u32 fault = NONE, end_run = 0, x = mcu % scan->across, y = mcu / scan->across;
  for (; count > 0 && !fault; count--) {
    for (u32 i = 0; i < scan->count && !fault; i++) {
      struct component *c = scan->components + i;
      for (u32 v = 0; v < c->v; v++) {
        i16 *block = c->coefficients + 64 * ((y * c->v + v) * c->line + x * c->h);
        for (u32 h = 0; h < c->h && !fault; h++, block += 64) {
          if (kind == DC) fault = dc_block(&bits, scan, c, block);
          else if (kind == FIRST) fault = first_block(&bits, scan, c, block, &end_run);
          else fault = refined_block(&bits, scan, c, block, &end_run);
          if (used_bits(scan, &bits) > 8 * length) fault = EARLY;
        }
      }
    }
    if (++x == scan->across) x = 0, y++;
  }
  *state = bits;
  return fault;
}

static u32 dc_scan(struct scan *s, struct bits *bits, u32 length, u32 mcu, u32 count) {
  return progressive(s, bits, length, mcu, count, DC);
}
static u32 first_scan(struct scan *s, struct bits *bits, u32 length, u32 mcu, u32 count) {
  return progressive(s, bits, length, mcu, count, FIRST);
}
static u32 refining_scan(struct scan *s, struct bits *bits, u32 length, u32 mcu, u32 count) {
  return progressive(s, bits, length, mcu, count, REFINED);
}

/* One restart interval. */
static u32 interval(struct scan *scan, u32 mcu, u32 count) {
  u8 *start = scan->at;
  u32 length = unstuff(scan), fault;
  struct bits bits = {scan->top, 0, 0};
  for (u32 i = 0; i < scan->count; i++) scan->components[i].before = 0;
  if (!scan->progressive) fault = sequential(scan, &bits, length, mcu, count);
  else if (scan->from == 0) fault = dc_scan(scan, &bits, length, mcu, count);
  else if (scan->high == 0) fault = first_scan(scan, &bits, length, mcu, count);
  else fault = refining_scan(scan, &bits, length, mcu, count);
  /* Where it ends early, `at` is at what ends it. */
  if (fault && fault != EARLY) scan->at = stuffed(start, scan->at, used_bits(scan, &bits) / 8);
  return fault;
}

/* Decodes a scan: to samples if it is sequential, else to coefficients. Returns a fault, which is at `scan->at`; else that is
   the marker after the scan. */
EXPORT(scan) u32 decode_scan(struct scan *scan) {
  u32 total = scan->across * scan->down, count;
  for (u32 mcu = 0, restarts = 0; mcu < total; mcu += count) {
    if (mcu > 0) {
      u32 expected = 0xd0 + (restarts++ & 7);
      scan->found = (scan->end - scan->at < 2 ? 0 : scan->at[1]) | expected << 8;
      if (scan->found != (expected | expected << 8)) return RESTART;
      scan->at += 2;
    }
    count = scan->restart > 0 && scan->restart < total - mcu ? scan->restart : total - mcu;
    u32 fault = interval(scan, mcu, count);
    if (fault) return fault;
  }
  return NONE;
}

/* ---- Samples to rows of pixels ---- */

/* A component as it is read; the layout is known to jpeg_samples.ts. */
struct source {
  const u8 *plane;
  u32 stride, width, height; /* samples that count */
  u32 h, v;                  /* how many times wider and higher the picture is */
  u16 *sums;                 /* room for `width` and 32 numbers */
  u8 *line;                  /* room for a row of the picture and 64 bytes */
};

/* Of a picture; the layout is known to jpeg_samples.ts. */
struct picture {
  u32 width, channels, ycc;
  struct source sources[4];
};

/* Three quarters of the nearer number, one of the farther, rounded by `even` and `odd` in turn. */
INLINE void widen(u16 *sums, u32 width, u8 *out, i32 even, i32 odd, const u32 shift) {
  sums[-1] = sums[0];
  sums[width] = sums[width - 1];
  v128_t first = wasm_i16x8_splat(even), second = wasm_i16x8_splat(odd);
  for (u32 x = 0; x < width; x += 8, sums += 8, out += 16) {
    v128_t here = wasm_i16x8_mul(wasm_v128_load(sums), wasm_i16x8_splat(3));
    v128_t a = wasm_i16x8_add(here, wasm_i16x8_add(wasm_v128_load(sums - 1), first));
    v128_t b = wasm_i16x8_add(here, wasm_i16x8_add(wasm_v128_load(sums + 1), second));
    a = wasm_u16x8_shr(a, shift);
    b = wasm_i16x8_shl(wasm_u16x8_shr(b, shift), 8);
    wasm_v128_store(out, wasm_v128_or(a, b));
  }
}

/* Row `y` of the picture of one component. */
INLINE const u8 *full_row(const struct source *s, u32 y) {
  if (s->h == 1 && s->v == 1) return s->plane + y * s->stride;
  u32 row = y / s->v, width = s->width;
  const u8 *near = s->plane + row * s->stride;
  u8 *line = s->line;
  u32 other = y & 1 ? (row + 1 < s->height ? row + 1 : row) : (row > 0 ? row - 1 : 0);
  const u8 *far = s->plane + other * s->stride;
  if (s->h == 2 && s->v == 1 && width > 2) {
    for (u32 x = 0; x < width; x += 8) wasm_v128_store(s->sums + x, wasm_u16x8_load8x8(near + x));
    widen(s->sums, width, line, 1, 2, 2);
  } else if (s->h == 2 && s->v == 2 && width > 2) {
    for (u32 x = 0; x < width; x += 8) {
      v128_t here = wasm_i16x8_mul(wasm_u16x8_load8x8(near + x), wasm_i16x8_splat(3));
      wasm_v128_store(s->sums + x, wasm_i16x8_add(here, wasm_u16x8_load8x8(far + x)));
    }
    widen(s->sums, width, line, 8, 7, 4);
  } else if (s->h == 1 && s->v == 2) {
    v128_t bias = wasm_i16x8_splat(y & 1 ? 2 : 1);
    for (u32 x = 0; x < width; x += 8) {
      v128_t here = wasm_i16x8_mul(wasm_u16x8_load8x8(near + x), wasm_i16x8_splat(3));
      v128_t sum = wasm_i16x8_add(wasm_i16x8_add(here, wasm_u16x8_load8x8(far + x)), bias);
      v128_t value = wasm_u16x8_shr(sum, 2);
      wasm_v128_store64_lane(line + x, wasm_u8x16_narrow_i16x8(value, value), 0);
    }
  } else {
    for (u32 x = 0; x < width; x++) {
      for (u32 k = 0; k < s->h; k++) *line++ = near[x];
    }
  }
  return s->line;
}

/* Sixteen bytes each of red, green and blue, pixel by pixel. */
INLINE void store_rgb(u8 *out, v128_t r, v128_t g, v128_t b) {
  v128_t t = wasm_i8x16_shuffle(r, g, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
  wasm_v128_store(out, wasm_i8x16_shuffle(t, b, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15));
  t = wasm_i8x16_shuffle(g, b, 5, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10);
  wasm_v128_store(out + 16, wasm_i8x16_shuffle(t, r, 0, 1, 22, 3, 4, 23, 6, 7, 24, 9, 10, 25, 12, 13, 26, 15));
  t = wasm_i8x16_shuffle(b, r, 10, 27, 0, 11, 28, 0, 12, 29, 0, 13, 30, 0, 14, 31, 0, 15);
  wasm_v128_store(out + 32, wasm_i8x16_shuffle(t, g, 0, 1, 27, 3, 4, 28, 6, 7, 29, 9, 10, 30, 12, 13, 31, 15));
}

/* Eight pixels of YCbCr, as numbers of 16 bits, of which the chroma are about zero. */
INLINE void to_rgb(v128_t y, v128_t cb, v128_t cr, v128_t *r, v128_t *g, v128_t *b) {
  /* 1.402 and 1.772 to 16 bits: q15mulr rounds as libjpeg does, for every value (the test goes through them). */
  *r = wasm_i16x8_add(y, wasm_i16x8_add(cr, wasm_i16x8_q15mulr_sat(cr, wasm_i16x8_splat(13172))));
  *b = wasm_i16x8_add(y, wasm_i16x8_add(cb, wasm_i16x8_q15mulr_sat(cb, wasm_i16x8_splat(25297))));
  /* -0.34414 cb and, with one cr more, -0.71414 cr. */
  v128_t half = wasm_i32x4_splat(1 << 15);
  v128_t low = wasm_i32x4_dot_i16x8(LOW16(cb, cr), PAIR(-22554, 18734));
  v128_t high = wasm_i32x4_dot_i16x8(HIGH16(cb, cr), PAIR(-22554, 18734));
  low = wasm_i32x4_shr(wasm_i32x4_add(low, half), 16);
  high = wasm_i32x4_shr(wasm_i32x4_add(high, half), 16);
  *g = wasm_i16x8_add(y, wasm_i16x8_sub(wasm_i16x8_narrow_i32x4(low, high), cr));
}

/* Sixteen pixels from three rows, whole vectors, the last one beyond the picture's edge. */
INLINE void rgb_row(const u8 *const *rows, u32 width, u32 ycc, u8 *out) {
  v128_t centre = wasm_i16x8_splat(128);
  for (u32 x = 0; x < width; x += 16, out += 48) {
    v128_t a = wasm_v128_load(rows[0] + x), b = wasm_v128_load(rows[1] + x), c = wasm_v128_load(rows[2] + x);
    if (ycc) {
      v128_t r[2], g[2], bl[2];
      to_rgb(wasm_u16x8_extend_low_u8x16(a), wasm_i16x8_sub(wasm_u16x8_extend_low_u8x16(b), centre),
             wasm_i16x8_sub(wasm_u16x8_extend_low_u8x16(c), centre), r, g, bl);
      to_rgb(wasm_u16x8_extend_high_u8x16(a), wasm_i16x8_sub(wasm_u16x8_extend_high_u8x16(b), centre),
             wasm_i16x8_sub(wasm_u16x8_extend_high_u8x16(c), centre), r + 1, g + 1, bl + 1);
      a = wasm_u8x16_narrow_i16x8(r[0], r[1]);
      b = wasm_u8x16_narrow_i16x8(g[0], g[1]);
      c = wasm_u8x16_narrow_i16x8(bl[0], bl[1]);
    }
    store_rgb(out, a, b, c);
  }
}

/* Rows from `y` on, interleaved, to `out`, which has room for 64 bytes more. Four channels: the row of RGB goes behind the
   rows first, so that there is room for one more row. */
EXPORT(rows) void rows(const struct picture *p, u32 y, u32 count, u8 *out) {
  u32 width = p->width, channels = p->channels;
  u8 *spare = out + count * width * channels;
  for (u32 end = y + count; y < end; y++, out += width * channels) {
    const u8 *lines[4];
    for (u32 i = 0; i < channels; i++) lines[i] = full_row(p->sources + i, y);
    if (channels == 1) {
      for (u32 x = 0; x < width; x += 16) wasm_v128_store(out + x, wasm_v128_load(lines[0] + x));
    } else if (channels == 3) {
      if (p->ycc) rgb_row(lines, width, 1, out);
      else rgb_row(lines, width, 0, out);
    } else {
      /* YCCK holds the complement of CMY; K is stored as it is. */
      rgb_row(lines, width, p->ycc, spare);
      u8 turn = p->ycc ? 255 : 0;
      for (u32 x = 0; x < width; x++) {
        for (u32 i = 0; i < 3; i++) out[4 * x + i] = spare[3 * x + i] ^ turn;
        out[4 * x + 3] = lines[3][x];
      }
    }
  }
}
