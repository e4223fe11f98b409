/** Programs that make compilers write all kinds of sections, symbols and relocations. */

/** Jump tables, strings, thread-local data, an ifunc, an initialiser, weak, hidden, common and cold. */
export const C_SOURCE = `
extern int ext(int); extern int maybe(void) __attribute__((weak));
int puts(const char *); void abort(void);
static int counter; __thread int tl = 4; static __thread int tb[3]; int tentative;
static int helper(int x) { static int n; n += x; if (x < -100) abort(); return n + counter; }
const char *const names[] = { "alpha", "beta", "gamma" };
int sw(int x) {
  switch (x) {
    case 0: return ext(1); case 1: return ext(5); case 2: return ext(9) + 2; case 3: return ext(7);
    case 4: return ext(x) * 3; case 5: return 77; case 6: return ext(2) - x; default: puts("default"); return helper(x);
  }
}
int map(int x) { switch (x) { case 0: return 7; case 1: return 19; case 2: return -4; case 3: return 1024; case 4: return 3; case 5: return 99; } return 0; }
double half(double d) { return d * 0.5 + 3.25; }
__attribute__((cold)) void dead(void) { puts(__func__); }
static int impl(void) { return tl + tb[1]++; }
static void *resolver(void) { return impl; }
int chosen(void) __attribute__((ifunc("resolver")));
__attribute__((constructor)) void boot(void) { counter = tentative; puts(names[counter]); }
__attribute__((weak)) int overridable(void) { return maybe ? maybe() : 1; }
__attribute__((visibility("hidden"))) int hidden_one(int x) { return x > 3 ? helper(x) : 0; }
int checked(int x) { if (__builtin_expect(x > 1000, 0)) { puts("too large"); abort(); } return x + hidden_one(x); }
const int *place(void) { static const int grid[] = { 3, 1, 4, 1, 5 }; return grid; }
`;

/** Templates, exceptions, virtual functions, thread-local objects, inline variables; no headers, to compile fast. */
export const CC_SOURCE = `
extern "C" int puts(const char *); extern int source();
template <class T> T larger(T a, T b) { return a < b ? b : a; }
template int larger<int>(int, int); template long larger<long>(long, long);
struct Guard { int n; explicit Guard(int k) : n(k) { puts("in"); } ~Guard() { puts("out"); } };
static int helper(int x) { if (x > 3) throw x; return x; }
int caught(int x) { try { Guard g(x); return helper(source()) + g.n; } catch (int e) { return -e; } catch (...) { return 0; } }
thread_local Guard local(5);
int usesLocal() { return local.n; }
struct Base { virtual int value() { return 1; } virtual ~Base() {} };
struct Derived : Base { int value() override { return larger(2, source()); } };
Base *make(int n) { if (n) return new Derived; return new Base; }
inline int once() { static Guard kept(source()); return kept.n; }
int usesOnce() { return once(); }
inline int shared_value = source();
int usesShared() { return shared_value; }
`;
