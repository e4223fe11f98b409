/* What programs do with SQLite: full-text search, R-trees, JSON, recursive queries, updates, sorting. Prints a hash of
   every value that any query gave; two builds of one version must print the same. Argument: how often. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sqlite3.h"

static uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a, 64 bits */
static uint64_t values;

static void mix(const void *data, size_t length) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
}

static void run(sqlite3 *db, const char *sql) {
  while (sql && *sql) {
    sqlite3_stmt *statement = 0;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, &sql);
    if (rc != SQLITE_OK) {
      /* Errors are results too. */
      mix(sqlite3_errmsg(db), strlen(sqlite3_errmsg(db)));
      return;
    }
    if (!statement) continue;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
      for (int i = 0; i < sqlite3_column_count(statement); i++) {
        const void *value = sqlite3_column_blob(statement, i);
        mix(value ? value : "", value ? (size_t)sqlite3_column_bytes(statement, i) : 0);
        mix("|", 1);
        values++;
      }
    }
    mix(&rc, sizeof rc);
    sqlite3_finalize(statement);
  }
}

static const char *const SCHEMA =
  "PRAGMA page_size = 4096; PRAGMA journal_mode = MEMORY;"
  "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL, tags TEXT, made INTEGER);"
  "CREATE INDEX item_name ON item(name); CREATE INDEX item_price ON item(price, made);"
  "CREATE VIRTUAL TABLE words USING fts5(title, body, tokenize = 'porter unicode61');"
  "CREATE VIRTUAL TABLE place USING rtree(id, x0, x1, y0, y1);"
  "CREATE TABLE log(at INTEGER, what TEXT);"
  "CREATE TRIGGER item_log AFTER UPDATE ON item BEGIN INSERT INTO log VALUES(new.id, old.name || '>' || new.name); END;";

static const char *const WORK =
  "BEGIN;"
  "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
  " INSERT OR REPLACE INTO item SELECT i, printf('name-%05d-%x', (i * 7919) % 3001, i), round(i * 1.37, 2),"
  " json_array(i, i % 7, printf('t%d', i % 13)), i * 86400 FROM n;"
  "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 800)"
  " INSERT INTO words SELECT printf('title %d of %d', i, i % 17), printf('running runner ran %d %s walk %d', i,"
  " CASE i % 5 WHEN 0 THEN 'mountain' WHEN 1 THEN 'river' WHEN 2 THEN 'forest' ELSE 'city lights' END, i % 29) FROM n;"
  "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 1500)"
  " INSERT OR REPLACE INTO place SELECT i, (i * 37) % 1000, (i * 37) % 1000 + 5, (i * 91) % 1000, (i * 91) % 1000 + 9 FROM n;"
  "COMMIT;"
  "SELECT count(*), sum(price), min(name), max(name), group_concat(DISTINCT id % 11) FROM item;"
  "SELECT name, price, rank() OVER (PARTITION BY id % 9 ORDER BY price DESC) FROM item WHERE id % 5 = 0 ORDER BY 3, 1 LIMIT 200;"
  "SELECT rowid, highlight(words, 1, '[', ']'), round(bm25(words), 6) FROM words WHERE words MATCH 'run AND (mountain OR river)' ORDER BY rank, rowid LIMIT 50;"
  "SELECT count(*) FROM words WHERE words MATCH 'body : \"city lights\" NOT title : 3';"
  "SELECT count(*), sum(id) FROM place WHERE x0 >= 100 AND x1 <= 400 AND y0 >= 200 AND y1 <= 700;"
  "SELECT json_extract(tags, '$[2]'), count(*), json_group_array(id) FROM item WHERE id < 300 GROUP BY 1 ORDER BY 1;"
  "SELECT value, count(*) FROM item, json_each(item.tags) WHERE item.id < 500 GROUP BY value ORDER BY 2 DESC, 1 LIMIT 40;"
  "WITH RECURSIVE f(a, b) AS (VALUES(0, 1) UNION ALL SELECT b, a + b FROM f LIMIT 60) SELECT a FROM f;"
  "WITH RECURSIVE tree(id, depth) AS (VALUES(1, 0) UNION SELECT id * 2 + k, depth + 1 FROM tree, (SELECT 0 k UNION SELECT 1)"
  " WHERE depth < 8) SELECT depth, count(*), sum(id) FROM tree GROUP BY depth;"
  "SELECT a.id, b.id FROM item a JOIN item b ON b.price BETWEEN a.price AND a.price + 1 WHERE a.id < 60 AND b.id <> a.id ORDER BY 1, 2;"
  "UPDATE item SET name = upper(name) || substr(hex(id), 1, 4), price = price * 1.01 WHERE id % 3 = 0;"
  "SELECT count(*), max(what) FROM log; DELETE FROM log;"
  "SELECT strftime('%Y-%m', made, 'unixepoch') m, count(*), round(avg(price), 3) FROM item GROUP BY m ORDER BY m;"
  "SELECT printf('%.8f %s', sqrt(price), replace(name, 'NAME', quote(id))) FROM item WHERE name LIKE '%A%' ORDER BY name COLLATE NOCASE LIMIT 100;"
  "EXPLAIN QUERY PLAN SELECT * FROM item WHERE name > 'name-01' AND price < 100 ORDER BY made;"
  "DELETE FROM item WHERE id % 4 = 1; DELETE FROM words WHERE rowid % 3 = 0; DELETE FROM place WHERE id % 2 = 0;"
  "INSERT INTO words(words) VALUES('optimize'); PRAGMA integrity_check; VACUUM;"
  "SELECT nonsense FROM item;";

int main(int count, char **arguments) {
  int rounds = count > 1 ? atoi(arguments[1]) : 1;
  sqlite3 *db = 0;
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) return 1;
  run(db, SCHEMA);
  for (int i = 0; i < rounds; i++) run(db, WORK);
  sqlite3_close(db);
  printf("%s %" PRIu64 " values %016" PRIx64 "\n", sqlite3_libversion(), values, hash);
  return 0;
}
