#!/bin/bash
# Links versions of a Unikraft application so that they share pages, from build folders that Unikraft's make has left.
#
#   bench/lib/unikraft.sh OUTPUT NAME=BUILD...       BUILD: a finished build (kvm, x86-64, multiboot), NAME: its version
#
# In OUTPUT it leaves plain-NAME (what make linked) and layout-NAME (the same objects, laid out), both ready to boot, and
# the layout's folder. docs/manual/unikernels.md says what each step is for. TENON names another command than this
# checkout's.
set -euo pipefail
if [[ $# -lt 2 ]]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
checkout=$(cd "$(dirname "$0")/../.." && pwd)
read -ra tenon <<< "${TENON:-$checkout/node_modules/.bin/node $checkout/src/cli/main.ts}"
mkdir -p "$1"
output=$(cd "$1" && pwd)
shift

# Unikraft maps the first GiB one to one; the image stands at 1 MiB and is well below 4 MiB long. What is reserved costs
# nothing but addresses, which have to be memory that the machine has.
regions=(--base 0x400000 --region slots=64K --region code=2M --region rodata=1M --region data=1M --region bss=4M)

# The command that linked the image, and the ones that finished it, are kept by make beside what they made.
image_of() {
  local commands=("$1"/*_qemu-x86_64.dbg.cmd)
  [[ ${#commands[@]} -eq 1 && -f ${commands[0]} ]] || {
    echo "$1: no single *_qemu-x86_64.dbg.cmd: build it first, for kvm and x86-64" >&2
    exit 1
  }
  echo "${commands[0]%.dbg.cmd}"
}

# The libraries' objects. The platform's stays outside: its boot code must stand where link64.lds wants it.
objects_of() {
  tr ' ' '\n' < "$(image_of "$1").dbg.cmd" | grep '\.o$' | grep -v '/libkvmplat\.o$'
}

# What make does with a linked image, by the commands that it kept: strips it, fills in the boot information from the
# program headers, and makes the header that multiboot wants.
finish() { # IMAGE BUILD; IMAGE.dbg is linked
  local image step
  image=$(image_of "$2")
  for step in cmd bootinfo.cmd multiboot.cmd; do
    [[ ! -f $image.$step ]] || bash -c "$(sed "s|^\"\"||; s|$image|$1|g" "$image.$step")"
  done
  # 0.16 keeps no command of the last step.
  [[ -f $image.multiboot.cmd ]] || "$(grep -o '[^ "]*/support/scripts/' "$image.bootinfo.cmd" | head -1)multiboot.py" "$1"
  rm -f "$1.bootinfo"
}

rm -rf "$output/layout"
versions=()
for pair in "$@"; do
  name=${pair%%=*} build=$(cd "${pair#*=}" && pwd)
  archive=$output/$name.a
  rm -f "$archive"
  objects_of "$build" | xargs ar rcsD "$archive"
  versions+=("$name=$archive")
done
"${tenon[@]}" lib layout unikernel "${versions[@]}" "${regions[@]}" -o "$output/layout"

for pair in "$@"; do
  name=${pair%%=*} build=$(cd "${pair#*=}" && pwd)
  image=$(image_of "$build")
  # Segments of their own for the regions, behind the ones that the platform's script has.
  sed -E 's/^([[:space:]]*)stack PT_GNU_STACK/\1lib_slots PT_LOAD FLAGS(5); lib_code PT_LOAD FLAGS(5); lib_rodata PT_LOAD FLAGS(4); lib_data PT_LOAD FLAGS(6); lib_bss PT_LOAD FLAGS(6);\n&/' \
    "$build/libkvmplat/link64.lds" > "$output/$name.link64.lds"
  sed -E 's/^(.*\.(slots|code|rodata|data|bss)\.[0-9a-f]+ .* \}) =/\1 :lib_\2 =/' \
    "$output/layout/unikernel-$name.ld" > "$output/$name.regions.ld"
  # The link command of make with three changes: the objects, the platform's script, and one more script.
  command=$(sed 's/^""//' "$image.dbg.cmd" | tr ' ' '\n' | awk \
    -v object="$output/layout/unikernel-$name.o" -v regions="$output/$name.regions.ld" \
    -v script="$output/$name.link64.lds" -v linked="$output/layout-$name.dbg" '
    /\.o$/ && !/\/libkvmplat\.o$/ { next }
    /\/libkvmplat\.o$/ { print; print object; next }
    /-dT,.*\/link64\.lds$/ { print "-Wl,-dT," script; next }
    last == "-o" { print linked; last = ""; next }
    $0 == "-o" { print "-Wl,-T," regions }
    { last = $0; print }' | tr '\n' ' ')
  bash -c "$command" 2> >(grep -v 'executable stack\|NOTE: This behaviour\|missing .note.GNU-stack' >&2 || true)
  finish "$output/layout-$name" "$build"
  cp "$image" "$output/plain-$name"
done
