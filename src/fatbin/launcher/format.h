/* What launcher and restorer know of a fat file's layout and of ELF; the layout is described in docs/formats/fat.md. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

enum { AT_NULL = 0, AT_PHDR = 3, AT_PHNUM = 5, AT_PAGESZ = 6, AT_BASE = 7, AT_ENTRY = 9, AT_HWCAP = 16,
       AT_SECURE = 23, AT_HWCAP2 = 26, AT_EXECFN = 31 };
enum { PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };
enum { MAP_PRIVATE = 2, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000,
       MAP_FIXED_NOREPLACE = 0x100000 };
enum { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2 };
enum { AT_FDCWD = -100, O_RDONLY = 0, O_CLOEXEC = 02000000 };
enum { PT_LOAD = 1, PF_X = 1, PF_W = 2, PF_R = 4, ET_DYN = 3 };

struct elf_header {
  u8 e_ident[16];
  u16 e_type, e_machine;
  u32 e_version;
  u64 e_entry, e_phoff, e_shoff;
  u32 e_flags;
  u16 e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx;
};
struct program_header {
  u32 p_type, p_flags;
  u64 p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
};

/* Features are bits of a set; a file knows at most 128. */
struct set {
  u64 words[2];
};

struct manifest {
  u64 magic, checksum; /* of all that follows in the manifest */
  u32 version, manifest_bytes;
  u64 file_bytes;
  u16 machine, rule_count, group_count, flavour_count;
  u32 rules_at, groups_at, flavours_at, reserved;
#ifdef COMPACT
  u64 restorer_at, restorer_bytes, restorer_checksum; /* within the file */
#endif
};
struct rule {
  u32 source; /* CPUID leaf, or type of the auxiliary vector's entry */
  u8 subleaf, part;
  u16 state;
  u64 mask; /* all of these bits */
  u32 name_at, reserved;
};
struct group {
  struct set all, own; /* a level's features, and those that the level below hasn't */
  u32 name_at, reserved;
};
struct flavour {
  struct set needs;
  u32 name_at, interpreter_at; /* 0: none */
  u32 steps_at, step_count;
  u64 image_at, image_bytes; /* within the file */
  u8 sha256[32];
  u64 low, high; /* addresses that its segments span, whole pages */
  u64 align;
  u64 entry, headers; /* addresses */
  u32 header_count, flags;
  u32 page_bytes, rank;
  u64 head_bytes, head_checksum; /* of the image's beginning, up to the program headers' end */
#ifdef COMPACT
  u64 recipe_at, recipe_bytes; /* within the file; none: the image is in the file itself */
  u32 parent, reserved;        /* number of the flavour that the recipe begins with, or NO_PARENT */
#endif
};
enum { FLAVOUR_FIXED = 1 };
struct step {
  u64 from, to, bytes; /* offset in the file, address, length */
  u32 protection, kind;
};
enum { STEP_MOVE = 0, STEP_ALLOW = 1, STEP_CLEAR = 2 };

#define MAGIC 0x5441464e4f4e4554ul /* TENONFAT */
#define END_MAGIC 0x444e454e4f4e4554ul /* TENONEND */
#ifdef COMPACT
#define VERSION 2
#define NO_PARENT 0xffffffffu
#else
#define VERSION 1
#endif
#define MAX_MANIFEST_BYTES 0x100000

#ifdef COMPACT
/* How the launcher asks the restorer for a flavour's image. */
struct restore_request {
  u64 payload, payload_offset, payload_bytes, page_bytes;
  const char **environment;
  u32 number;
  int secure;
  /* Answers. */
  u64 memory;      /* where the image is, if it is in memory */
  const char *how; /* for the trace, or the reason why not */
};
/* What comes back beside the number of an open file. */
enum { RESTORED_TO_MEMORY = -1, RESTORE_IMPOSSIBLE = -2, RESTORE_DAMAGED = -3 };
#endif
