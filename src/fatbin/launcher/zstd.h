/*
 * One Zstandard frame (RFC 8878) decoded into memory that is as long as its content, with a prefix before it that
 * matches may reach into. Window sizes don't matter here, as all that was decoded stays; the frame's checksum is
 * skipped, since the caller knows the digest of the whole. No dictionary with tables of its own.
 *
 * Whatever the bytes are, nothing is read outside of source (but for 8 bytes behind it, which must be there),
 * prefix and output, nothing is written outside of the output, and time is bounded by the lengths.
 */
/* All else is compiled to be small. */
#define FAST __attribute__((optimize("O2")))

enum {
  ZSTD_BLOCK_BYTES = 128 << 10,
  HUFFMAN_BITS = 11,
  LL_CODES = 36, ML_CODES = 53, OF_CODES = 32,
  LL_BITS = 9, OF_BITS = 8, ML_BITS = 9,
  WEIGHT_BITS = 6,
};

struct fse_entry {
  u8 symbol, bits;
  u16 base;
};
struct fse_table {
  struct fse_entry entries[512];
  int log; /* -1: none so far */
};
struct zstd {
  struct fse_table ll, of, ml;
  u16 huffman[1 << HUFFMAN_BITS]; /* symbol << 4 | bits */
  int huffman_bits; /* 0: none so far */
  u64 repeated[3];
  u32 ll_base[LL_CODES], ml_base[ML_CODES];
  u8 weights[256];
  u8 literals[ZSTD_BLOCK_BYTES];
};

/* The last value of bits that are read from the end of a run of bytes to its beginning. */
struct backward {
  const u8 *from;
  long left; /* bits; below 0 when more were read than there are */
};

static u32 low_word(const u8 *at) {
  u32 word;
  __builtin_memcpy(&word, at, 4);
  return word;
}
static u64 long_word(const u8 *at) {
  u64 word;
  __builtin_memcpy(&word, at, 8);
  return word;
}
static u32 highest_bit(u32 value) { return 31 - __builtin_clz(value); }

static int backward_open(struct backward *bits, const u8 *from, u64 length) {
  if (length == 0 || from[length - 1] == 0) return 0;
  bits->from = from;
  bits->left = (long)(length - 1) * 8 + highest_bit(from[length - 1]);
  return 1;
}

/* At most 56 bits; those before the beginning are zeros. */
static inline u64 backward_peek(const struct backward *bits, u32 count) {
  long at = bits->left - (long)count;
  if (at >= 0) return long_word(bits->from + (at >> 3)) >> (at & 7) & ((1ul << count) - 1);
  if (bits->left <= 0) return 0;
  return (long_word(bits->from) & ((1ul << bits->left) - 1)) << -at;
}
static inline u64 backward_read(struct backward *bits, u32 count) {
  u64 value = backward_peek(bits, count);
  bits->left -= count;
  return value;
}

/* Spreads symbols over the states of a table, as section 4.1.1 says. The counts add up to its size. */
static void fse_build(struct fse_table *table, const short *counts, u32 symbols, u32 log) {
  u16 next[256];
  u32 size = 1u << log, high = size - 1, at = 0, step = (size >> 1) + (size >> 3) + 3;
  table->log = (int)log;
  for (u32 s = 0; s < symbols; s++) {
    next[s] = counts[s] < 0 ? 1 : (u16)counts[s];
    if (counts[s] < 0) table->entries[high--].symbol = (u8)s;
  }
  for (u32 s = 0; s < symbols; s++)
    for (int i = 0; i < counts[s]; i++) {
      table->entries[at].symbol = (u8)s;
      do at = (at + step) & (size - 1); while (at > high);
    }
  for (u32 i = 0; i < size; i++) {
    struct fse_entry *entry = &table->entries[i];
    u32 x = next[entry->symbol]++;
    entry->bits = (u8)(log - highest_bit(x));
    entry->base = (u16)((x << entry->bits) - size);
  }
}

/* Reads counts and builds their table. Returns the bytes read, or 0. */
static u64 fse_read(struct fse_table *table, const u8 *from, u64 length, u32 max_symbols, u32 max_log) {
  short counts[256];
  if (length == 0) return 0;
  u64 at = 4;
  u32 log = (from[0] & 15) + 5, symbols = 0;
  if (log > max_log) return 0;
  for (int left = 1 << log; left > 0;) {
    if (symbols >= max_symbols || at >= length * 8) return 0;
    u32 bits = highest_bit((u32)left + 1) + 1;
    u32 value = low_word(from + (at >> 3)) >> (at & 7) & ((1u << bits) - 1);
    u32 low = value & ((1u << (bits - 1)) - 1), spare = (1u << bits) - 2 - (u32)left;
    if (low < spare) {
      value = low;
      at += bits - 1;
    } else {
      if (value >= 1u << (bits - 1)) value -= spare;
      at += bits;
    }
    int count = (int)value - 1;
    left -= count < 0 ? 1 : count;
    counts[symbols++] = (short)count;
    while (count == 0) {
      if (at >= length * 8) return 0;
      u32 zeros = from[at >> 3] >> (at & 7) | (u32)from[(at >> 3) + 1] << (8 - (at & 7));
      zeros &= 3;
      at += 2;
      if (symbols + zeros > max_symbols) return 0;
      for (u32 i = 0; i < zeros; i++) counts[symbols++] = 0;
      if (zeros != 3) break;
    }
    if (left < 0) return 0;
  }
  if ((at + 7) >> 3 > length) return 0;
  fse_build(table, counts, symbols, log);
  return (at + 7) >> 3;
}

/* Weights of literals and their table (section 4.2). Returns the bytes read, or 0. */
static u64 huffman_read(struct zstd *z, const u8 *from, u64 length) {
  u8 *weights = z->weights;
  u32 count = 0, sum = 0;
  u64 used;
  if (length == 0) return 0;
  if (from[0] >= 128) {
    count = from[0] - 127;
    used = 1 + (count + 1) / 2;
    if (used > length) return 0;
    for (u32 i = 0; i < count; i++) weights[i] = i & 1 ? from[1 + i / 2] & 15 : from[1 + i / 2] >> 4;
  } else {
    struct backward bits;
    used = 1 + (u64)from[0];
    if (used > length) return 0;
    /* No table of sequences is in use while literals are read, but it may be repeated: this is another one. */
    struct fse_table *table = (struct fse_table *)z->literals;
    u64 head = fse_read(table, from + 1, used - 1, 16, WEIGHT_BITS);
    if (head == 0 || !backward_open(&bits, from + 1 + head, used - 1 - head)) return 0;
    u32 states[2];
    states[0] = (u32)backward_read(&bits, (u32)table->log);
    states[1] = (u32)backward_read(&bits, (u32)table->log);
    if (bits.left < 0) return 0;
    for (u32 turn = 0;; turn ^= 1) {
      const struct fse_entry *entry = &table->entries[states[turn]];
      if (count >= 254) return 0;
      weights[count++] = entry->symbol;
      states[turn] = entry->base + (u32)backward_read(&bits, entry->bits);
      if (bits.left < 0) {
        weights[count++] = table->entries[states[turn ^ 1]].symbol;
        break;
      }
    }
  }
  for (u32 i = 0; i < count; i++) {
    if (weights[i] > HUFFMAN_BITS) return 0;
    sum += weights[i] == 0 ? 0 : 1u << (weights[i] - 1);
  }
  if (sum == 0) return 0;
  u32 bits = highest_bit(sum) + 1, rest = (1u << bits) - sum;
  if (bits > HUFFMAN_BITS || (rest & (rest - 1)) != 0) return 0;
  weights[count++] = (u8)(highest_bit(rest) + 1);
  u32 at = 0;
  for (u32 weight = 1; weight <= bits; weight++)
    for (u32 s = 0; s < count; s++) {
      if (weights[s] != weight) continue;
      for (u32 i = 0; i < 1u << (weight - 1); i++) z->huffman[at++] = (u16)(s << 4 | (bits + 1 - weight));
    }
  z->huffman_bits = (int)bits;
  return used;
}

FAST static int huffman_stream(const struct zstd *z, const u8 *from, u64 length, u8 *to, u64 count) {
  struct backward bits;
  u32 width = (u32)z->huffman_bits;
  if (!backward_open(&bits, from, length)) return 0;
  for (u64 i = 0; i < count; i++) {
    u32 entry = z->huffman[backward_peek(&bits, width)];
    to[i] = (u8)(entry >> 4);
    bits.left -= entry & 15;
    if (bits.left < 0) return 0;
  }
  return bits.left == 0;
}

/* The literals section (3.1.1.3.1). Returns the bytes read, or 0; *literals are *count bytes. */
static u64 literals_read(struct zstd *z, const u8 *from, u64 length, const u8 **literals, u64 *count) {
  if (length == 0) return 0;
  u32 type = from[0] & 3, format = from[0] >> 2 & 3;
  *literals = z->literals;
  if (type < 2) {
    u32 head = format == 1 ? 2 : format == 3 ? 3 : 1;
    if (length < head) return 0;
    u64 bytes = format == 1 ? (low_word(from) & 0xffff) >> 4 : format == 3 ? (low_word(from) & 0xffffff) >> 4 : from[0] >> 3;
    *count = bytes;
    if (bytes > ZSTD_BLOCK_BYTES || (type == 0 ? bytes : 1) > length - head) return 0;
    if (type == 0) *literals = from + head;
    else for (u64 i = 0; i < bytes; i++) z->literals[i] = from[head];
    return head + (type == 0 ? bytes : 1);
  }
  u32 head = format < 2 ? 3 : format + 2, width = format < 2 ? 10 : format == 2 ? 14 : 18;
  if (length < head) return 0;
  u64 word = long_word(from);
  u64 bytes = word >> 4 & ((1u << width) - 1), packed = word >> (4 + width) & ((1u << width) - 1);
  if (bytes > ZSTD_BLOCK_BYTES || packed > length - head) return 0;
  *count = bytes;
  const u8 *at = from + head;
  u64 left = packed;
  if (type == 2) {
    u64 used = huffman_read(z, at, left);
    if (used == 0) return 0;
    at += used;
    left -= used;
  } else if (z->huffman_bits == 0) return 0;
  if (format == 0) return huffman_stream(z, at, left, z->literals, bytes) ? head + packed : 0;
  if (left < 6) return 0;
  u64 sizes = long_word(at), part = (bytes + 3) / 4;
  at += 6;
  left -= 6;
  if (part * 3 > bytes) return 0;
  for (u32 i = 0; i < 4; i++) {
    u64 size = i == 3 ? left : sizes >> i * 16 & 0xffff;
    if (size > left) return 0;
    if (!huffman_stream(z, at, size, z->literals + i * part, i == 3 ? bytes - 3 * part : part)) return 0;
    at += size;
    left -= size;
  }
  return head + packed;
}

/* Extra bits of lengths above 15 (literals) and 31 (matches), and the default counts (section 3.1.1.3.2). */
static const u8 ll_extra[20] = {1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const u8 ml_extra[21] = {1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const signed char ll_default[LL_CODES] = {4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2,
                                                 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1};
static const signed char of_default[29] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1,
                                           1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1};
static const signed char ml_default[ML_CODES] = {1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1};

/* One of the three tables. Returns the bytes read, or -1. */
static long table_read(struct fse_table *table, u32 mode, const u8 *from, u64 length, const signed char *defaults,
                       u32 default_count, u32 default_log, u32 max_symbols, u32 max_log) {
  if (mode == 0) {
    short counts[64];
    for (u32 i = 0; i < default_count; i++) counts[i] = defaults[i];
    fse_build(table, counts, default_count, default_log);
    return 0;
  }
  if (mode == 1) {
    if (length == 0 || from[0] >= max_symbols) return -1;
    table->log = 0;
    table->entries[0].symbol = from[0];
    table->entries[0].bits = 0;
    table->entries[0].base = 0;
    return 1;
  }
  if (mode == 2) {
    u64 used = fse_read(table, from, length, max_symbols, max_log);
    return used == 0 ? -1 : (long)used;
  }
  return table->log < 0 ? -1 : 0;
}

struct output {
  u8 *bytes;
  u64 at, length;
  const u8 *prefix;
  u64 prefix_bytes;
};

FAST static void copy_bytes(u8 *to, const u8 *from, u64 length) {
  while (length >= 8) {
    u64 word = long_word(from);
    __builtin_memcpy(to, &word, 8);
    to += 8;
    from += 8;
    length -= 8;
  }
  while (length-- > 0) *to++ = *from++;
}

static int copy_match(struct output *out, u64 offset, u64 length) {
  if (length > out->length - out->at || offset == 0 || offset > out->at + out->prefix_bytes) return 0;
  if (offset > out->at) {
    u64 back = offset - out->at, part = length < back ? length : back;
    copy_bytes(out->bytes + out->at, out->prefix + (out->prefix_bytes - back), part);
    out->at += part;
    length -= part;
  }
  u8 *to = out->bytes + out->at;
  const u8 *from = to - offset;
  out->at += length;
  if (offset >= 8) copy_bytes(to, from, length);
  else while (length-- > 0) *to++ = *from++;
  return 1;
}

FAST static int block_decode(struct zstd *z, const u8 *from, u64 length, struct output *out) {
  const u8 *literals;
  u64 count, used = literals_read(z, from, length, &literals, &count);
  if (used == 0) return 0;
  from += used;
  length -= used;
  if (length == 0) return 0;
  u32 sequences = from[0], head = 1;
  if (sequences >= 128) {
    head = sequences == 255 ? 3 : 2;
    if (length < head) return 0;
    sequences = head == 3 ? from[1] + ((u32)from[2] << 8) + 0x7f00 : ((sequences - 128) << 8) + from[1];
  }
  from += head;
  length -= head;
  if (sequences != 0) {
    struct backward bits;
    if (length == 0 || (from[0] & 3) != 0) return 0;
    u32 modes = *from++;
    length--;
    for (u32 i = 0; i < 3; i++) {
      long got = i == 0   ? table_read(&z->ll, modes >> 6, from, length, ll_default, LL_CODES, 6, LL_CODES, LL_BITS)
                 : i == 1 ? table_read(&z->of, modes >> 4 & 3, from, length, of_default, 29, 5, OF_CODES, OF_BITS)
                          : table_read(&z->ml, modes >> 2 & 3, from, length, ml_default, ML_CODES, 6, ML_CODES, ML_BITS);
      if (got < 0) return 0;
      from += got;
      length -= (u64)got;
    }
    if (!backward_open(&bits, from, length)) return 0;
    u32 ll = (u32)backward_read(&bits, (u32)z->ll.log), of = (u32)backward_read(&bits, (u32)z->of.log),
        ml = (u32)backward_read(&bits, (u32)z->ml.log);
    for (;;) {
      const struct fse_entry *l = &z->ll.entries[ll], *o = &z->of.entries[of], *m = &z->ml.entries[ml];
      u64 offset = (1ul << o->symbol) + backward_read(&bits, o->symbol);
      u64 match = m->symbol + 3, run = l->symbol;
      if (m->symbol >= 32) match = z->ml_base[m->symbol] + backward_read(&bits, ml_extra[m->symbol - 32]);
      if (run >= 16) run = z->ll_base[run] + backward_read(&bits, ll_extra[run - 16]);
      if (bits.left < 0) return 0;
      if (offset > 3) {
        offset -= 3;
        z->repeated[2] = z->repeated[1];
        z->repeated[1] = z->repeated[0];
        z->repeated[0] = offset;
      } else {
        u64 which = offset - (run != 0);
        offset = which == 3 ? z->repeated[0] - 1 : z->repeated[which];
        if (which > 1) z->repeated[2] = z->repeated[1];
        if (which > 0) z->repeated[1] = z->repeated[0];
        z->repeated[0] = offset;
      }
      if (run > count || run > out->length - out->at) return 0;
      copy_bytes(out->bytes + out->at, literals, run);
      literals += run;
      count -= run;
      out->at += run;
      if (!copy_match(out, offset, match)) return 0;
      if (--sequences == 0) break;
      ll = l->base + (u32)backward_read(&bits, l->bits);
      ml = m->base + (u32)backward_read(&bits, m->bits);
      of = o->base + (u32)backward_read(&bits, o->bits);
    }
    if (bits.left != 0) return 0;
  } else if (length != 0) return 0;
  if (count > out->length - out->at) return 0;
  copy_bytes(out->bytes + out->at, literals, count);
  out->at += count;
  return 1;
}

/* Whether the source is a frame whose content has exactly that many bytes. */
static int zstd_decode(struct zstd *z, const u8 *from, u64 length, u8 *to, u64 to_bytes, const u8 *prefix,
                       u64 prefix_bytes) {
  struct output out;
  if (length < 6 || low_word(from) != 0xfd2fb528u) return 0;
  u32 descriptor = from[4], single = descriptor >> 5 & 1, size_flag = descriptor >> 6;
  /* A dictionary with an identity, or a bit that is reserved. */
  if ((descriptor & 11) != 0) return 0;
  u64 at = 5 + !single + (size_flag == 0 ? single : 1u << size_flag);
  out.bytes = to;
  out.at = 0;
  out.length = to_bytes;
  out.prefix = prefix;
  out.prefix_bytes = prefix_bytes;
  z->ll.log = z->of.log = z->ml.log = -1;
  z->huffman_bits = 0;
  u32 base = 16;
  for (u32 i = 16; i < LL_CODES; base += 1u << ll_extra[i++ - 16]) z->ll_base[i] = base;
  base = 35;
  for (u32 i = 32; i < ML_CODES; base += 1u << ml_extra[i++ - 32]) z->ml_base[i] = base;
  z->repeated[0] = 1;
  z->repeated[1] = 4;
  z->repeated[2] = 8;
  for (u32 last = 0; !last;) {
    if (at + 3 > length) return 0;
    u32 block = low_word(from + at) & 0xffffff, type = block >> 1 & 3;
    u64 bytes = block >> 3, taken = type == 1 ? 1 : bytes;
    at += 3;
    last = block & 1;
    if (bytes > ZSTD_BLOCK_BYTES || taken > length - at) return 0;
    if (type == 2) {
      if (!block_decode(z, from + at, bytes, &out)) return 0;
    } else {
      if (type == 3 || bytes > out.length - out.at) return 0;
      for (u64 i = 0; i < bytes; i++) out.bytes[out.at + i] = from[at + (type == 1 ? 0 : i)];
      out.at += bytes;
    }
    at += taken;
  }
  return out.at == to_bytes && at + (descriptor >> 2 & 1) * 4 == length;
}
