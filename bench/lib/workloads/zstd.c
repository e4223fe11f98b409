/* Compresses generated text, numbers and noise at many levels, whole and as a stream, with and without a dictionary, and
   decompresses it again. Prints a hash of all compressed bytes. Argument: how often. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "zstd.h"

enum { SIZE = 100000, ROOM = SIZE + 4096 };

static uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, 64 bits */
static uint64_t total;
static unsigned char source[SIZE], packed[ROOM], restored[SIZE];

static void mix(const void *data, size_t length) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  total += length;
}

static uint32_t next(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

static void fill(int kind, uint32_t seed) {
  static const char *const WORDS[] = { "slot ", "page ", "kernel ", "linker ", "section ", "address ", "unit ", "of ", "the ", "\n" };
  uint32_t state = seed;
  for (size_t at = 0; at < SIZE;) {
    if (kind == 0) {
      const char *word = WORDS[(next(&state) >> 24) % 10];
      for (; *word && at < SIZE; word++) source[at++] = (unsigned char)*word;
    } else if (kind == 1) {
      uint32_t value = (uint32_t)at * 3 + ((next(&state) >> 28) & 7);
      for (int i = 0; i < 4 && at < SIZE; i++) source[at++] = (unsigned char)(value >> (8 * i));
    } else if (kind == 2) source[at++] = (unsigned char)(next(&state) >> 24);
    else source[at++] = at % 5000 < 4000 ? 0 : (unsigned char)(next(&state) >> 30);
  }
}

static void check(size_t result, const char *what) {
  if (!ZSTD_isError(result)) return;
  fprintf(stderr, "%s: %s\n", what, ZSTD_getErrorName(result));
  exit(1);
}

static void same(size_t length) {
  if (length == SIZE && memcmp(source, restored, SIZE) == 0) return;
  fprintf(stderr, "not what was compressed\n");
  exit(1);
}

int main(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 1;
  static const int LEVELS[] = { -3, 1, 2, 3, 5, 7, 9, 12, 15, 17, 19 };
  ZSTD_CCtx *compressor = ZSTD_createCCtx();
  ZSTD_DCtx *decompressor = ZSTD_createDCtx();
  for (int round = 0; round < rounds; round++) {
    for (int kind = 0; kind < 4; kind++) {
      fill(kind, 1234u + (uint32_t)(round * 4 + kind));
      for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++) {
        size_t length = ZSTD_compressCCtx(compressor, packed, ROOM, source, SIZE, LEVELS[i]);
        check(length, "compress");
        mix(packed, length);
        size_t back = ZSTD_decompressDCtx(decompressor, restored, SIZE, packed, length);
        check(back, "decompress");
        same(back);
      }
      ZSTD_CCtx_reset(compressor, ZSTD_reset_session_and_parameters);
      check(ZSTD_CCtx_setParameter(compressor, ZSTD_c_checksumFlag, 1), "checksum");
      check(ZSTD_CCtx_setParameter(compressor, ZSTD_c_enableLongDistanceMatching, kind & 1), "long");
      check(ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, 4 + kind), "level");
      check(ZSTD_CCtx_loadDictionary(compressor, source, 20000), "dictionary");
      ZSTD_inBuffer in = { source, SIZE, 0 };
      ZSTD_outBuffer out = { packed, ROOM, 0 };
      size_t left;
      do {
        in.size = in.pos + 17000 < SIZE ? in.pos + 17000 : SIZE;
        left = ZSTD_compressStream2(compressor, &out, &in, in.size == SIZE ? ZSTD_e_end : ZSTD_e_flush);
        check(left, "stream");
      } while (in.pos < SIZE || left != 0);
      mix(packed, out.pos);
      check(ZSTD_DCtx_loadDictionary(decompressor, source, 20000), "dictionary");
      ZSTD_inBuffer from = { packed, out.pos, 0 };
      ZSTD_outBuffer to = { restored, SIZE, 0 };
      while (from.pos < from.size) check(ZSTD_decompressStream(decompressor, &to, &from), "unstream");
      same(to.pos);
      ZSTD_CCtx_reset(compressor, ZSTD_reset_session_and_parameters);
      ZSTD_DCtx_reset(decompressor, ZSTD_reset_session_and_parameters);
      /* Damage must be found, not restored. */
      packed[out.pos / 2] ^= 0x55;
      size_t damaged = ZSTD_decompressDCtx(decompressor, restored, SIZE, packed, out.pos);
      const char *name = ZSTD_isError(damaged) ? ZSTD_getErrorName(damaged) : "none";
      mix(name, strlen(name));
    }
  }
  ZSTD_freeCCtx(compressor);
  ZSTD_freeDCtx(decompressor);
  printf("%s %" PRIu64 " bytes %016" PRIx64 "\n", ZSTD_versionString(), total, hash);
  return 0;
}
