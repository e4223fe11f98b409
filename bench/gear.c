/*
 * The yardstick of bench/chunking.ts: the rule gear32-v1 as a plain C loop, one byte at a time.
 *
 *   gear hot PATH OFFSET LENGTH TURNS MIN MEAN MAX   cuts one block of the file again and again
 *   gear stream PATH TURNS MIN MEAN MAX              reads the whole file in blocks of 256 KiB and cuts it
 *
 * Prints: bytes, CPU seconds, number of cuts, sum of all cut offsets (modulo 2^32), which must be those of the
 * WebAssembly kernel.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 32, BLOCK = 256 * 1024 };

static uint32_t table[256];
static size_t min_bytes, max_bytes;
static uint32_t threshold;
static uint32_t count, sum;

static uint32_t mix(uint32_t v) {
  v = (v ^ (v >> 16)) * 0x85ebca6bu;
  v = (v ^ (v >> 13)) * 0xc2b2ae35u;
  return v ^ (v >> 16);
}

static const uint8_t *find(const uint8_t *lowest, const uint8_t *highest) {
  uint32_t state = 0;
  for (const uint8_t *p = lowest - WINDOW; p < lowest; p++) state = (state << 1) + table[*p];
  for (const uint8_t *p = lowest;; p++) {
    if (state < threshold) return p;
    if (p == highest) return NULL;
    state = (state << 1) + table[*p];
  }
}

/* Cuts [from, to), which begins at `offset` of the input; returns where the unfinished chunk begins. */
static const uint8_t *cut_all(const uint8_t *from, const uint8_t *to, int final, uint32_t offset) {
  const uint8_t *at = from;
  while (at < to) {
    size_t rest = (size_t)(to - at);
    if (rest < (final ? 2 * min_bytes : min_bytes + max_bytes)) {
      if (!final) break;
      at = to;
    } else {
      const uint8_t *highest = at + (max_bytes < rest - min_bytes ? max_bytes : rest - min_bytes);
      const uint8_t *cut = find(at + min_bytes, highest);
      at = cut ? cut : final && rest <= max_bytes ? to : highest;
    }
    count++;
    sum += offset + (uint32_t)(at - from);
  }
  return at;
}

static double cpu_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  int hot = argc == 9 && strcmp(argv[1], "hot") == 0;
  if (!hot && !(argc == 7 && strcmp(argv[1], "stream") == 0)) return 2;
  min_bytes = strtoul(argv[argc - 3], NULL, 10);
  max_bytes = strtoul(argv[argc - 1], NULL, 10);
  threshold = (uint32_t)((1ull << 32) / (strtoul(argv[argc - 2], NULL, 10) - min_bytes));
  for (uint32_t i = 0; i < 256; i++) table[i] = mix((i + 1) * 0x9e3779b1u);
  int file = open(argv[2], O_RDONLY);
  if (file < 0) return 1;

  uint64_t total = 0;
  double before;
  if (hot) {
    size_t length = strtoul(argv[4], NULL, 10);
    long turns = strtol(argv[5], NULL, 10);
    uint8_t *data = malloc(length);
    if (!data || pread(file, data, length, (off_t)strtoull(argv[3], NULL, 10)) != (ssize_t)length) return 1;
    cut_all(data, data + length, 1, 0);
    before = cpu_seconds();
    for (long i = 0; i < turns; i++) {
      count = sum = 0;
      cut_all(data, data + length, 1, 0);
      total += length;
    }
  } else {
    size_t carry_bytes = min_bytes + max_bytes;
    long turns = strtol(argv[3], NULL, 10);
    uint8_t *block = (uint8_t *)malloc(carry_bytes + BLOCK) + carry_bytes;
    before = cpu_seconds();
    for (long i = 0; i < turns; i++) {
      const uint8_t *start = block, *end = block;
      uint32_t read_before = 0;
      ssize_t got;
      if (lseek(file, 0, SEEK_SET) != 0) return 1;
      count = sum = 0;
      do {
        size_t carry = (size_t)(end - start);
        memmove(block - carry, start, carry);
        start = block - carry;
        got = read(file, block, BLOCK);
        if (got < 0) return 1;
        end = block + got;
        start = cut_all(start, end, got == 0, read_before - (uint32_t)carry);
        read_before += (uint32_t)got;
        total += (uint64_t)got;
      } while (got > 0);
    }
  }
  printf("%llu %.9f %u %u\n", (unsigned long long)total, cpu_seconds() - before, count, sum);
  return 0;
}
