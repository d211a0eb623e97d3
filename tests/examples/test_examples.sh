#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the build into a directory of its own, compiles every example against that through
# pkg-config alone, once with the shared and once with the static library, and runs it.
#
# usage: test_examples.sh BUILD SOURCE [COMPILER-FLAG ...], as installed.sh says
set -u

# shellcheck source-path=SCRIPTDIR source=installed.sh
. "$(dirname "$0")/installed.sh"
networks=$source/examples/networks
fashion=/usr/share/datasets/fashion-mnist # where Debian's dataset-fashion-mnist puts it
pass=0 failed=0 skipped=0

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
  if ! compile "$source/examples/$example.c" "$flags"; then
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

skip() {
  echo "skip: $1"
  skipped=$((skipped + 1))
}

# with LIBRARIES FORM EXAMPLE ...: a build may lack a library, and with it the JSON reader and report,
# the ONNX reader or threads.
with() {
  for library in $1; do
    pkg-config --static --libs rfield | grep -q -e "-l$library" && continue
    skip "$3, $2: built without $library"
    return
  done
  shift
  check "$@"
}

# The accuracy is the one that PyTorch, which trained the network, gives for these pictures.
classify() {
  form=$1
  shift
  if ! pkg-config zlib; then
    skip "10_classify_fashion, $form: there is no zlib"
  elif [ ! -e "$fashion/t10k-images-idx3-ubyte.gz" ]; then
    skip "10_classify_fashion, $form: the data set is not in $fashion"
  else
    with protobuf-nanopb "$form" 10_classify_fashion "$@" "$(pkg-config --cflags --libs zlib)" \
      -- 'test accuracy: 0.9211' "$networks/fashion_mnist.onnx" \
      "$fashion/t10k-images-idx3-ubyte.gz" "$fashion/t10k-labels-idx1-ubyte.gz"
  fi
}

# The score in lesson 8 is the one that ONNX Runtime gives.
check_all() {
  form=$1
  shift
  check "$form" 01_describe_and_analyze "$@" -- 'y3     row i sees 4i-6 .. 4i+9, 0 MACs'
  with jansson "$form" 02_load_onnx "$@" -- 'parameters           25557032' \
    "$networks/resnet50.json" image 1 3 224 224
  check "$form" 03_branches "$@" -- 'both as worked by hand'
  check "$form" 04_field_of_a_pixel "$@" -- '  1  2  1  0  1  2  1  0  1  2  1'
  check "$form" 05_run_kernels "$@" -- 'MACs on the input: 2028 counted, 2028 run; with padding 2700'
  with jansson "$form" 06_report_json "$@" -- '"parameters": 46298'
  check "$form" 07_own_allocator "$@" -- 'within 1 KiB: RF_ERROR_LIMIT'
  with protobuf-nanopb "$form" 08_run_onnx "$@" -- ': 3.493e+21' \
    "$networks/squeezenet1_1.onnx"
  with 'protobuf-nanopb pthreadpool' "$form" 09_threads_and_shapes "$@" -- 'the same scores: 320 of 320' \
    "$networks/fashion_mnist.onnx"
  classify "$form" "$@"
}

# shellcheck disable=SC2046
if [ -e "$libdir/librfield.so" ]; then
  check_all shared $(pkg-config --cflags --libs rfield) "$@"
else
  skip "there is no shared library"
fi

# With the shared library gone, -lrfield can only be the static one.
rm -f "$libdir"/librfield.so*
# shellcheck disable=SC2046
if [ -e "$libdir/librfield.a" ]; then
  check_all static $(pkg-config --static --cflags --libs rfield) "$@"
else
  skip "there is no static library"
fi

echo "$pass passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] || exit 1
[ "$pass" -gt 0 ] || exit 77
