/*
 * LZF as a filter of HDF5 (number 32000), unpacking only: a side module that h5wasm loads as a plugin.
 * `scripts/build_wasm.ts` makes h5_lzf.gen.ts of it. The filter is registered as in the HDF5 manual, "Filter plugins"; the
 * stream is that of LibLZF (M. Lehmann):
 *
 *   000lllll                    l + 1 bytes follow as they are
 *   lllooooo oooooooo           l + 2 bytes, l from 1 to 6, again from o + 1 bytes back
 *   111ooooo llllllll oooooooo  l + 9 bytes, again from o + 1 bytes back
 */

typedef unsigned char byte;
typedef unsigned long size;

void *malloc(size);
void free(void *);

enum { READING = 0x0100, FILTER_PLUGIN = 0, LZF = 32000 };

/* As FAULTS of h5_lzf.ts. */
enum { NONE, CUT, BEFORE_START, TOO_LONG, TOO_SHORT, NO_MEMORY };

/* What the reader expects of a chunk, and what was found instead. */
struct order {
  size least, most; /* bytes unpacked */
  size fault, at;   /* what, and at which byte of the chunk as it is stored */
};

/* The loader puts the address in place of this number. */
static struct order *volatile const order = (struct order *)0x5a4c6648;

static size fail(size fault, size at) {
  order->fault = fault;
  order->at = at;
  return 0;
}

/* Unpacks, or only measures where there is no `out`. Returns the bytes unpacked; 0 if the stream is none. */
static size unpack(const byte *in, size count, byte *out, size most) {
  size at = 0, made = 0;
  while (at < count) {
    size start = at, length = in[at] >> 5, back = 0;
    if (length == 0) {
      length = in[at++] + 1;
      if (length > count - at) return fail(CUT, start);
    } else {
      back = ((in[at++] & 31) << 8) + 1;
      if (count - at < (length == 7 ? 2 : 1)) return fail(CUT, start);
      if (length == 7) length += in[at++];
      length += 2;
      back += in[at++];
      if (back > made) return fail(BEFORE_START, start);
    }
    if (length > most - made) return fail(TOO_LONG, start);
    if (out) {
      const byte *from = back ? out + made - back : in + at;
      for (size i = 0; i < length; i++) out[made + i] = from[i];
    }
    if (back == 0) at += length;
    made += length;
  }
  return made;
}

static size filter(unsigned flags, size words, const unsigned *values, size count, size *room, void **buffer) {
  (void)words, (void)values;
  if (!(flags & READING)) return 0;
  order->fault = NONE;
  size made = unpack(*buffer, count, 0, order->most);
  if (order->fault != NONE) return 0;
  if (made == 0 || made < order->least) return fail(TOO_SHORT, count);
  byte *out = malloc(made);
  if (!out) return fail(NO_MEMORY, count);
  unpack(*buffer, count, out, made);
  free(*buffer);
  *buffer = out;
  *room = made;
  return made;
}

/* H5Z_class2_t. */
static const struct {
  int version, id;
  unsigned encodes, decodes;
  const char *name;
  void *can_apply, *set_local;
  size (*filter)(unsigned, size, const unsigned *, size, size *, void **);
} class = {1, LZF, 0, 1, "lzf", 0, 0, filter};

__attribute__((visibility("default"))) int H5PLget_plugin_type(void) { return FILTER_PLUGIN; }

__attribute__((visibility("default"))) const void *H5PLget_plugin_info(void) { return &class; }
