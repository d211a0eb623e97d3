#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The programs that train: what they learn, that a seed gives the same network for any number of
# threads, and what they say of bad options and data.
#
# usage: test_training.sh PROGRAMS RFIELD
set -u

programs=$1 rfield=$2
fashion=/usr/share/datasets/fashion-mnist # where Debian's dataset-fashion-mnist puts it
digits=/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz # and its python3-sklearn
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
  echo "FAIL: $*"
  failed=$((failed + 1))
}

# expect STATUS TEXT COMMAND...: the exit status, and what standard error must hold.
expect() {
  status=$1 text=$2
  shift 2
  "$@" >"$work/out" 2>"$work/err"
  found=$?
  [ "$found" -eq "$status" ] || fail "$* exits with $found, not $status"
  grep -q -e "$text" "$work/err" || fail "$* does not say '$text' but: $(cat "$work/err")"
}

# accuracy LEAST PROGRAM OPTION...: its last line, and nothing on a standard error that is no terminal.
accuracy() {
  least=$1
  shift
  "$@" >"$work/out" 2>"$work/err" || fail "$* fails: $(cat "$work/err")"
  [ -s "$work/err" ] && fail "$* says on standard error: $(cat "$work/err")"
  line=$(tail -n 1 "$work/out")
  echo "$(basename "$1"): $line"
  case $line in
    'test accuracy: '[01].[0-9][0-9][0-9][0-9]) ;;
    *) fail "$* ends with '$line'" ;;
  esac
  awk -v found="${line##* }" -v least="$least" 'BEGIN { exit !(found >= least) }' || fail "$* gets less than $least"
}

# Pictures of 8 by 8 whose class is where a bright square of 3 by 3 lies, under noise.
awk 'BEGIN {
  srand(1)
  for (n = 0; n < 600; n++) {
    class = int(10 * rand())
    for (i = 0; i < 64; i++) {
      y = int(i / 8) - int(class / 5) * 4; x = i % 8 - class % 5
      printf "%d,", (y >= 0 && y < 3 && x >= 0 && x < 3 ? 10 : 0) + int(6 * rand())
    }
    print class
  }
}' >"$work/squares.csv"

accuracy 0.95 "$programs/train_digits" --data "$work/squares.csv" --epochs 8 --seed 3 --threads 1 --output "$work/one.onnx"
accuracy 0.95 "$programs/train_digits" --data "$work/squares.csv" --epochs 8 --seed 3 --threads 2 --output "$work/two.onnx"
cmp "$work/one.onnx" "$work/two.onnx" || fail "two threads learn another network than one"
accuracy 0.95 "$programs/train_digits" --data "$work/squares.csv" --epochs 8 --seed 4 --output "$work/other.onnx"
cmp -s "$work/one.onnx" "$work/other.onnx" && fail "another seed gives the same network"
"$rfield" analyze "$work/one.onnx" | grep -q '^norm2 ' || fail "rfield does not analyse what was saved"

expect 2 '^usage: ' "$programs/train_digits" --learn
expect 2 "epochs is '0'" "$programs/train_digits" --epochs 0
expect 2 '^usage: ' "$programs/train_digits" --seed
expect 1 'nothing.csv: cannot be read' "$programs/train_digits" --data "$work/nothing.csv"
expect 1 'RF_ERROR_IO: ' "$programs/train_digits" --data "$work/squares.csv" --output "$work/none/x.onnx"
echo '1,2,3' >>"$work/squares.csv"
expect 1 'squares.csv: cannot be read, or holds something else' "$programs/train_digits" --data "$work/squares.csv"
expect 1 'train-images-idx3-ubyte.gz: cannot be read' "$programs/train_fashion_mnist" --data "$work"

if [ -e "$digits" ]; then
  accuracy 0.97 "$programs/train_digits" --epochs 10
else
  echo "skip: there is no $digits"
fi
if [ -e "$fashion/train-images-idx3-ubyte.gz" ]; then
  accuracy 0.86 "$programs/train_fashion_mnist" --epochs 1
else
  echo "skip: the data set is not in $fashion"
fi
[ "$failed" -eq 0 ]
