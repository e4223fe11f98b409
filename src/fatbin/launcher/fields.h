/*
 * Address fields between distances and places: `../compact/fields.ts` and `rewrite.ts` say what they are and why.
 * Both sides must find the same fields, so whatever changes here changes there, with a new version of recipes.
 */
enum { KIND_X86_64 = 1, KIND_AARCH64 = 2, KIND_WORDS = 3, KIND_SELF_RELATIVE = 4, KIND_ANCHORED = 5 };

#define WORD_TAG 0x7e4f0e4eu

struct region {
  u32 kind, place;
  u64 offset, bytes;
};
struct piece {
  u32 start, shift;
};

/* A pass over fields: to places in the program's own geography, or from places of the base's back to distances. */
struct pass {
  int back;
  u32 tag, space, span;
  u64 low;
  const struct piece *pieces;
  u64 piece_count; /* at least 1, if back */
};

static void put_word(u8 *at, u32 word) { __builtin_memcpy(at, &word, 4); }

static u32 to_target(const struct pass *pass, u32 place) {
  u64 low = 0, high = pass->piece_count;
  while (high - low > 1) {
    u64 middle = (low + high) / 2;
    if (pass->pieces[middle].start <= place) low = middle;
    else high = middle;
  }
  return place + pass->pieces[low].shift;
}

/* A distance that is counted from a place; whether it was one. */
static int distance(const struct pass *pass, u8 *at, u32 origin) {
  u32 tagged = __builtin_bswap32(low_word(at)) - pass->tag, place = low_word(at) + origin;
  if (pass->back) {
    if (tagged >= pass->space) return 0;
    put_word(at, to_target(pass, tagged) - origin);
    return 1;
  }
  if (place < pass->span) {
    put_word(at, __builtin_bswap32(place + pass->tag));
    return 1;
  }
  return tagged < pass->space;
}

static void word(const struct pass *pass, u8 *at) {
  u64 value = long_word(at);
  if (pass->back) {
    if (value >> 32 != WORD_TAG || (u32)value >= pass->space) return;
    value = to_target(pass, (u32)value) + pass->low;
  } else {
    value -= pass->low;
    if (value >= pass->span) return;
    value |= (u64)WORD_TAG << 32;
  }
  __builtin_memcpy(at, &value, 8);
}

static void branch(const struct pass *pass, u8 *at, u32 origin) {
  u32 code = low_word(at), value = (code & 0x03ffffff) << 2;
  if (pass->back) {
    if (value >= pass->space) return;
    value = to_target(pass, value) - origin;
  } else {
    value = origin + (u32)((int)(value << 4) >> 4);
    if (value >= pass->span) return;
  }
  put_word(at, (code & 0xfc000000) | (value >> 2 & 0x03ffffff));
}

/* ADRP, and what adds the low bits to it: size is what these are shifted by, or -1. */
static void page(const struct pass *pass, u8 *at, u32 origin, int size) {
  u32 code = low_word(at), next = low_word(at + 4), pages = (code >> 3 & 0x1ffffc) | (code >> 29 & 3);
  u32 low = size < 0 ? 0 : (next >> 10 & 0xfff) << size, value;
  if (pass->back) {
    value = pages * 4096 + low;
    if (value >= pass->space) return;
    value = to_target(pass, value);
    pages = (value >> 12) - (origin >> 12);
  } else {
    value = ((origin >> 12) + (u32)((int)(pages << 11) >> 11)) * 4096 + low;
    if (value >= pass->span) return;
    pages = value >> 12;
  }
  put_word(at, (code & ~0x60ffffe0u) | (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5);
  if (size >= 0) put_word(at + 4, (next & ~0x003ffc00u) | (value & 0xfff) >> size << 10);
}

FAST static void visit_x86_64(const struct pass *pass, u8 *bytes, u64 end, u32 place) {
  static const u32 opcodes[8] = {0x0f0f0f0e, 0x0f0f0f0f, 0, 0x00000a08, 0x00002ffb, 0, 0xff0000c0, 0xc0c00000};
  /* Bytes before a field: 05 to 3D in steps of 8, 80 to 8F, E8, E9. Most bytes are none. */
  static const u32 last[8] = {0x20202020, 0x20202020, 0, 0, 0x0000ffff, 0, 0, 0x00000300};
  u64 near = 0; /* the last bytes that aren't of fields, the newest lowest */
  for (u64 at = 0; at + 5 <= end; at++) {
    u32 byte = bytes[at], before = near & 0xff;
    near = near << 8 | byte;
    if ((last[byte >> 5] >> (byte & 31) & 1) == 0) continue;
    if (byte == 0xe8 || byte == 0xe9 || ((byte & 0xf0) == 0x80 && before == 0x0f) ||
        ((byte & 0xc7) == 0x05 &&
         ((opcodes[before >> 5] >> (before & 31) & 1) != 0 || (near >> 16 & 0xff) == 0x0f || (near >> 24 & 0xff) == 0xc5 ||
          (near >> 32 & 0xff) == 0xc4 || (near >> 40 & 0xff) == 0x62)))
      if (distance(pass, bytes + at + 1, (u32)at + 5 + place)) {
        at += 4;
        near = 0;
      }
  }
}

static void visit_aarch64(const struct pass *pass, u8 *bytes, u64 end, u32 place) {
  for (u64 at = -place & 3; at + 4 <= end; at += 4) {
    u32 code = low_word(bytes + at);
    if ((code & 0x7c000000) == 0x14000000) branch(pass, bytes + at, (u32)at + place);
    else if ((code & 0x9f000000) == 0x90000000) {
      int size = -1;
      if (at + 8 <= end) {
        u32 next = low_word(bytes + at + 4);
        if ((code & 31) == (next >> 5 & 31)) {
          if ((next & 0xffc00000) == 0x91000000) size = 0;
          else if ((next & 0x3b000000) == 0x39000000) size = (next & 0x04800000) == 0x04800000 ? 4 : (int)(next >> 30);
        }
      }
      page(pass, bytes + at, (u32)at + place, size);
      if (size >= 0) at += 4;
    }
  }
}

/* Goes over the part of a region that lies in `length` bytes of the file from `base` on. */
static void visit(const struct pass *pass, u8 *bytes, u64 base, u64 length, const struct region *region) {
  u64 start = region->offset > base ? region->offset : base, end = region->offset + region->bytes;
  if (end > base + length) end = base + length;
  if (start >= end) return;
  u32 place = region->place + (u32)(start - region->offset);
  bytes += start - base;
  end -= start;
  if (region->kind == KIND_X86_64) visit_x86_64(pass, bytes, end, place);
  else if (region->kind == KIND_AARCH64) visit_aarch64(pass, bytes, end, place);
  else if (region->kind == KIND_WORDS)
    for (u64 at = (region->offset - start) & 7; at + 8 <= end; at += 8) word(pass, bytes + at);
  else
    for (u64 at = (region->offset - start) & 3; at + 4 <= end; at += 4)
      distance(pass, bytes + at, region->kind == KIND_SELF_RELATIVE ? (u32)at + place : region->place);
}
