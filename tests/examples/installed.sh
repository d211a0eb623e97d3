# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
#
# For the scripts beside it, which source this with BUILD SOURCE [COMPILER-FLAG ...] as arguments:
# installs the build into a directory of its own, $work, and points pkg-config there. BUILD is a
# finished Meson build, SOURCE the source tree; flags are added to every compilation, such as
# -fsanitize=address for a library that was built so. CC and MESON name the programs to use.

build=$1 source=$2
shift 2
cc=${CC:-cc} meson=${MESON:-meson}

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

# compile FILE.c FLAGS...: makes $work/FILE, and leaves what the compiler says in $work/log.
# Flags are words, compilers may be ("ccache gcc"): both are split on purpose.
compile() {
  file=$1
  shift
  # shellcheck disable=SC2048,SC2086
  $cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$file" -o "$work/$(basename "$file" .c)" $* >"$work/log" 2>&1
}
