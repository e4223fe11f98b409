/* What differs on x86-64: numbers of system calls, the entry, and how the CPU is asked. */

enum {
  SYS_mmap = 9, SYS_mprotect = 10, SYS_munmap = 11, SYS_rt_sigprocmask = 14, SYS_mremap = 25,
  SYS_pread64 = 17, SYS_write = 1, SYS_close = 3, SYS_openat = 257, SYS_exit_group = 231, SYS_arch_prctl = 158,
};
#define MACHINE 62

static inline long system6(long n, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#ifdef RESTORER
enum {
  SYS_fstat = 5, SYS_fsync = 74, SYS_fchmod = 91, SYS_getpid = 39, SYS_geteuid = 107, SYS_mkdirat = 258,
  SYS_unlinkat = 263, SYS_renameat = 264, SYS_linkat = 265, SYS_utimensat = 280, SYS_prlimit64 = 302,
};
/* Of the kernel's struct stat. */
enum { STAT_MODE_AT = 24, STAT_UID_AT = 28 };
enum { O_DIRECTORY = 0200000, O_NOFOLLOW = 0400000, O_TMPFILE = 020200000 };
#else
#ifndef DETECTOR_ONLY
/* The kernel enters with the stack as execve made it and zeros in the other registers; so does the flavour. */
__asm__(
  ".section .text.entry,\"ax\",@progbits\n"
  ".globl _start\n"
  "_start:\n"
  "  mov %rsp, %rbx\n"
  "  mov %rsp, %rdi\n"
  "  and $-16, %rsp\n"
  "  call launch\n"
  "  mov %rbx, %rsp\n"
  "  xor %ebx, %ebx\n  xor %ecx, %ecx\n  xor %edx, %edx\n  xor %esi, %esi\n  xor %edi, %edi\n"
  "  xor %ebp, %ebp\n  xor %r8d, %r8d\n  xor %r9d, %r9d\n  xor %r10d, %r10d\n  xor %r11d, %r11d\n"
  "  xor %r12d, %r12d\n  xor %r13d, %r13d\n  xor %r14d, %r14d\n  xor %r15d, %r15d\n"
  "  jmp *%rax\n"
  ".text\n");
#endif

/* State that the operating system must have enabled, as bits of XCR0, by the number in a rule. */
enum { STATE_NONE, STATE_XSAVE, STATE_AVX, STATE_AVX512, STATE_AMX };

struct detector {
  u32 leaf, subleaf;
  u32 registers[4]; /* EAX, EBX, ECX, EDX of that leaf */
  u32 basic_leaves;
  u32 sub_leaves; /* of leaf 7, once it was asked: rules are in the order of leaves */
  u32 xcr0; /* 0 unless OSXSAVE is set */
};

static void cpuid(u32 leaf, u32 subleaf, u32 *registers) {
  __asm__ volatile("cpuid" : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3])
                   : "a"(leaf), "c"(subleaf));
}

static void detector_open(struct detector *d, const struct machine_state *machine) {
  u32 registers[4];
  (void)machine;
  cpuid(0, 0, registers);
  d->basic_leaves = registers[0];
  d->sub_leaves = ~0u;
  d->leaf = 1;
  d->subleaf = 0;
  cpuid(1, 0, d->registers);
  d->xcr0 = 0;
  if (d->registers[2] >> 27 & 1) {
    u32 high;
    __asm__ volatile("xgetbv" : "=a"(d->xcr0), "=d"(high) : "c"(0));
  }
}

/* A register of a leaf, or 0 where the CPU hasn't that leaf: above the last one, Intel's answer with another. */
static u64 detector_word(struct detector *d, const struct rule *rule) {
  u32 leaf = rule->source, subleaf = rule->subleaf;
  if (leaf != d->leaf || subleaf != d->subleaf) {
    d->leaf = leaf;
    d->subleaf = subleaf;
    d->registers[0] = d->registers[1] = d->registers[2] = d->registers[3] = 0;
    /* 0x80000001 is where every CPU with 64-bit mode says that it has it. */
    if (leaf > d->basic_leaves && leaf < 0x80000000u) return 0;
    if (leaf == 7 && subleaf > 0) {
      if (d->sub_leaves == ~0u) {
        u32 registers[4];
        cpuid(7, 0, registers);
        d->sub_leaves = registers[0];
      }
      if (subleaf > d->sub_leaves) return 0;
    }
    cpuid(leaf, subleaf, d->registers);
    if (leaf == 7 && subleaf == 0) d->sub_leaves = d->registers[0];
  }
  return d->registers[rule->part & 3];
}

static int detector_state(struct detector *d, u32 state) {
  switch (state) {
    case STATE_NONE: return 1;
    case STATE_XSAVE: return d->xcr0 != 0;
    case STATE_AVX: return (d->xcr0 & 0x6) == 0x6;
    case STATE_AVX512: return (d->xcr0 & 0xe6) == 0xe6;
    case STATE_AMX:
      /* ARCH_REQ_XCOMP_PERM for tile data (18): without it the first tile instruction is a SIGILL. */
      return (d->xcr0 & 0x60000) == 0x60000 && system6(SYS_arch_prctl, 0x1023, 18, 0, 0, 0, 0) == 0;
    default: return 0;
  }
}
#endif
