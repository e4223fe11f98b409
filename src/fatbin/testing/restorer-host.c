/*
 * Decoder and recipes of the restorer as a program of this machine, under the compiler's checkers of memory and
 * arithmetic. Requests come on standard input, answers go to standard output, numbers are 8 bytes, little-endian:
 *
 *   1, source bytes, output bytes, prefix bytes, source, prefix   ->  1 and the output, or 0
 *   2, flavour, payload offset, payload bytes, payload            ->  1, bytes and the image, or 0
 */
typedef unsigned char host_byte;
void *malloc(unsigned long);
void free(void *);
long read(int, void *, unsigned long);
long write(int, const void *, unsigned long);
void _exit(int);

static host_byte *allocate(unsigned long bytes) { return bytes >> 32 == 0 ? malloc(bytes) : 0; }
static void release(const host_byte *memory, unsigned long bytes) {
  (void)bytes;
  free((void *)memory);
}
#define HOST_ALLOCATE
#include "../launcher/restorer.c"

static void take(void *to, u64 length) {
  for (u64 at = 0; at < length;) {
    long got = read(0, (u8 *)to + at, length - at);
    if (got <= 0) _exit(at == 0 ? 0 : 1);
    at += (u64)got;
  }
}
static u64 take_number(void) {
  u64 number;
  take(&number, 8);
  return number;
}
static void give(const void *from, u64 length) {
  for (u64 at = 0; at < length;) {
    long put = write(1, (const u8 *)from + at, length - at);
    if (put <= 0) _exit(1);
    at += (u64)put;
  }
}
static void give_number(u64 number) { give(&number, 8); }

static void decode(void) {
  u64 source_bytes = take_number(), bytes = take_number(), prefix_bytes = take_number();
  /* Eight bytes behind the source may be read, none behind the others. */
  u8 *source = malloc(source_bytes + 8), *prefix = malloc(prefix_bytes), *output = malloc(bytes);
  struct zstd *zstd = malloc(sizeof *zstd);
  take(source, source_bytes);
  take(prefix, prefix_bytes);
  int good = zstd_decode(zstd, source, source_bytes, output, bytes, prefix, prefix_bytes);
  give_number((u64)good);
  if (good) give(output, bytes);
  free(source);
  free(prefix);
  free(output);
  free(zstd);
}

static void make(void) {
  struct restore_request request;
  struct work work;
  u64 number = take_number(), offset = take_number(), bytes = take_number();
  u8 *payload = malloc(bytes);
  take(payload, bytes);
  const struct manifest *manifest = (const void *)payload;
  request.payload = (u64)payload;
  request.payload_offset = offset;
  request.payload_bytes = bytes;
  work.request = &request;
  work.zstd = malloc(sizeof *work.zstd);
  work.flavours = (const void *)(payload + manifest->flavours_at);
  work.flavour_count = manifest->flavour_count;
  u8 *image = make_image(&work, (u32)number, 0);
  const struct flavour *flavour = &work.flavours[number];
  int good = image != 0 && sha256_is(image, flavour->image_bytes, flavour->sha256);
  give_number((u64)good);
  if (good) {
    give_number(flavour->image_bytes);
    give(image, flavour->image_bytes);
  }
  if (flavour->recipe_bytes != 0) free(image);
  free(work.zstd);
  free(payload);
}

int main(void) {
  /* What the host has no use for. */
  (void)restore;
  for (;;) {
    u64 kind = take_number();
    if (kind == 1) decode();
    else make();
  }
}
