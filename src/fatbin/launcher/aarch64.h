/* What differs on AArch64: numbers of system calls, the entry, and where the kernel tells what the CPU has. */

enum {
  SYS_mmap = 222, SYS_mprotect = 226, SYS_munmap = 215, SYS_rt_sigprocmask = 135, SYS_mremap = 216,
  SYS_pread64 = 67, SYS_write = 64, SYS_close = 57, SYS_openat = 56, SYS_exit_group = 94,
};
#define MACHINE 183

static inline long system6(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}

#ifdef RESTORER
enum {
  SYS_fstat = 80, SYS_fsync = 82, SYS_fchmod = 52, SYS_getpid = 172, SYS_geteuid = 175, SYS_mkdirat = 34,
  SYS_unlinkat = 35, SYS_renameat = 38, SYS_linkat = 37, SYS_utimensat = 88, SYS_prlimit64 = 261,
};
/* Of the kernel's struct stat. */
enum { STAT_MODE_AT = 16, STAT_UID_AT = 24 };
enum { O_DIRECTORY = 040000, O_NOFOLLOW = 0100000, O_TMPFILE = 020040000 };
#else
#ifndef DETECTOR_ONLY
__asm__(
  ".section .text.entry,\"ax\",@progbits\n"
  ".globl _start\n"
  "_start:\n"
  "  mov x19, sp\n"
  "  mov x0, sp\n"
  "  bl launch\n"
  "  mov x16, x0\n"
  "  mov sp, x19\n"
  "  mov x0, xzr\n  mov x1, xzr\n  mov x2, xzr\n  mov x3, xzr\n  mov x4, xzr\n  mov x5, xzr\n"
  "  mov x6, xzr\n  mov x7, xzr\n  mov x8, xzr\n  mov x9, xzr\n  mov x10, xzr\n  mov x11, xzr\n"
  "  mov x12, xzr\n  mov x13, xzr\n  mov x14, xzr\n  mov x15, xzr\n  mov x17, xzr\n  mov x18, xzr\n"
  "  mov x19, xzr\n  mov x20, xzr\n  mov x29, xzr\n  mov x30, xzr\n"
  "  br x16\n"
  ".text\n");
#endif

struct detector {
  const struct machine_state *machine;
};

static void detector_open(struct detector *d, const struct machine_state *machine) { d->machine = machine; }

/* The kernel's words AT_HWCAP and AT_HWCAP2: they hold only what it has enabled. */
static u64 detector_word(struct detector *d, const struct rule *rule) {
  if (rule->source == AT_HWCAP) return d->machine->hwcap;
  if (rule->source == AT_HWCAP2) return d->machine->hwcap2;
  return 0;
}

static int detector_state(struct detector *d, u32 state) {
  (void)d;
  return state == 0;
}
#endif
