// Compiles style sheets with LibSass: nesting, mixins, loops, functions, @extend, maps, imports; and sheets that are wrong,
// whose errors travel as C++ exceptions through the library, also from our own callbacks. Prints a hash of all that came
// back. Argument: how often.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include "sass/context.h"

namespace {

uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a, 64 bits
uint64_t results, errors;

void mix(const char *text) {
  for (; text && *text; text++) hash = (hash ^ static_cast<unsigned char>(*text)) * 0x100000001b3u;
}

// Thrown by our callback, through frames of the library.
struct Refused : std::runtime_error {
  explicit Refused(const std::string &why) : std::runtime_error(why) {}
};

Sass_Import_List import(const char *path, Sass_Importer_Entry, Sass_Compiler *) {
  if (std::strcmp(path, "refused") == 0) throw Refused(std::string("will not import ") + path);
  if (std::strncmp(path, "part-", 5) != 0) return nullptr;
  std::string content = std::string(".") + path + " { width: " + std::to_string(std::strlen(path)) + "px; &:hover { color: mix(red, blue, 30%); } }";
  Sass_Import_List list = sass_make_import_list(1);
  list[0] = sass_make_import_entry(path, strdup(content.c_str()), nullptr);
  return list;
}

union Sass_Value *twice(const union Sass_Value *arguments, Sass_Function_Entry, Sass_Compiler *) {
  const union Sass_Value *first = sass_list_get_value(arguments, 0);
  if (!sass_value_is_number(first)) return sass_make_error("twice: not a number");
  return sass_make_number(2 * sass_number_get_value(first), sass_number_get_unit(first));
}

const char *const SHEETS[] = {
  "$map: (small: 4px, large: 16px); @each $k, $v in $map { .pad-#{$k} { padding: $v; .inner { margin: $v * 2; } } }",
  "@mixin box($w, $c: red) { width: $w; border: 1px solid darken($c, 10%); @content; } "
  "@for $i from 1 through 40 { .box-#{$i} { @include box($i * 3px) { &:before { content: 'n#{$i}'; } } } }",
  "%base { color: blue; a & { color: green; } } .one { @extend %base; } .two .three { @extend .one; top: 1em + 2em; } .one.four { left: 0 }",
  "@function fib($n) { @if $n < 2 { @return $n; } @return fib($n - 1) + fib($n - 2); } .f { width: fib(13) * 1px; height: twice(21px); }",
  "@import 'part-one', 'part-three'; $list: 1px 2px, 3px; .l { a: nth($list, 2); b: length($list); c: join($list, (a, b)); d: index(1 2 3, 2); }",
  ".g { color: rgba(hsl(120, 40%, 50%), .5); background: lighten(#369, 20%) url('x.png'); width: calc(100% - #{2 * 3px}); content: unquote('a') + quote(b); }",
  "@media screen and (min-width: 100px) { .m { x: y; @media (orientation: landscape) { z: w } } } @supports (display: grid) { .s { display: grid } }",
  "$i: 60; @while $i > 0 { .w-#{$i} { width: percentage($i / 60); @if $i % 2 == 0 { even: yes; } @else if $i % 3 == 0 { three: yes; } @else { odd: str-slice('abcdef', 2, 4); } } $i: $i - 1; }",
  // Wrong ones.
  ".a { color: $missing; }",
  ".b { width: 1px + 1s; }",
  ".c { @include nowhere; }",
  "@function broken($x) { @return map-get($x, y); } .d { a: broken(3); }",
  ".e { color: red;",
  "@import 'refused';",
  ".h { height: twice('text'); }",
  ".i { @extend .not-there; }",
  "@error 'stop #{1 + 1}';",
};

void compile(const char *sheet, Sass_Output_Style style) {
  Sass_Data_Context *data = sass_make_data_context(strdup(sheet));
  Sass_Context *context = sass_data_context_get_context(data);
  Sass_Options *options = sass_context_get_options(context);
  sass_option_set_output_style(options, style);
  sass_option_set_precision(options, 5);
  Sass_Importer_List importers = sass_make_importer_list(1);
  sass_importer_set_list_entry(importers, 0, sass_make_importer(import, 0, nullptr));
  sass_option_set_c_importers(options, importers);
  Sass_Function_List functions = sass_make_function_list(1);
  sass_function_set_list_entry(functions, 0, sass_make_function("twice($x)", twice, nullptr));
  sass_option_set_c_functions(options, functions);
  try {
    if (sass_compile_data_context(data) == 0) mix(sass_context_get_output_string(context));
    else {
      errors++;
      mix(sass_context_get_error_text(context));
    }
  } catch (const Refused &refused) {
    errors++;
    mix(refused.what());
  }
  results++;
  sass_delete_data_context(data);
}

}  // namespace

int main(int count, char **arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 1;
  for (int round = 0; round < rounds; round++) {
    for (const char *sheet : SHEETS) {
      compile(sheet, SASS_STYLE_EXPANDED);
      compile(sheet, SASS_STYLE_COMPRESSED);
    }
  }
  std::printf("%s %" PRIu64 " sheets, %" PRIu64 " errors, %016" PRIx64 "\n", libsass_version(), results, errors, hash);
  return 0;
}
