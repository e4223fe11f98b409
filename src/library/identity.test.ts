import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { type LibraryVersion, readVersion } from "./index.ts";
import { type CompileOptions, missing, Workshop } from "./testing/compile.ts";
import { C_SOURCE, CC_SOURCE } from "./testing/sources.ts";

const shop = new Workshop();
after(() => shop.dispose());

function version(text: string, options: CompileOptions = {}): LibraryVersion {
  return readVersion([shop.compile(text, options)]);
}

/** Identity of the bundle of a name. */
function identity(of: LibraryVersion, name: string): string {
  const found = of.bundles.filter((bundle) => bundle.name === name);
  assert.equal(found.length, 1, `${name}: ${of.bundles.map((bundle) => bundle.name).join(" ")}`);
  return found[0]!.identity;
}

for (const target of ["x86-64", "aarch64"] as const) {
  const skip = missing(target, "cc");
  describe(`identities on ${target}`, { skip }, () => {
    const both = (a: string, b: string, name: string, options: CompileOptions = {}) => [
      identity(version(a, { target, ...options }), name),
      identity(version(b, { target, ...options }), name),
    ];
    const same = (a: string, b: string, name: string, options?: CompileOptions) => {
      const [x, y] = both(a, b, name, options);
      assert.equal(x, y);
    };
    const differ = (a: string, b: string, name: string, options?: CompileOptions) => {
      const [x, y] = both(a, b, name, options);
      assert.notEqual(x, y);
    };

    test("a change elsewhere changes nothing, although sections and symbols get other numbers", () => {
      for (const [text, source] of [
        [C_SOURCE, "c"],
        [CC_SOURCE, "cc"],
      ] as const) {
        const before = version(text, { target, source });
        const more = `int first_of_all(int x) { return x * 3 + 1; } const char *more(void) { return "more"; }\n`;
        const later = version(`${more}${text}`, { target, source });
        for (const bundle of before.bundles)
          if (!before.units[bundle.units[0]!]!.anonymous)
            assert.equal(identity(later, bundle.name), bundle.identity, bundle.name);
        const contents = new Set(later.units.map((unit) => unit.identity));
        for (const unit of before.units) assert.ok(contents.has(unit.identity), unit.name);
      }
    });

    test("a change that keeps the size", () => {
      differ("int f(int x) { return x * 3 + 17; }", "int f(int x) { return x * 3 + 18; }", "f");
    });

    test("a change in a call target only", () => {
      const text = (name: string) => `int one(int); int two(int); int f(int x) { return ${name}(x) + 1; }`;
      differ(text("one"), text("two"), "f");
      const inside = (name: string) => `
        __attribute__((noinline, noclone)) static int one(int x) { return x * x; }
        __attribute__((noinline, noclone)) static int two(int x) { return x * x + 5; }
        int f(int x) { return ${name}(x) + 1; } int g(int x) { return one(x) * two(x); }`;
      differ(inside("one"), inside("two"), "f");
      same(inside("one"), inside("two"), "g");
    });

    test("what is called changes, its name stays: the caller is the same", () => {
      const text = (
        n: number,
      ) => `__attribute__((noinline, noclone)) static int one(int x) { return x * x + ${n}; }
        int f(int x) { return one(x) + 1; }`;
      same(text(3), text(4), "f");
      differ(text(3), text(4), "util.o:one");
    });

    test("alignment, binding, visibility and section flags", () => {
      const plain = "int f(int x) { return x + 1; }";
      differ(plain, `__attribute__((aligned(64))) ${plain}`, "f");
      differ(plain, `__attribute__((weak)) ${plain}`, "f");
      differ(plain, `__attribute__((visibility("hidden"))) ${plain}`, "f");
      differ("int v[2] = { 1, 2 };", "const int v[2] = { 1, 2 };", "v");
      differ("int v[2];", "int v[3];", "v");
      differ(plain, `__attribute__((section("special"))) ${plain}`, "f");
    });

    test("strings and nameless tables count by content", () => {
      const text = (word: string) => `int puts(const char *); int f(void) { return puts("${word}"); }`;
      same(text("a word"), `int g(void) { return 1; } ${text("a word")}`, "f");
      differ(text("a word"), text("a wore"), "f");
      const table = (
        n: number,
      ) => `int f(int x) { switch (x) { case 0: return 7; case 1: return ${n}; case 2: return -4;
        case 3: return 1024; case 4: return 3; case 5: return 99; } return 0; }`;
      differ(table(19), table(20), "f");
      const named = (n: number) =>
        `static const int grid[4] = { 1, ${n}, 3, 4 }; int f(int x) { return grid[x]; }`;
      same(named(5), named(6), "f");
      differ(named(5), named(6), "util.o:grid");
    });

    test("a function's own name isn't in it, also if it calls itself", () => {
      const text = (name: string) =>
        `int out(int); int ${name}(int x) { return x < 2 ? out(x) : out(${name}(x / 2)) + ${name}(x - 1); }`;
      const [a, b] = [version(text("f"), { target }), version(text("other"), { target })];
      assert.equal(identity(a, "f"), identity(b, "other"));
    });

    test("counters of compilers are left out", () => {
      const text = (more: string) => `int out(int *); ${more}
        int f(void) { static int kept; return out(&kept); } int g(void) { static int saved; return out(&saved); }
        const char *where(void) { return __func__; }`;
      const more =
        "int h(void) { static int other; return out(&other); } const char *here(void) { return __func__; }";
      for (const name of ["f", "g", "where", "util.o:kept", "util.o:saved"]) same(text(""), text(more), name);
    });

    test("unwind entries count", () => {
      const text = "int out(int); int f(int x) { return out(x) + 1; }";
      const [a, b] = [
        version(text, { target, flags: ["-fasynchronous-unwind-tables"] }),
        version(text, { target, flags: ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"] }),
      ];
      assert.notEqual(identity(a, "f"), identity(b, "f"));
      const unit = (of: LibraryVersion) => of.units.find(({ name }) => name === "f")!.identity;
      assert.equal(unit(a), unit(b));
    });

    test("going back to an older body gives its identity again", () => {
      const text = (n: number) => `int out(int); int f(int x) { return out(x + ${n}); }`;
      const [first, second, third] = [1, 2, 1].map((n) => identity(version(text(n), { target }), "f"));
      assert.equal(first, third);
      assert.notEqual(first, second);
    });
  });
}

describe("nameless data that refers to itself", { skip: missing("x86-64") }, () => {
  const ring = (last: number) => `
    .section .rodata.a,"a",@progbits
    .quad .rodata.b, 1
    .section .rodata.b,"a",@progbits
    .quad .rodata.c, 2
    .section .rodata.c,"a",@progbits
    .quad .rodata.a, ${last}
    .text
    .globl f
    f: lea .rodata.a(%rip), %rax
       ret`;

  test("has an identity, which changes with any of its parts", () => {
    const [a, b, again] = [3, 4, 3].map((last) => version(ring(last), { source: "s" }));
    const all = (of: LibraryVersion) =>
      of.units.filter(({ anonymous }) => anonymous).map((unit) => unit.identity);
    assert.equal(all(a!).length, 3);
    assert.deepEqual(all(a!), all(again!));
    assert.notDeepEqual(all(a!), all(b!));
  });

  test("a chain as long as the file takes no stack", () => {
    const links = Array.from(
      { length: 20_000 },
      (_, i) => `.section .rodata.l${i},"a",@progbits\n.quad .rodata.l${i + 1}\n`,
    );
    const text = `${links.join("")}.section .rodata.l20000,"a",@progbits\n.quad 1\n`;
    const long = version(text, { source: "s" });
    assert.equal(new Set(long.units.map((unit) => unit.identity)).size, 20_001);
  });
});
