/*
 * What the launcher makes of the state that the operating system has enabled: prints, for each XCR0 that is given in
 * hexadecimal, the answers for no state, XSAVE, AVX, AVX-512, AMX and an unknown state.
 */
#include <stdio.h>
#include <stdlib.h>
#include "../launcher/format.h"
struct machine_state {
  u64 hwcap, hwcap2, page_bytes;
  int secure;
  const char *program;
};
#define DETECTOR_ONLY
#include "../launcher/x86-64.h"

int main(int count, char **values) {
  for (int i = 1; i < count; i++) {
    struct detector detector = {0};
    detector.xcr0 = (u32)strtoul(values[i], 0, 16);
    for (u32 state = 0; state < 6; state++) putchar('0' + detector_state(&detector, state));
    putchar('\n');
  }
  (void)detector_open;
  (void)detector_word;
  return 0;
}
