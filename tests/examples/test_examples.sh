#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the build into a directory of its own, compiles every example against that through
# pkg-config alone, once with the shared and once with the static library, and runs it.
#
# usage: test_examples.sh BUILD SOURCE [COMPILER-FLAG ...]
# BUILD is a finished Meson build, SOURCE the source tree; flags are added to every compilation, such
# as -fsanitize=address for a library that was built so. CC and MESON name the programs to use.
set -u

build=$1 source=$2
shift 2
cc=${CC:-cc} meson=${MESON:-meson}
networks=$source/examples/networks
pass=0 failed=0 skipped=0

for tool in "$meson" pkg-config "${cc%% *}"; do
  command -v "$tool" >/dev/null || { echo "skip: there is no $tool"; exit 77; }
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

if ! "$meson" install -C "$build" --no-rebuild --quiet --destdir "$work/root" >"$work/log" 2>&1; then
  cat "$work/log"
  echo "FAIL: the build cannot be installed"
  exit 1
fi
pc=$(find "$work/root" -name rfield.pc)
[ -f "$pc" ] || { echo "FAIL: rfield.pc is not installed"; exit 1; }

# What was installed under a root of its own has a prefix there.
prefix=$work/root$(sed -n 's/^prefix=//p' "$pc")
sed "s|^prefix=.*|prefix=$prefix|" "$pc" >"$work/rfield.pc" && mv "$work/rfield.pc" "$pc"
PKG_CONFIG_PATH=$(dirname "$pc")${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir rfield)

# check FORM EXAMPLE FLAGS... -- LINE [ARGUMENT ...]: compiles with FLAGS; the output must hold LINE.
check() {
  form=$1 example=$2 flags=
  shift 2
  while [ "$1" != -- ]; do
    flags="$flags $1"
    shift
  done
  line=$2
  shift 2
  # Flags are words, compilers may be ("ccache gcc"): both are split on purpose.
  # shellcheck disable=SC2086
  if ! $cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$source/examples/$example.c" \
      -o "$work/$example" $flags >"$work/log" 2>&1; then
    cat "$work/log"
    echo "FAIL: $example does not compile with the $form library"
    failed=$((failed + 1))
  elif ! LD_LIBRARY_PATH=$libdir "$work/$example" "$@" >"$work/log" 2>&1; then
    cat "$work/log"
    echo "FAIL: $example fails with the $form library"
    failed=$((failed + 1))
  elif ! grep -qF -- "$line" "$work/log"; then
    cat "$work/log"
    echo "FAIL: $example does not print '$line' with the $form library"
    failed=$((failed + 1))
  else
    echo "ok: $example, $form"
    pass=$((pass + 1))
  fi
}

# A build may lack the JSON reader and report, which two of the lessons use.
with_json() {
  if pkg-config --print-requires-private rfield | grep -q jansson; then
    check "$@"
  else
    echo "skip: $2, $1: built without JSON"
    skipped=$((skipped + 1))
  fi
}

check_all() {
  form=$1
  shift
  check "$form" 01_describe_and_analyze "$@" -- 'y3     row i sees 4i-6 .. 4i+9, 0 MACs'
  with_json "$form" 02_load_onnx "$@" -- 'parameters           25557032' \
    "$networks/resnet50.json" image 1 3 224 224
  check "$form" 03_branches "$@" -- 'both as worked by hand'
  check "$form" 04_field_of_a_pixel "$@" -- '  1  2  1  0  1  2  1  0  1  2  1'
  check "$form" 05_run_kernels "$@" -- 'MACs on the input: 2028 counted, 2028 run; with padding 2700'
  with_json "$form" 06_report_json "$@" -- '"parameters": 46298'
  check "$form" 07_own_allocator "$@" -- 'within 1 KiB: RF_ERROR_LIMIT'
}

# shellcheck disable=SC2046
if [ -e "$libdir/librfield.so" ]; then
  check_all shared $(pkg-config --cflags --libs rfield) "$@"
else
  echo "skip: there is no shared library"
  skipped=$((skipped + 1))
fi

# With the shared library gone, -lrfield can only be the static one.
rm -f "$libdir"/librfield.so*
# shellcheck disable=SC2046
if [ -e "$libdir/librfield.a" ]; then
  check_all static $(pkg-config --static --cflags --libs rfield) "$@"
else
  echo "skip: there is no static library"
  skipped=$((skipped + 1))
fi

echo "$pass passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] || exit 1
[ "$pass" -gt 0 ] || exit 77
