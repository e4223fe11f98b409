/* A small shell for SQLite: runs each SQL statement of its arguments, or of standard input, and prints the rows. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_row(void *unused, int count, char **values, char **names) {
  (void)unused;
  (void)names;
  for (int i = 0; i < count; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "");
  putchar('\n');
  return 0;
}

static int run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  int status = sqlite3_exec(db, sql, print_row, NULL, &message);
  if (status != SQLITE_OK) {
    fprintf(stderr, "%s\n", message ? message : sqlite3_errstr(status));
    sqlite3_free(message);
  }
  return status;
}

static char *read_all(FILE *file) {
  size_t length = 0, capacity = 4096;
  char *text = malloc(capacity);
  while (text) {
    length += fread(text + length, 1, capacity - length - 1, file);
    if (length + 1 < capacity) break;
    char *larger = realloc(text, capacity *= 2);
    if (!larger) free(text);
    text = larger;
  }
  if (text) text[length] = 0;
  return text;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s DATABASE [SQL]...\n", argv[0]);
    return 2;
  }
  sqlite3 *db;
  int status = sqlite3_open(argv[1], &db);
  if (status != SQLITE_OK) {
    fprintf(stderr, "%s: %s\n", argv[1], sqlite3_errstr(status));
  } else if (argc == 2) {
    char *sql = read_all(stdin);
    status = sql ? run(db, sql) : SQLITE_NOMEM;
    free(sql);
  } else {
    for (int i = 2; i < argc && status == SQLITE_OK; i++) status = run(db, argv[i]);
  }
  sqlite3_close(db);
  return status != SQLITE_OK;
}
