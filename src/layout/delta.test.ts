/** Deltas linked in front of the base: the program must do what the later version does. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { type Machine, writeObject } from "../elf/index.ts";
import { isTenonError } from "../errors/index.ts";
import { type DeltaChainPiece, deltaChain } from "./index.ts";
import { lacks, type Program, Yard } from "./testing/programs.ts";

const yard = new Yard();
after(() => yard.dispose());

/** Links every prefix of the chain with every linker, runs it, compares; returns the pieces of the whole chain. */
function check(program: Program, linkers = ["bfd", "lld", "gold"]): DeltaChainPiece[] {
  const { main, versions } = yard.build(program);
  let pieces: DeltaChainPiece[] = [];
  for (const trampolines of [false, true]) {
    for (let count = 2; count <= versions.length; count++) {
      pieces = deltaChain(versions.slice(0, count), { trampolines });
      const objects = pieces.map(({ object, label }) => {
        const path = yard.path(`piece-${label}.o`);
        writeFileSync(path, writeObject(object));
        return path;
      });
      for (const linker of linkers) {
        const linked = yard.link(program, [main, ...objects.toReversed()], { linker });
        const { label, expected } = versions[count - 1]!;
        assert.equal(
          yard.run(program, linked),
          expected,
          `${label} with ${linker}, trampolines: ${trampolines}`,
        );
      }
    }
  }
  return pieces;
}

const HEAD =
  "int printf(const char *, ...); int puts(const char *);\n#define KEEP __attribute__((noinline, noclone))\n";
const names = (piece: DeltaChainPiece) => piece.object.symbols.map(({ name }) => name);

for (const machine of ["x86-64", "aarch64"] as Machine[]) {
  describe(machine, { skip: lacks(machine) }, () => {
    test("a change that keeps the size, one only in a call target, and a revert", () => {
      const main = `${HEAD}int api(int); int main(void) { for (int i = 0; i < 5; i++) printf("%d\\n", api(i)); }`;
      const library = (factor: number, callee: string) => `${HEAD}
        KEEP static int left(int x) { __asm__(""); return x * 3; }
        KEEP static int right(int x) { __asm__(""); return x * 5; }
        KEEP int sized(int x) { __asm__(""); return x + ${factor}; }
        KEEP static int caller(int x) { puts("caller"); return ${callee}(x) + 1; }
        KEEP int constant(int x) { return sized(x) * 2 + sized(x + 1); }
        int keep(int x) { return left(x) - right(x); }
        int api(int x) { return caller(x) + constant(x) * 100; }`;
      const pieces = check({
        machine,
        main,
        versions: {
          "1": { lib: library(7, "left") },
          "2": { lib: library(9, "left") },
          "3": { lib: library(9, "right") },
          "4": { lib: library(7, "left") },
        },
      });
      const sections = pieces.map(({ object }) =>
        object.sections.map(({ name }) => name).filter((n) => n.startsWith(".text")),
      );
      assert.deepEqual(sections[1], [".text.sized", ".text.tenon_slots"]);
      assert.deepEqual(sections[2], [".text.caller", ".text.tenon_slots"]);
      assert.deepEqual(sections[3], [".text.tenon_slots"], "a revert refers to the older bodies");
      assert.deepEqual(pieces[3]!.reverted.toSorted(), ["lib.o:caller", "sized"]);
      assert.deepEqual(pieces[0]!.replaced.toSorted(), [".text.caller", ".text.sized"]);
      assert.ok(
        names(pieces[0]!).some((name) => name.startsWith("caller.tenon.")),
        "statics are global and hidden",
      );
    });

    test("static functions and data of one name in two files, what is new and what is gone", () => {
      const file = (n: number, add: number, more = "") => `${HEAD}${more}
        static int counter = ${n}; static const char *names[] = { "zero", "one ${add}", "two" };
        KEEP static int helper(int x) { counter += x + ${add}; return counter; }
        int run${n}(int x) {
          puts(names[x % 3]);
          switch (x) { case 0: return helper(1); case 1: return helper(2) * 2; case 2: return counter; case 3: return 8;
            case 4: return helper(x) ^ 99; case 5: return helper(4) + counter; default: return -1; }
        }`;
      const main = `${HEAD}int run3(int), run4(int); int main(void) { for (int i = 0; i < 7; i++) printf("%d %d\\n", run3(i), run4(i)); }`;
      const gone =
        'int gone_data[3]; KEEP int gone(int x) { return gone_data[x]++; } __attribute__((constructor)) static void start(void) { gone(1); puts("start"); }';
      const fresh =
        'static int fresh_data[5]; KEEP int fresh(int x) { return fresh_data[x]++; } __attribute__((constructor)) static void begin(void) { fresh(1); puts("begin"); }';
      const pieces = check({
        machine,
        main,
        versions: {
          "1": { a: file(3, 1, gone), b: file(4, 2) },
          "2": { a: file(3, 6, fresh), b: file(4, 2) },
          "3": { a: file(3, 1), b: file(4, 7) },
        },
      });
      assert.ok(
        !pieces[1]!.object.sections.some(({ name }) => name === ".text.run4"),
        "what is the same is not stored",
      );
    });

    test("statics of functions, whose numbers shift, and strings", () => {
      const main = `${HEAD}int one(int), two(int); int main(void) { for (int i = 0; i < 4; i++) printf("%d %d\\n", one(i), two(i)); }`;
      const library = (n: number, more: string) => `${HEAD}${more}
        int one(int x) { static int count = 3; static const int table[5] = { 1, 2, ${n}, 4, 5 }; puts("one ${n}"); return count++ + table[x]; }
        int two(int x) { static int count = 7; static const int table[5] = { 9, 2, 3, 4, 5 }; puts("two"); return count++ + table[x] + one(x); }`;
      const more =
        "int zero(int x) { static int count; static const int table[3] = { 8, 8, 7 }; return table[x] + count++; }";
      const versions = {
        "1": { lib: library(3, "") },
        "2": { lib: library(4, more) },
        "3": { lib: library(3, more) },
      };
      for (const flags of [[], ["-fPIC"], ["-fno-data-sections"]]) check({ machine, main, versions, flags });
    });

    test("C++: templates, exceptions, inline statics; thread-local data", () => {
      const shared = `
        extern "C" int printf(const char *, ...);
        template <class T> struct Box { T value; int twice() const; static int made; };
        template <class T> int Box<T>::made = 5;
        inline int &shared() { static int count = 40; return count; }
        int risky(int); extern thread_local int visible;
        template <class T> __attribute__((noinline)) int Box<T>::twice() const { made++; return value * FACTOR; }`;
      const main = `${shared.replace("FACTOR", "2")}
        int main() { for (int i = 0; i < 5; i++) try { printf("%d\\n", risky(i)); } catch (int n) { printf("caught %d\\n", n); }
          printf("%d %d %d\\n", Box<int>::made, shared()++, visible); }`;
      const library = (limit: number, more: string) => `${shared.replace("FACTOR", "2")}
        thread_local int visible = ${limit}; static thread_local int local[3]; ${more}
        struct Guard { int id; ~Guard() { printf("unwound %d\\n", id); } };
        __attribute__((noinline)) static int inner(int x) {
          Guard guard{x}; local[x % 3]++; visible++;
          if (x > ${limit}) throw x;
          Box<int> box{x}; Box<long> wide{x}; shared() += 2; return box.twice() + wide.twice() + local[0];
        }
        int risky(int x) { try { return inner(x) + 1; } catch (int n) { if (n == 4) throw; return -n; } }`;
      // gold's static programs for AArch64 abort at the first exception, however they are linked.
      const linkers = machine === "aarch64" ? ["bfd", "lld"] : ["bfd", "lld", "gold"];
      const program: Program = {
        ...{ machine, main, language: "cc" },
        versions: {
          "1": { lib: library(2, "") },
          "2": { lib: library(3, "template struct Box<char>;") },
          "3": { lib: library(2, "") },
        },
      };
      check(program, linkers);
    });
  });
}

test("chains that make no sense are refused", { skip: lacks("x86-64") }, () => {
  const text = "int f(void) { return 1; }";
  const { versions } = yard.build({
    main: "int main(void) { return 0; }",
    versions: { "1": { lib: text }, "2": { lib: text } },
  });
  const [one] = versions;
  for (const chain of [[one!], [one!, one!]])
    assert.throws(
      () => deltaChain(chain),
      (error) => isTenonError(error, "usage"),
    );
  const [, same] = deltaChain(versions);
  assert.equal(same!.units, 0, "equal versions make an empty delta");
});
