/*
 * Makes the image of a flavour that a compact file holds as a recipe: the second part of such a file's launcher.
 *
 * It is flat code without data of its own, in the payload beside the manifest; the launcher allows it to be executed
 * and calls its beginning. An image that was restored before comes from the cache directory. Else the recipe is
 * carried out in memory, the SHA-256 compared, and the image written to the cache; where nothing can be written, it
 * is used from memory. Recipes and the cache: docs/formats/fat.md.
 *
 * A recipe is as untrusted as any bytes: nothing is read or written outside of what is meant for it.
 */
#define COMPACT
#define RESTORER
#include "format.h"

static long restore(struct restore_request *request);

/* The first bytes of the code are where the launcher calls. */
__attribute__((section(".text.entry"), used)) long restorer_entry(struct restore_request *request) { return restore(request); }

#if defined(__x86_64__)
#include "x86-64.h"
#else
#include "aarch64.h"
#endif

static long system3(long n, long a, long b, long c) { return system6(n, a, b, c, 0, 0, 0); }
static int failed(long result) { return (u64)result > -4096ul; }

#include "zstd.h"
#include "sha256.h"
#include "fields.h"
#include "cache.h"

enum { RECIPE_VERSION = 1, MAX_DEPTH = 4 };

struct recipe {
  u32 version, frame_count;
  u64 image_bytes;
  u64 low, base_low; /* addresses that places count from */
  u32 tag, space, base_span, reserved;
  u32 side_bytes, side_packed; /* numbers about the fields, unpacked and packed */
};
struct frame {
  u64 bytes;                    /* of the image */
  u64 prefix_at, prefix_bytes;  /* of the base's image */
  u64 packed;
};

#ifndef HOST_ALLOCATE
/* Whole pages of new memory, or 0. */
static u8 *allocate(u64 bytes) {
  long place = system6(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return failed(place) ? 0 : (u8 *)place;
}
static void release(const u8 *memory, u64 bytes) {
  if (memory != 0) system3(SYS_munmap, (long)memory, (long)bytes, 0);
}
#endif

/* Numbers of seven bits a byte, the lowest first, the upper bit set in all but the last byte. */
struct numbers {
  const u8 *at, *end;
  int wrong;
};
static u64 next_number(struct numbers *numbers) {
  u64 value = 0;
  for (u32 shift = 0; shift < 63; shift += 7) {
    if (numbers->at >= numbers->end) break;
    u32 byte = *numbers->at++;
    value |= (u64)(byte & 127) << shift;
    if (byte < 128) return value;
  }
  numbers->wrong = 1;
  return 0;
}

struct work {
  struct restore_request *request;
  struct zstd *zstd;
  const struct flavour *flavours;
  u32 flavour_count;
};

static const char no_memory[] = "there is not enough memory";
static const char wrong_recipe[] = "a recipe is not possible";

/* Reads regions into a table with room for `most`. Returns how many, or most + 1. */
static u64 read_regions(struct numbers *numbers, struct region *regions, u64 most, u64 file_bytes) {
  u64 count = next_number(numbers), at = 0;
  if (count > most) return most + 1;
  for (u64 i = 0; i < count; i++) {
    u64 kind = next_number(numbers), gap = next_number(numbers), bytes = next_number(numbers), place = next_number(numbers);
    if (kind < 1 || kind > 5 || gap > file_bytes - at || bytes > file_bytes - at - gap || numbers->wrong) return most + 1;
    at += gap;
    regions[i].kind = (u32)kind;
    regions[i].offset = at;
    regions[i].bytes = bytes;
    regions[i].place = (u32)place;
    at += bytes;
  }
  return count;
}

static u8 *make_image(struct work *work, u32 number, u32 depth);

/* Carries out a recipe whose structure was looked at; whether it could be. */
static int carry_out(struct work *work, const struct recipe *recipe, const u8 *base, u64 base_bytes, u8 *image,
                     u8 *side, struct region *regions, u64 most) {
  const struct frame *frames = (const void *)(recipe + 1);
  const u8 *packed = (const u8 *)(frames + recipe->frame_count);
  struct numbers numbers;
  struct pass pass;
  if (!zstd_decode(work->zstd, packed, recipe->side_packed, side, recipe->side_bytes, 0, 0)) return 0;
  packed += recipe->side_packed;
  numbers.at = side;
  numbers.end = side + recipe->side_bytes;
  numbers.wrong = 0;
  u64 base_count = read_regions(&numbers, regions, most, base_bytes);
  if (base_count > most) return 0;
  u64 count = read_regions(&numbers, regions + base_count, most - base_count, recipe->image_bytes);
  if (count > most - base_count) return 0;
  /* Their size is half of a region's, and so is that of the numbers that make one. */
  struct piece *pieces = (struct piece *)(regions + base_count + count);
  u64 piece_count = next_number(&numbers), at = 0, shift = 0;
  if (piece_count == 0 || piece_count > 2 * (most - base_count - count)) return 0;
  for (u64 i = 0; i < piece_count; i++) {
    at += next_number(&numbers);
    u64 folded = next_number(&numbers);
    shift += folded >> 1 ^ -(folded & 1);
    pieces[i].start = (u32)at;
    pieces[i].shift = (u32)shift;
  }
  pass.tag = recipe->tag;
  pass.space = recipe->space;
  pass.pieces = pieces;
  pass.piece_count = piece_count;
  pass.span = recipe->base_span;
  pass.low = recipe->base_low;
  pass.back = 0;
  u8 *to = image;
  for (u32 i = 0; i < recipe->frame_count; i++) {
    const struct frame *frame = &frames[i];
    u8 *prefix = 0;
    if (frame->prefix_bytes != 0) {
      prefix = allocate(frame->prefix_bytes + 8);
      if (prefix == 0) return -1;
      copy_bytes(prefix, base + frame->prefix_at, frame->prefix_bytes);
      for (u64 r = 0; r < base_count; r++) visit(&pass, prefix, frame->prefix_at, frame->prefix_bytes, &regions[r]);
    }
    int done = zstd_decode(work->zstd, packed, frame->packed, to, frame->bytes, prefix, frame->prefix_bytes);
    release(prefix, frame->prefix_bytes + 8);
    if (!done) return 0;
    packed += frame->packed;
    to += frame->bytes;
  }
  pass.low = recipe->low;
  pass.back = 1;
  for (u64 r = 0; r < count; r++) visit(&pass, image, 0, recipe->image_bytes, &regions[base_count + r]);
  u64 fixups = next_number(&numbers), place = 0;
  for (u64 i = 0; i < fixups && !numbers.wrong; i++) {
    place += next_number(&numbers);
    u32 value = (u32)next_number(&numbers);
    if (place > recipe->image_bytes || recipe->image_bytes - place < 4) return 0;
    put_word(image + place, value);
  }
  return !numbers.wrong && numbers.at == numbers.end;
}

/* An image in memory: in the payload itself, or in memory of its own with 8 bytes behind it. 0: request->how says why. */
static u8 *make_image(struct work *work, u32 number, u32 depth) {
  struct restore_request *request = work->request;
  const struct flavour *flavour = &work->flavours[number];
  u64 end = request->payload_offset + request->payload_bytes - 16;
  const u8 *file = (const u8 *)request->payload - request->payload_offset;
  request->how = wrong_recipe;
  if (flavour->recipe_bytes == 0) {
    if (flavour->image_at < request->payload_offset || flavour->image_at > end || flavour->image_bytes > end - flavour->image_at)
      return 0;
    return (u8 *)file + flavour->image_at;
  }
  if (depth > MAX_DEPTH || flavour->recipe_at < request->payload_offset || flavour->recipe_at > end ||
      flavour->recipe_bytes > end - flavour->recipe_at || flavour->recipe_bytes < sizeof(struct recipe) ||
      (flavour->recipe_at & 7) != 0)
    return 0;
  const struct recipe *recipe = (const void *)(file + flavour->recipe_at);
  u64 left = flavour->recipe_bytes - sizeof *recipe, total = 0;
  int has_parent = flavour->parent != NO_PARENT;
  if (recipe->version != RECIPE_VERSION || recipe->image_bytes != flavour->image_bytes || recipe->image_bytes >> 46 != 0 ||
      recipe->frame_count > left / sizeof(struct frame) || recipe->space == 0 || recipe->space > 1u << 30 ||
      recipe->base_span > recipe->space || (has_parent && flavour->parent >= work->flavour_count))
    return 0;
  left -= recipe->frame_count * sizeof(struct frame);
  if (recipe->side_packed > left) return 0;
  left -= recipe->side_packed;
  u64 base_bytes = has_parent ? work->flavours[flavour->parent].image_bytes : 0;
  const struct frame *frames = (const void *)(recipe + 1);
  for (u32 i = 0; i < recipe->frame_count; i++) {
    if (frames[i].packed > left || frames[i].bytes > recipe->image_bytes - total || frames[i].prefix_at > base_bytes ||
        frames[i].prefix_bytes > base_bytes - frames[i].prefix_at)
      return 0;
    left -= frames[i].packed;
    total += frames[i].bytes;
  }
  if (total != recipe->image_bytes) return 0;
  u8 *base = 0;
  if (has_parent) {
    base = make_image(work, flavour->parent, depth + 1);
    if (base == 0) return 0;
  }
  /* A region takes four numbers, so there are at most that many. */
  u64 most = recipe->side_bytes / 4 + 2, table_bytes = most * sizeof(struct region), side_bytes = (u64)recipe->side_bytes + 8;
  u8 *image = allocate(recipe->image_bytes + 8), *side = allocate(side_bytes), *table = allocate(table_bytes);
  int done = -1;
  if (image != 0 && side != 0 && table != 0)
    done = carry_out(work, recipe, base, base_bytes, image, side, (struct region *)table, most);
  if (has_parent && work->flavours[flavour->parent].recipe_bytes != 0) release(base, base_bytes + 8);
  release(side, side_bytes);
  release(table, table_bytes);
  if (done == 1) return image;
  release(image, recipe->image_bytes + 8);
  request->how = done < 0 ? no_memory : wrong_recipe;
  return 0;
}

static long restore(struct restore_request *request) {
  const u8 *payload = (const u8 *)request->payload;
  const struct manifest *manifest = (const void *)payload;
  struct work work;
  struct path path;
  work.request = request;
  work.flavours = (const void *)(payload + manifest->flavours_at);
  work.flavour_count = manifest->flavour_count;
  const struct flavour *flavour = &work.flavours[request->number];
  u64 length = flavour->image_bytes;
  u32 uid = (u32)system3(SYS_geteuid, 0, 0, 0);
  int verify = 0;
  request->memory = 0;
  if (!request->secure) {
    const char *asked = value_of(request->environment, "TENON_FAT_VERIFY=");
    verify = asked != 0 && *asked == '1';
    int file = cache_find(request, flavour, uid, &path);
    if (file >= 0) {
      int good = 1;
      request->how = "from the cache";
      if (verify) {
        long bytes = system6(SYS_mmap, 0, length, PROT_READ, MAP_PRIVATE, file, 0);
        good = !failed(bytes) && sha256_is((const u8 *)bytes, length, flavour->sha256);
        if (!failed(bytes)) system3(SYS_munmap, bytes, length, 0);
      }
      if (good) return file;
      system3(SYS_close, file, 0, 0);
    }
  }
  work.zstd = (struct zstd *)allocate(sizeof *work.zstd);
  request->how = no_memory;
  if (work.zstd == 0) return RESTORE_IMPOSSIBLE;
  u8 *image = make_image(&work, request->number, 0);
  release((const u8 *)work.zstd, sizeof *work.zstd);
  if (image == 0) return request->how == no_memory ? RESTORE_IMPOSSIBLE : RESTORE_DAMAGED;
  if (!sha256_is(image, length, flavour->sha256)) {
    request->how = "a flavour has another digest";
    return RESTORE_DAMAGED;
  }
  /* Whoever starts a set-user-ID program doesn't choose where it writes. */
  if (!request->secure) {
    int file = cache_store(request, flavour, uid, image, &path);
    if (file >= 0) {
      release(image, length + 8);
      request->how = "restored to the cache";
      return file;
    }
  }
  request->memory = (u64)image;
  request->how = request->secure ? "restored to memory" : "restored to memory: no cache directory takes it";
  /* A system may forbid that written memory is executed. */
  u8 *page = allocate(request->page_bytes);
  if (page == 0 || failed(system3(SYS_mprotect, (long)page, request->page_bytes, PROT_READ | PROT_EXEC))) {
    release(image, length + 8);
    request->how = "no cache directory takes it, and memory can't be made executable";
    return RESTORE_IMPOSSIBLE;
  }
  release(page, request->page_bytes);
  return RESTORED_TO_MEMORY;
}
