/*
 * The beginning of a fat file: chooses a flavour, maps it in place and jumps to it.
 *
 * The kernel maps this code and, right behind it, the payload: a manifest and every flavour's file image. The
 * manifest's flavours stand in the order of preference, so the first one whose needs are met is the right one;
 * what a feature is and how it is seen are rules in the manifest too. The chosen flavour's pages are moved
 * (mremap) from the payload to where its program headers want them: nothing is copied and no file is opened,
 * except a dynamic program's interpreter. Then the auxiliary vector is corrected, and it looks as if the kernel
 * had started the flavour. The layout of every structure here: docs/formats/fat.md.
 *
 * With COMPACT it is the launcher of compact files, whose flavours may be recipes: restorer.c carries these out, and
 * the flavour is mapped from a file in the cache.
 *
 * Nothing here is writable data, and nothing needs relocation: the code runs where the kernel put it.
 */
#include "format.h"

struct machine_state {
  u64 hwcap, hwcap2, page_bytes;
  int secure;
  const char *program;
};

#if defined(__x86_64__)
#include "x86-64.h"
#else
#include "aarch64.h"
#endif

extern const u8 image_start[] __attribute__((visibility("hidden")));

static long system3(long n, long a, long b, long c) { return system6(n, a, b, c, 0, 0, 0); }
static int failed(long result) { return (u64)result > -4096ul; }

/* Text for standard error, written with one call where it fits. */
struct line {
  u32 length;
  char text[1000];
};

static void say(struct line *line, const char *text) {
  while (*text != 0 && line->length < sizeof line->text - 1) line->text[line->length++] = *text++;
}

static void say_number(struct line *line, u64 number) {
  char digits[21];
  u32 at = 20;
  digits[20] = 0;
  do digits[--at] = '0' + number % 10; while ((number /= 10) != 0);
  say(line, digits + at);
}

static void end_line(struct line *line) {
  line->text[line->length++] = '\n';
  system3(SYS_write, 2, (long)line->text, line->length);
  line->length = 0;
}

static __attribute__((noreturn)) void die(const struct machine_state *machine, const char *why, const char *what) {
  struct line line;
  line.length = 0;
  say(&line, "tenon-fat: ");
  say(&line, machine->program);
  say(&line, ": ");
  say(&line, why);
  say(&line, what);
  end_line(&line);
  for (;;) system3(SYS_exit_group, 127, 0, 0);
}

/* FNV-1a over 64-bit words, folded once: it finds damage, not malice. */
static u64 checksum(const u8 *bytes, u64 length) {
  u64 sum = 0xcbf29ce484222325ul;
  for (u64 at = 0; at + 8 <= length; at += 8) sum = (sum ^ *(const u64 *)(bytes + at)) * 0x100000001b3ul;
  return sum ^ sum >> 32;
}

static int has(const struct set *set, u32 bit) { return set->words[bit >> 6] >> (bit & 63) & 1; }

static int within(const struct set *needs, const struct set *have) {
  return ((needs->words[0] & ~have->words[0]) | (needs->words[1] & ~have->words[1])) == 0;
}

static const char *after(const char *text, const char *prefix) {
  while (*prefix != 0) if (*text++ != *prefix++) return 0;
  return text;
}

/* Where the item of a comma-separated list ends, if it is exactly this name. */
static const char *item(const char *list, const char *name) {
  list = after(list, name);
  return list != 0 && (*list == 0 || *list == ',') ? list : 0;
}

static void detect(const struct manifest *manifest, const struct machine_state *machine, struct set *have) {
  const struct rule *rules = (const void *)((const u8 *)manifest + manifest->rules_at);
  struct detector detector;
  have->words[0] = have->words[1] = 0;
  if (manifest->rule_count == 0) return;
  detector_open(&detector, machine);
  for (u32 i = 0; i < manifest->rule_count; i++) {
    if ((detector_word(&detector, &rules[i]) & rules[i].mask) != rules[i].mask) continue;
    if (detector_state(&detector, rules[i].state)) have->words[i >> 6] |= 1ul << (i & 63);
  }
}

/*
 * TENON_FAT_FEATURES: NAME,NAME (these and no others), -NAME (all but), +NAME (also), @N (flavour N, whatever it
 * needs). Names are features or levels; names that no flavour needs make no difference. Returns N or -1.
 */
static long ask(const struct manifest *manifest, const char *list, struct set *have) {
  const u8 *base = (const u8 *)manifest;
  const struct rule *rules = (const void *)(base + manifest->rules_at);
  const struct group *groups = (const void *)(base + manifest->groups_at);
  long forced = -1;
  int replaced = 0;
  while (*list != 0) {
    char sign = *list;
    struct set all = {{0, 0}}, own = {{0, 0}};
    if (sign == '@') {
      forced = 0;
      for (list++; *list >= '0' && *list <= '9' && forced < 65536; list++) forced = forced * 10 + (*list - '0');
    } else {
      if (sign == '-' || sign == '+') list++;
      for (u32 i = 0; i < manifest->rule_count; i++)
        if (item(list, (const char *)base + rules[i].name_at) != 0) {
          all.words[i >> 6] = own.words[i >> 6] = 1ul << (i & 63);
          break;
        }
      for (u32 i = 0; i < manifest->group_count; i++)
        if (item(list, (const char *)base + groups[i].name_at) != 0) {
          all = groups[i].all;
          own = groups[i].own;
          break;
        }
      if (sign != '-' && sign != '+' && !replaced) {
        have->words[0] = have->words[1] = 0;
        replaced = 1;
      }
      for (u32 w = 0; w < 2; w++)
        if (sign == '-') have->words[w] &= ~own.words[w];
        else have->words[w] |= all.words[w];
    }
    while (*list != 0 && *list != ',') list++;
    if (*list == ',') list++;
  }
  return forced;
}

static void trace(const struct manifest *manifest, u32 number, const struct set *have, int chosen, int forced) {
  const u8 *base = (const u8 *)manifest;
  const struct rule *rules = (const void *)(base + manifest->rules_at);
  const struct flavour *flavour = (const struct flavour *)(base + manifest->flavours_at) + number;
  struct line line;
  line.length = 0;
  say(&line, "tenon-fat: ");
  say_number(&line, number);
  say(&line, " ");
  say(&line, (const char *)base + flavour->name_at);
  say(&line, chosen ? (forced ? ": forced" : ": chosen") : ": not chosen");
  if (!within(&flavour->needs, have)) {
    say(&line, ", this CPU lacks");
    for (u32 i = 0; i < manifest->rule_count; i++)
      if (has(&flavour->needs, i) && !has(have, i)) {
        say(&line, " ");
        say(&line, (const char *)base + rules[i].name_at);
      }
  } else if (!chosen) say(&line, ", a better one fits");
  end_line(&line);
}

static int protection_of(u32 flags) {
  return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

static void clear(u8 *bytes, u64 length) {
  u8 *end = bytes + length;
  while (bytes < end && ((u64)bytes & 7) != 0) *(volatile u8 *)bytes++ = 0;
  for (; bytes + 8 <= end; bytes += 8) *(volatile u64 *)bytes = 0;
  while (bytes < end) *(volatile u8 *)bytes++ = 0;
}

/* Maps the interpreter as the kernel would and returns its base; *entry is where it begins. */
static u64 map_interpreter(const struct machine_state *machine, const char *path, u64 *entry) {
  static const char no[] = "cannot load the interpreter ";
  u64 page = machine->page_bytes, low = ~0ul, high = 0;
  union {
    struct elf_header elf;
    u8 bytes[2048];
  } head;
  long file = system6(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
  if (failed(file)) die(machine, no, path);
  long got = system6(SYS_pread64, file, (long)&head, sizeof head, 0, 0, 0);
  if (got < 64 || *(u32 *)head.bytes != 0x464c457f || head.elf.e_machine != MACHINE || head.elf.e_type != ET_DYN ||
      head.elf.e_phentsize != sizeof(struct program_header) || head.elf.e_phoff > (u64)got || (head.elf.e_phoff & 7) != 0 ||
      head.elf.e_phnum * sizeof(struct program_header) > (u64)got - head.elf.e_phoff)
    die(machine, no, path);
  const struct program_header *headers = (const void *)(head.bytes + head.elf.e_phoff);
  for (u32 i = 0; i < head.elf.e_phnum; i++) {
    const struct program_header *h = &headers[i];
    if (h->p_type != PT_LOAD) continue;
    if (((h->p_vaddr ^ h->p_offset) & (page - 1)) != 0 || h->p_filesz > h->p_memsz || h->p_vaddr >> 47 != 0 ||
        h->p_memsz >> 47 != 0)
      die(machine, no, path);
    if (h->p_vaddr < low) low = h->p_vaddr & -page;
    if (h->p_vaddr + h->p_memsz > high) high = (h->p_vaddr + h->p_memsz + page - 1) & -page;
  }
  if (low >= high) die(machine, no, path);
  long place = system6(SYS_mmap, 0, high - low, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (failed(place)) die(machine, no, path);
  u64 bias = (u64)place - low;
  for (u32 i = 0; i < head.elf.e_phnum; i++) {
    const struct program_header *h = &headers[i];
    if (h->p_type != PT_LOAD || h->p_memsz == 0) continue;
    int protection = protection_of(h->p_flags);
    u64 from = h->p_vaddr & -page, file_end = h->p_vaddr + h->p_filesz, end = (h->p_vaddr + h->p_memsz + page - 1) & -page;
    u64 mapped_end = h->p_filesz == 0 ? from : (file_end + page - 1) & -page;
    if (h->p_filesz != 0 && failed(system6(SYS_mmap, bias + from, mapped_end - from, protection, MAP_PRIVATE | MAP_FIXED,
                                           file, h->p_offset & -page)))
      die(machine, no, path);
    if (h->p_memsz > h->p_filesz && (protection & PROT_WRITE) != 0) clear((u8 *)bias + file_end, mapped_end - file_end);
    if (end > mapped_end && failed(system3(SYS_mprotect, bias + mapped_end, end - mapped_end, protection)))
      die(machine, no, path);
  }
  system3(SYS_close, file, 0, 0);
  *entry = bias + head.elf.e_entry;
  return bias;
}

#ifdef COMPACT
/* Where the image of a flavour is that isn't in the fat file itself. */
struct source {
  int file;   /* number of an open file, or negative */
  u64 memory; /* address, or 0 */
};

/* One step from there: pages of a file are mapped, memory is copied. Returns whether it could be done. */
static int map_restored(const struct source *source, const struct flavour *flavour, const struct step *step, u64 to) {
  if (source->file >= 0)
    return !failed(system6(SYS_mmap, to, step->bytes, step->protection, MAP_PRIVATE | MAP_FIXED, source->file, step->from));
  if (failed(system3(SYS_mprotect, to, step->bytes, PROT_READ | PROT_WRITE))) return 0;
  for (u64 at = 0; at < step->bytes && step->from + at < flavour->image_bytes; at += 8)
    *(volatile u64 *)(to + at) = *(const u64 *)(source->memory + step->from + at);
  return !failed(system3(SYS_mprotect, to, step->bytes, step->protection));
}
#endif

/* Moves the flavour's pages to their addresses; returns what is added to every address in it. */
static u64 map_flavour(const struct machine_state *machine, const struct manifest *manifest,
                       const struct flavour *flavour, u64 payload, u64 payload_offset
#ifdef COMPACT
                       , const struct source *source
#endif
) {
  const u8 *base = (const u8 *)manifest;
  const struct step *steps = (const void *)(base + flavour->steps_at);
  u64 span = flavour->high - flavour->low, bias = 0;
  int fixed = (flavour->flags & FLAVOUR_FIXED) != 0;
  /* mmap gives whole pages; a larger alignment is made by asking for more. */
  u64 spare = fixed || flavour->align <= machine->page_bytes ? 0 : flavour->align;
  long place = system6(SYS_mmap, fixed ? flavour->low : 0, span + spare, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (fixed ? MAP_FIXED_NOREPLACE : 0), -1, 0);
  if (failed(place) || (fixed && (u64)place != flavour->low)) die(machine, "the flavour's addresses are not free", "");
  if (!fixed) {
    u64 first = spare == 0 ? (u64)place : ((u64)place + spare - 1) & -spare;
    if (spare != 0) {
      if (first > (u64)place) system3(SYS_munmap, place, first - place, 0);
      if ((u64)place + spare > first) system3(SYS_munmap, first + span, place + spare - first, 0);
    }
    bias = first - flavour->low;
  }
  for (u32 i = 0; i < flavour->step_count; i++) {
    u64 to = bias + steps[i].to, bytes = steps[i].bytes;
    if (steps[i].kind == STEP_CLEAR) {
      clear((u8 *)to, bytes);
      continue;
    }
#ifdef COMPACT
    if (flavour->recipe_bytes != 0 && steps[i].kind == STEP_MOVE) {
      if (!map_restored(source, flavour, &steps[i], to)) die(machine, "the flavour cannot be mapped", "");
      continue;
    }
#endif
    if (steps[i].kind == STEP_MOVE &&
        failed(system6(SYS_mremap, payload + (steps[i].from - payload_offset), bytes, bytes,
                       MREMAP_MAYMOVE | MREMAP_FIXED, to, 0)))
      die(machine, "the flavour cannot be mapped", "");
    if ((steps[i].kind == STEP_ALLOW || steps[i].protection != PROT_READ) &&
        failed(system3(SYS_mprotect, to, bytes, steps[i].protection)))
      die(machine, "the flavour's protection is refused", "");
  }
  return bias;
}

#ifdef COMPACT
/* Has the restorer make the flavour's image available. Returns what it returns. */
static long restored(const struct machine_state *machine, const struct manifest *manifest, struct restore_request *request) {
  u64 at = manifest->restorer_at, bytes = manifest->restorer_bytes, place = request->payload + (at - request->payload_offset);
  static const char why[] = "the fat file is damaged: its restorer has another checksum";
  if (at < request->payload_offset || at + bytes > request->payload_offset + request->payload_bytes || bytes < 8 ||
      (at & (machine->page_bytes - 1)) != 0 || manifest->restorer_checksum != checksum((const u8 *)place, bytes))
    die(machine, why, "");
  if (failed(system3(SYS_mprotect, place, bytes, PROT_READ | PROT_EXEC))) die(machine, "the restorer cannot be executed", "");
  return ((long (*)(struct restore_request *))place)(request);
}
#endif

/* Called with the stack that execve made. Returns the address to jump to. */
__attribute__((used, visibility("hidden"))) u64 launch(u64 *stack) {
  struct machine_state machine; /* Set field by field: an initialiser would become a call of memcpy. */
  const char **arguments = (const char **)(stack + 1);
  const char **environment = arguments + stack[0] + 1;
  const char **end = environment;
  const char *asked = 0;
  int traced = 0;
  u64 *vector;
  machine.hwcap = machine.hwcap2 = 0;
  machine.page_bytes = 4096;
  machine.secure = 0;
  machine.program = "?";
  while (*end != 0) end++;
  vector = (u64 *)(end + 1);
  for (u64 *v = vector; v[0] != AT_NULL; v += 2) {
    if (v[0] == AT_PAGESZ) machine.page_bytes = v[1];
    if (v[0] == AT_HWCAP) machine.hwcap = v[1];
    if (v[0] == AT_HWCAP2) machine.hwcap2 = v[1];
    if (v[0] == AT_SECURE) machine.secure = v[1] != 0;
    if (v[0] == AT_EXECFN) machine.program = (const char *)v[1];
  }
  /* A set-user-ID program is not to be steered by whoever starts it. */
  for (const char **e = environment; *e != 0 && !machine.secure; e++) {
    const char *value;
    if ((value = after(*e, "TENON_FAT_FEATURES=")) != 0) asked = value;
    if ((value = after(*e, "TENON_FAT_TRACE=")) != 0) traced = *value == '1';
  }

  /* The payload is this file's second segment. */
  const struct program_header *own = (const void *)(image_start + sizeof(struct elf_header));
  u64 payload = (u64)image_start + own[1].p_vaddr, payload_offset = own[1].p_offset, payload_bytes = own[1].p_filesz;
  const struct manifest *manifest = (const void *)payload;
  const u64 *trailer = (const void *)(payload + payload_bytes - 16);
  static const char damaged[] = "the fat file is damaged: ";
  /*
   * Beyond the end of a cut file a read is a SIGBUS, but a system call that reads there just fails: `how` is 99,
   * so rt_sigprocmask changes nothing and says EFAULT (14) instead of EINVAL.
   */
  if (payload_bytes < 4096 || (payload_bytes & 7) != 0 ||
      system6(SYS_rt_sigprocmask, 99, (long)trailer, 0, 8, 0, 0) == -14)
    die(&machine, damaged, "it is cut short");
  if (trailer[1] != END_MAGIC || trailer[0] != payload_offset + payload_bytes)
    die(&machine, damaged, "its end is not where it should be");
  if (manifest->magic != MAGIC) die(&machine, damaged, "it has no manifest");
  if (manifest->manifest_bytes < sizeof *manifest || manifest->manifest_bytes > payload_bytes ||
      manifest->manifest_bytes > MAX_MANIFEST_BYTES ||
      manifest->checksum != checksum((const u8 *)payload + 16, manifest->manifest_bytes - 16))
    die(&machine, damaged, "its manifest has another checksum");
  if (manifest->version != VERSION || manifest->machine != MACHINE || manifest->file_bytes != trailer[0])
    die(&machine, damaged, "its manifest belongs to another file");

  struct set have;
  long number = -1;
  detect(manifest, &machine, &have);
  if (asked != 0) number = ask(manifest, asked, &have);
  const struct flavour *flavours = (const void *)(payload + manifest->flavours_at);
  int forced = number >= 0;
  if (number >= manifest->flavour_count) die(&machine, "there is no such flavour: TENON_FAT_FEATURES=", asked);
  for (u32 i = 0; i < manifest->flavour_count && number < 0; i++)
    if (within(&flavours[i].needs, &have)) number = i;
  if (traced)
    for (u32 i = 0; i < manifest->flavour_count; i++) trace(manifest, i, &have, (long)i == number, forced);
  if (number < 0) die(&machine, "no flavour fits this CPU", "");

  const struct flavour *flavour = &flavours[number];
#ifdef COMPACT
  struct source source;
  source.file = -1;
  source.memory = 0;
  if (flavour->recipe_bytes != 0) {
    struct restore_request request;
    struct line line;
    request.payload = payload;
    request.payload_offset = payload_offset;
    request.payload_bytes = payload_bytes;
    request.page_bytes = machine.page_bytes;
    request.environment = environment;
    request.number = (u32)number;
    request.secure = machine.secure;
    long result = restored(&machine, manifest, &request);
    source.file = (int)result;
    source.memory = request.memory;
    if (result == RESTORE_DAMAGED) die(&machine, damaged, request.how);
    line.length = 0;
    say(&line, "tenon-fat: ");
    say(&line, (const char *)payload + flavour->name_at);
    say(&line, ": ");
    say(&line, request.how);
    if (result == RESTORE_IMPOSSIBLE) {
      u32 i = 0;
      while (i < manifest->flavour_count && (flavours[i].recipe_bytes != 0 || !within(&flavours[i].needs, &have))) i++;
      if (i == manifest->flavour_count) die(&machine, request.how, "");
      flavour = &flavours[i];
      say(&line, "; started instead: ");
      say(&line, (const char *)payload + flavour->name_at);
    }
    if (traced || result == RESTORE_IMPOSSIBLE) end_line(&line);
  }
#endif
  if (machine.page_bytes > flavour->page_bytes) die(&machine, "made for smaller memory pages than this kernel's", "");
#ifdef COMPACT
  /* What was restored has been compared, or bears the mark of having been. */
  if (flavour->recipe_bytes == 0)
#endif
  if (flavour->head_checksum != checksum((const u8 *)payload + (flavour->image_at - payload_offset), flavour->head_bytes))
    die(&machine, damaged, "a flavour's headers have another checksum");
  /* The interpreter first: the flavour leaves holes in the payload, into which the kernel might put it. */
  u64 begin = 0, interpreter = 0;
  if (flavour->interpreter_at != 0)
    interpreter = map_interpreter(&machine, (const char *)payload + flavour->interpreter_at, &begin);
#ifdef COMPACT
  u64 bias = map_flavour(&machine, manifest, flavour, payload, payload_offset, &source);
  if (flavour->recipe_bytes != 0) {
    if (source.file >= 0) system3(SYS_close, source.file, 0, 0);
    else system3(SYS_munmap, source.memory, (flavour->image_bytes + 8 + machine.page_bytes - 1) & -machine.page_bytes, 0);
  }
#else
  u64 bias = map_flavour(&machine, manifest, flavour, payload, payload_offset);
#endif
  u64 entry = bias + flavour->entry;
  if (interpreter == 0) begin = entry;
  for (u64 *v = vector; v[0] != AT_NULL; v += 2) {
    if (v[0] == AT_PHDR) v[1] = bias + flavour->headers;
    if (v[0] == AT_PHNUM) v[1] = flavour->header_count;
    if (v[0] == AT_ENTRY) v[1] = entry;
    if (v[0] == AT_BASE) v[1] = interpreter;
  }
  /* The flavours that were not chosen. Where the chosen one was are holes, in which nothing is. */
  system3(SYS_munmap, payload, (payload_bytes + machine.page_bytes - 1) & -machine.page_bytes, 0);
  return begin;
}
