/*
 * Restored images in a directory of the user: one file for each, named by its SHA-256.
 *
 * Nobody reads a file's bytes again at a later start, so the file bears a mark that an ordinary write destroys: its
 * time of modification is made of the digest, on a whole second. With its length, owner and mode right too, it is
 * what was written here. That is a mark against accidents; whoever can forge it owns the file anyway.
 */
enum { PATH_BYTES = 4096, S_IFMT = 0170000, S_IFREG = 0100000, S_IFDIR = 0040000, CACHE_MODE = 0500 };
enum { AT_EMPTY_PATH = 0x1000, AT_SYMLINK_FOLLOW = 0x400, AT_REMOVEDIR = 0x200, EEXIST = 17 };
enum { O_RDWR = 2, O_CREAT = 0100, O_EXCL = 0200, O_NONBLOCK = 04000, RLIMIT_FSIZE = 1 };
/* XDG_CACHE_HOME or HOME, /var/tmp, /tmp */
enum { CACHE_COUNT = 3 };

struct path {
  u32 length; /* PATH_BYTES when it was too long */
  char text[PATH_BYTES];
};

struct file_state {
  u8 bytes[144];
};
static u32 state_mode(const struct file_state *state) { return low_word(state->bytes + STAT_MODE_AT); }
static u32 state_uid(const struct file_state *state) { return low_word(state->bytes + STAT_UID_AT); }
static u64 state_length(const struct file_state *state) { return long_word(state->bytes + 48); }
static u64 state_seconds(const struct file_state *state) { return long_word(state->bytes + 88); }
static u64 state_nanoseconds(const struct file_state *state) { return long_word(state->bytes + 96); }

static void extend(struct path *path, const char *text) {
  while (*text != 0 && path->length < PATH_BYTES - 1) path->text[path->length++] = *text++;
  if (*text != 0) path->length = PATH_BYTES;
  else path->text[path->length] = 0;
}

static void extend_number(struct path *path, u64 number) {
  char digits[21];
  u32 at = 20;
  digits[20] = 0;
  do digits[--at] = '0' + number % 10; while ((number /= 10) != 0);
  extend(path, digits + at);
}

static void extend_digest(struct path *path, const u8 *digest) {
  char text[65];
  for (u32 i = 0; i < 64; i++) {
    u32 digit = digest[i / 2] >> (i & 1 ? 0 : 4) & 15;
    text[i] = (char)(digit < 10 ? '0' + digit : 'a' - 10 + digit);
  }
  text[64] = 0;
  extend(path, text);
}

/* Past seconds, 3 to 33 years after 1970: a write that happens now has another time. */
static u64 mark_of(const u8 *digest) { return 100000000 + low_word(digest + 8) % 950000000; }

static int open_at(long directory, const char *name, int flags, int mode) {
  return (int)system6(SYS_openat, directory, (long)name, flags | O_CLOEXEC, mode, 0, 0);
}

static const char *value_of(const char **environment, const char *prefix) {
  for (; *environment != 0; environment++) {
    const char *text = *environment, *wanted = prefix;
    while (*wanted != 0 && *text == *wanted) text++, wanted++;
    if (*wanted == 0) return text;
  }
  return 0;
}

static int is_owned(const char *path, u32 uid) {
  struct file_state state;
  int directory = open_at(AT_FDCWD, path, O_DIRECTORY, 0);
  int answer = directory >= 0 && system3(SYS_fstat, directory, (long)&state, 0) == 0 && state_uid(&state) == uid;
  if (directory >= 0) system3(SYS_close, directory, 0, 0);
  return answer;
}

/* The nth directory; whether there is one. With `make`, those above it are made where they may be. */
static int cache_path(struct path *path, u32 n, const char **environment, u32 uid, int make) {
  path->length = 0;
  if (n > 0) {
    extend(path, n == 1 ? "/var/tmp/tenon-" : "/tmp/tenon-");
    extend_number(path, uid);
    return 1;
  }
  const char *home = value_of(environment, "XDG_CACHE_HOME=");
  int is_home = home == 0 || *home != '/';
  if (is_home) home = value_of(environment, "HOME=");
  if (home == 0 || *home != '/') return 0;
  /* Another user's home, as under sudo, isn't for what this user owns. */
  if (make && is_home && !is_owned(home, uid)) return 0;
  extend(path, home);
  if (is_home) extend(path, "/.cache");
  if (make && path->length < PATH_BYTES) {
    system3(SYS_mkdirat, AT_FDCWD, (long)path->text, 0700);
    if (!is_owned(path->text, uid)) return 0;
  }
  extend(path, "/tenon");
  return path->length < PATH_BYTES;
}

/* Whether an open file is a restored image, going by its mark. */
static int is_marked(int file, const struct flavour *flavour, u32 uid) {
  struct file_state state;
  return system3(SYS_fstat, file, (long)&state, 0) == 0 && state_mode(&state) == (S_IFREG | CACHE_MODE) &&
         state_uid(&state) == uid && state_length(&state) == flavour->image_bytes &&
         state_seconds(&state) == mark_of(flavour->sha256) && state_nanoseconds(&state) == 0;
}

/* A file system may forbid that its files are executed, whatever their mode. */
static int is_executable(int file, u64 page) {
  long place = system6(SYS_mmap, 0, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  if (failed(place)) return 0;
  system3(SYS_munmap, place, page, 0);
  return 1;
}

/* An open file with the image, or -1. */
static int cache_find(const struct restore_request *request, const struct flavour *flavour, u32 uid, struct path *path) {
  for (u32 n = 0; n < CACHE_COUNT; n++) {
    if (!cache_path(path, n, request->environment, uid, 0)) continue;
    extend(path, "/");
    extend_digest(path, flavour->sha256);
    if (path->length >= PATH_BYTES) continue;
    int file = open_at(AT_FDCWD, path->text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (file < 0) continue;
    if (is_marked(file, flavour, uid) && is_executable(file, request->page_bytes)) return file;
    system3(SYS_close, file, 0, 0);
  }
  return -1;
}

/*
 * What is written at once may be cached as one page of up to 2 MiB, all of which is mapped, and counts as used, when a
 * byte of it is touched. 64 KiB are what Linux maps around a byte anyway.
 */
enum { WRITE_BYTES = 64 << 10 };

static int write_all(int file, const u8 *bytes, u64 length) {
  for (u64 at = 0; at < length;) {
    u64 part = length - at < WRITE_BYTES ? length - at : WRITE_BYTES;
    long written = system3(SYS_write, file, (long)(bytes + at), (long)part);
    if (written == -4) continue; /* EINTR */
    if (written <= 0) return 0;
    at += (u64)written;
  }
  return 1;
}

/* Writes and marks an open file; nothing of it may be lost once it has its name, not even by a crash. */
static int fill(int file, const struct restore_request *request, const struct flavour *flavour, const u8 *image) {
  u64 times[4];
  times[0] = times[2] = mark_of(flavour->sha256);
  times[1] = times[3] = 0;
  return is_executable(file, request->page_bytes) && write_all(file, image, flavour->image_bytes) &&
         system3(SYS_fchmod, file, CACHE_MODE, 0) == 0 && system6(SYS_utimensat, file, 0, (long)times, 0, 0, 0) == 0 &&
         system3(SYS_fsync, file, 0, 0) == 0;
}

/* A file without a name gets one. */
static int name_file(int file, int directory, const char *name) {
  struct path own;
  own.length = 0;
  extend(&own, "/proc/self/fd/");
  extend_number(&own, (u64)file);
  for (u32 again = 0; again < 2; again++) {
    long result = system6(SYS_linkat, file, (long)"", directory, (long)name, AT_EMPTY_PATH, 0);
    if (failed(result) && result != -EEXIST)
      result = system6(SYS_linkat, AT_FDCWD, (long)own.text, directory, (long)name, AT_SYMLINK_FOLLOW, 0);
    if (result == 0) return 1;
    /* Left by a process of the same number that was killed here. */
    if (result != -EEXIST || failed(system3(SYS_unlinkat, directory, (long)name, 0))) return 0;
  }
  return 0;
}

/*
 * Puts an image into an open directory and returns the open file, or -1. First without a name, so that nothing is
 * left of a start that is killed; where that isn't possible, under a name of this process. The final name is given
 * by renaming: two starts at once both succeed, and what stood there before is replaced.
 */
static int cache_fill(const struct restore_request *request, const struct flavour *flavour, const u8 *image, int directory) {
  struct path name, final;
  name.length = final.length = 0;
  extend_digest(&final, flavour->sha256);
  extend(&name, ".");
  extend(&name, final.text);
  extend(&name, ".");
  extend_number(&name, (u64)system3(SYS_getpid, 0, 0, 0));
  for (u32 named = 0; named < 2; named++) {
    int file = named ? -1 : open_at(directory, ".", O_TMPFILE | O_RDWR, CACHE_MODE);
    for (u32 again = 0; named && file < 0 && again < 2; again++) {
      if (again) system3(SYS_unlinkat, directory, (long)name.text, 0);
      file = open_at(directory, name.text, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, CACHE_MODE);
    }
    if (file < 0) continue;
    int filled = fill(file, request, flavour, image);
    if (filled && (named || name_file(file, directory, name.text)) &&
        system6(SYS_renameat, directory, (long)name.text, directory, (long)final.text, 0, 0) == 0)
      return file;
    if (named) system3(SYS_unlinkat, directory, (long)name.text, 0);
    system3(SYS_close, file, 0, 0);
    /* A full or unsuitable file system is so whatever the name is. */
    if (!filled) return -1;
  }
  return -1;
}

/* Puts an image into the first directory that takes it, and returns the open file, or -1. */
static int cache_store(const struct restore_request *request, const struct flavour *flavour, u32 uid, const u8 *image,
                       struct path *path) {
  u64 limit[2];
  /* Beyond this limit a write would end the process. */
  if (system6(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)limit, 0, 0) == 0 && limit[0] < flavour->image_bytes) return -1;
  for (u32 n = 0; n < CACHE_COUNT; n++) {
    struct file_state state;
    if (!cache_path(path, n, request->environment, uid, 1)) continue;
    int made = system3(SYS_mkdirat, AT_FDCWD, (long)path->text, 0700) == 0;
    int directory = open_at(AT_FDCWD, path->text, O_DIRECTORY | O_NOFOLLOW, 0), file = -1;
    if (directory < 0) continue;
    /* Nobody else may put anything into it. */
    if (system3(SYS_fstat, directory, (long)&state, 0) == 0 && state_uid(&state) == uid && (state_mode(&state) & 022) == 0)
      file = cache_fill(request, flavour, image, directory);
    system3(SYS_close, directory, 0, 0);
    if (file >= 0) return file;
    if (made) system3(SYS_unlinkat, AT_FDCWD, (long)path->text, AT_REMOVEDIR);
  }
  return -1;
}
