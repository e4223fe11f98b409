/** Versions laid out, linked and run: what each program prints is compared with the plain link. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { Machine } from "../elf/index.ts";
import { isTenonError } from "../errors/index.ts";
import { decodeState, encodeState, type Layout } from "./index.ts";
import { bytesAt, lacks, Yard } from "./testing/programs.ts";

const yard = new Yard();
after(() => yard.dispose());

/** The variants that a version has of a function. */
function variantsOf(layout: Layout, name: string): number[] {
  return layout.state.variants
    .filter(({ names }) => names.has(name))
    .map(({ occurrences }) => occurrences.size);
}

const HEAD = "int printf(const char *, ...); int puts(const char *);\n";

for (const machine of ["x86-64", "aarch64"] as Machine[]) {
  describe(machine, { skip: lacks(machine) }, () => {
    test("a change that keeps the size, one only in a call target, and a revert", () => {
      const main = `${HEAD}int api(int); int main(void) { for (int i = 0; i < 5; i++) printf("%d\\n", api(i)); }`;
      const library = (factor: number, callee: string) => `
        #define KEEP __attribute__((noinline, noclone))
        KEEP int left(int x) { __asm__(""); return x * 3; }
        KEEP int right(int x) { __asm__(""); return x * 5; }
        KEEP int sized(int x) { __asm__(""); return x + ${factor}; }
        KEEP int caller(int x) { return ${callee}(x) + 1; }
        KEEP int constant(int x) { return sized(x) * 2 + sized(x + 1); }
        int api(int x) { return caller(x) + constant(x) * 100; }`;
      const { layout } = yard.check({
        machine,
        main,
        versions: {
          "1": { lib: library(7, "left") },
          "2": { lib: library(9, "left") },
          "3": { lib: library(9, "right") },
          "4": { lib: library(7, "left") },
        },
      });
      assert.deepEqual(variantsOf(layout, "sized").sort(), [2, 2], "4 uses what 1 has");
      assert.deepEqual(variantsOf(layout, "caller").sort(), [1, 3]);
      assert.deepEqual(variantsOf(layout, "constant"), [4], "its callee is behind a slot");
      assert.deepEqual(variantsOf(layout, "left"), [4]);
      assert.ok(layout.state.slots.has("sized"));
      assert.ok(!layout.state.slots.has("left"), "what never varies needs no slot");
    });

    test("static functions and data of one name in two files, pointers, jump tables, constants that vary", () => {
      const file = (n: number, add: number) =>
        `
        static int counter = ${n};
        static int total[${n}];
        static const char *const names[] = { "zero", "one", "two", "three" };
        __attribute__((noinline)) static int helper(int x) { counter += x + ${add}; return total[x % ${n}] += counter; }
        int (*pointer${n})(int) = helper;
        const int limits[4] = { 1, 2, ${add}, 4 };
        int run${n}(int x) {
          switch (x) {
            case 0: return helper(1); case 1: return helper(20) ^ 5; case 2: return counter; case 3: return helper(7) * 3;
            case 4: counter = 0; return 1; case 5: return names[x & 3][1]; case 6: return limits[2]; default: return -x;
          }
        }`.replace("const int limits", `const int limits_${n}`);
      const text = (n: number, add: number) => file(n, add).replaceAll("limits[", `limits_${n}[`);
      const main = `${HEAD}int run3(int), run4(int); extern int (*pointer3)(int), (*pointer4)(int); extern const int limits_3[4];
        int main(void) { for (int i = 0; i < 9; i++) printf("%d %d\\n", run3(i), run4(i));
          printf("%d %d %d\\n", pointer3(2), pointer4(3), limits_3[2]); }`;
      const { layout } = yard.check({
        machine,
        main,
        versions: {
          "1": { a: text(3, 1), b: text(4, 2) },
          "2": { a: text(3, 6), b: text(4, 2) },
        },
      });
      assert.deepEqual(variantsOf(layout, "b.o:helper"), [2]);
      assert.deepEqual(variantsOf(layout, "a.o:helper"), [1, 1]);
    });

    test("C++: templates in library and program, exceptions, inline statics, constructors, virtual functions", () => {
      const shared = `
        template <class T> struct Box { T value; int twice() const; static int made; };
        template <class T> int Box<T>::made = 5;
        template <class T> __attribute__((noinline)) int Box<T>::twice() const { made++; return value * 2; }
        inline int &shared() { static int count = 40; return count; }
        struct Failure { virtual int code() const { return 3; } virtual ~Failure(); int extra; };
        struct Deep : Failure { int code() const override { return 4 + extra; } };
        int risky(int); int total(); const Failure &known();
        extern "C" int printf(const char *, ...);`;
      const main = `${shared}
        int main() {
          for (int i = 0; i < 6; i++) {
            try { printf("%d\\n", risky(i)); }
            catch (const Failure &f) { printf("failure %d %d\\n", f.code(), dynamic_cast<const Deep *>(&f) != nullptr); }
            catch (int n) { printf("int %d\\n", n); }
          }
          Box<int> box{4}; shared()++;
          printf("%d %d %d %d %d\\n", box.twice(), Box<int>::made, shared(), total(), known().code());
        }`;
      const library = (limit: number) => `${shared}
        Failure::~Failure() {}
        struct Counter { int n; Counter() : n(11) { printf("constructed\\n"); } ~Counter() { printf("gone\\n"); } };
        static Counter counter;
        struct Guard { int id; ~Guard() { printf("unwound %d\\n", id); counter.n++; } };
        __attribute__((noinline)) static int inner(int x) {
          Guard guard{x};
          if (x == 2) throw Deep();
          if (x > ${limit}) throw x;
          Box<int> box{x}; shared() += 2;
          return box.twice();
        }
        int risky(int x) { try { return inner(x) + 1; } catch (int n) { if (n == 5) throw; return -n; } }
        int total() { return counter.n + shared() + Box<int>::made; }
        const Failure &known() { static Deep deep; return deep; }`;
      const { layout } = yard.check({
        ...{ machine, main, language: "cc" },
        versions: { "1": { lib: library(2) }, "2": { lib: library(3) }, "3": { lib: library(4) } },
      });
      assert.ok(variantsOf(layout, "_ZNK3BoxIiE5twiceEv").length > 0);
    });

    test("thread-local data, initialisers, common symbols, weak symbols that the program defines", () => {
      const main = `${HEAD}int bump(int); int hook(void) { return 77; } extern __thread int visible; __thread int elsewhere = 6; int shared_common;
        int main(void) { shared_common = 5; visible += 3; for (int i = 0; i < 3; i++) printf("%d\\n", bump(i)); }`;
      const library = (step: number) => `${HEAD}
        static __thread int local = 4; __thread int visible = 10; static __thread int zeroed[7];
        int shared_common; __attribute__((weak)) int hook(void) { return 1; } __attribute__((weak)) int other(void) { return 2; }
        extern __thread int elsewhere; extern int never(void) __attribute__((weak));
        extern int absent(void) __attribute__((weak)); extern int absent_data __attribute__((weak));
        static int ready; __attribute__((constructor)) static void start(void) { ready = ${step}; puts("start"); }
        __attribute__((destructor)) static void stop(void) { puts("stop"); }
        int bump(int x) { local += ${step}; zeroed[x]++; return local + visible + zeroed[x] + hook() + other() + ready +
          shared_common + (absent ? absent() : 0) + (&absent_data != 0) + (x > 900 ? never() : 0) + elsewhere; }`;
      yard.check({
        ...{ machine, main, flags: ["-fcommon"] },
        versions: { "1": { lib: library(1) }, "2": { lib: library(100) } },
      });
    });

    test("functions chosen at start (IFUNC)", () => {
      const main = `${HEAD}int chosen(int); int use(int); int main(void) { printf("%d %d\\n", chosen(3), use(4)); }`;
      const library = (n: number) => `
        static int fast(int x) { return x * ${n}; }
        static int (*pick(void))(int) { return fast; }
        int chosen(int) __attribute__((ifunc("pick")));
        int (*by_pointer)(int) = chosen;
        int use(int x) { return chosen(x) + by_pointer(x) * 10; }`;
      yard.check({ machine, main, versions: { "1": { lib: library(3) }, "2": { lib: library(4) } } });
    });

    test("position-independent objects, and functions in one section", () => {
      const main = `${HEAD}int api(int); int main(void) { for (int i = 0; i < 4; i++) printf("%d\\n", api(i)); }`;
      const library = (n: number) => `${HEAD}
        int data = ${n}; static int own[3] = { 1, 2, 3 }; int zero;
        __attribute__((noinline)) int inner(int x) { zero += x; return own[x % 3] + data * ${n} + zero; }
        int (*table[2])(int) = { inner, inner };
        int api(int x) { puts("api"); return table[x & 1](x) + inner(x); }`;
      const versions = { "1": { lib: library(3) }, "2": { lib: library(4) } };
      yard.check({ machine, main, versions, flags: ["-fPIC"] });
      yard.check({ machine, main, versions, flags: ["-fno-function-sections", "-fno-data-sections"] });
    });

    for (const policy of ["all", "none"] as const) {
      test(`slots: ${policy}`, () => {
        const main = `${HEAD}int api(int); extern int (*held)(int); int inner(int);
          int main(void) { printf("%d %d\\n", api(3), held == inner); }`;
        const library = (n: number) => `${HEAD}
          __attribute__((noinline)) int inner(int x) { __asm__(""); return x * ${n}; }
          int (*held)(int) = inner;
          __attribute__((noinline)) int middle(int x) { return inner(x) + 1; }
          int api(int x) { puts("api"); return middle(x) + held(x); }`;
        const program = { machine, main, versions: { "1": { lib: library(3) }, "2": { lib: library(4) } } };
        const { layout } = yard.check(program, { policy });
        assert.equal(layout.state.slots.has("inner"), policy === "all");
        assert.equal(layout.state.slots.size > 0, policy === "all");
        assert.deepEqual(variantsOf(layout, "middle").length, policy === "all" ? 1 : 2);
      });
    }
  });
}

describe("later versions", { skip: lacks("x86-64") }, () => {
  const main = `${HEAD}int api(int); int main(void) { for (int i = 0; i < 4; i++) printf("%d\\n", api(i)); }`;
  const library = (n: number, more = "") => `${HEAD}${more}
    int table[${n}] = { 5 };
    __attribute__((noinline)) int leaf(int x) { __asm__(""); return x * ${n}; }
    __attribute__((noinline)) int stays(int x) { puts("stays"); return x + 4; }
    int api(int x) { return leaf(x) + stays(x) + table[0]; }`;
  const text = (state: Layout["state"]) => encodeState(state);

  test("are added without moving anything, and the state is read again as it was written", () => {
    const first = yard.check({ main, versions: { "1": { lib: library(3) }, "2": { lib: library(4) } } });
    const state = decodeState(text(first.layout.state));
    assert.equal(text(state), text(first.layout.state));
    const second = yard.check(
      {
        main,
        versions: { "3": { lib: library(4, "int fresh(int x) { return x; }") }, "4": { lib: library(9) } },
      },
      {},
      state,
    );
    const after = second.layout.state;
    assert.deepEqual(after.labels, ["1", "2", "3", "4"]);
    const places = (layout: Layout["state"]) =>
      new Map(layout.variants.map(({ id, placements }) => [id, placements]));
    for (const [id, placements] of places(state)) assert.deepEqual(places(after).get(id), placements);
    for (const [key, { address }] of state.slots) assert.equal(after.slots.get(key)?.address, address);
    const reused = after.variants.filter(
      ({ names, occurrences }) => names.has("stays") && occurrences.size > 0,
    );
    assert.equal(reused.length, 1);
    assert.ok(
      state.variants.some(({ id }) => id === reused[0]!.id),
      "what is the same has its old address",
    );
    assert.equal(
      after.homes.filter(({ key }) => key === "table").length,
      2,
      "the larger table has a new home",
    );
  });

  test("a constant that got a home keeps it in later versions", () => {
    const use = `extern const int limits[3];
      __attribute__((noinline)) int limit(int x) { return limits[x % 3]; } int api(int x) { return limit(x); }`;
    const version = (n: number) => ({ data: `const int limits[3] = { 1, ${n}, 3 };`, lib: use });
    const first = yard.check({ main, versions: { "1": version(3), "2": version(4) } });
    assert.ok(first.layout.state.homes.some(({ key }) => key === "limits"));
    const second = yard.check(
      { main, versions: { "3": version(5) } },
      {},
      first.layout.state,
      first.versions,
    );
    assert.equal(second.layout.state.variants.length, first.layout.state.variants.length);
  });

  const named = (date: string, n: number) => `${HEAD}
    __attribute__((noinline)) int report(int x) { puts("built on ${date}"); return x; }
    __attribute__((noinline)) int complain(int x) { puts("built on ${date}"); return x + 2; }
    __attribute__((noinline)) int differs(int x) { __asm__(""); return x * ${n}; }
    __attribute__((noinline)) int unused${n}(int x) { return x ^ ${n}; }
    int api(int x) { return report(x) + complain(x) + differs(x); }`;

  test("a constant that says which version it is has one address, so what uses it stays the same", () => {
    const versions = { "1": { lib: named("2024-01-02", 3) }, "2": { lib: named("2025-03-04", 5) } };
    const { layout } = yard.check({ main, versions });
    assert.deepEqual(variantsOf(layout, "report"), [2]);
    assert.deepEqual(variantsOf(layout, "api"), [2]);
    assert.ok(layout.state.homes.some(({ key }) => key.startsWith("constant ")));
  });

  test("also when the later version comes later; its pages are those of the earlier program", () => {
    const first = yard.check({ main, versions: { "1": { lib: named("2024-01-02", 3) } } }, { policy: "all" });
    const before = encodeState(first.layout.state);
    // The state as it is in memory, and as it is read from the file.
    for (const state of [first.layout.state, decodeState(before)]) {
      const later = { "2": { lib: named("2025-03-04", 5) }, "3": { lib: named("2026-05-06", 5) } };
      const second = yard.check({ main, versions: later }, {}, state, first.versions);
      assert.equal(encodeState(first.layout.state), before, "a given state is not changed");
      const fresh = second.layout.state.variants.filter(
        ({ id }) => !state.variants.some((old) => old.id === id),
      );
      const names = fresh.flatMap((variant) => [...variant.names]);
      assert.deepEqual(names.toSorted(), ["differs", "unused5"]);
      const { base, usedBytes } = state.regions.code;
      const code = [first, second].map(({ images }) => bytesAt(images[0]!, base, usedBytes));
      assert.equal(code[0], code[1], "what 2 no longer uses of a page is there too");
    }
  });

  test("a version can't be added twice, a full region is named with its sizes", () => {
    const { versions } = yard.build({ main, versions: { "1": { lib: library(3) } } });
    const { layout } = yard.check({ main, versions: { "1": { lib: library(3) } } });
    assert.throws(
      () => yard.check({ main, versions: { "1": { lib: library(3) } } }, {}, layout.state),
      (error) => isTenonError(error, "usage"),
    );
    assert.equal(versions.length, 1);
    assert.throws(
      () => yard.check({ main, versions: { "1": { lib: library(3) } } }, { sizes: { code: 16 } }),
      /the code region is full: it has 16 bytes at 0x\d+, \d+ are needed/,
    );
  });
});
