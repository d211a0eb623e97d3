#!/bin/sh
# SPDX-License-Identifier: MIT
# rfield-mpi on one and two ranks: the same results, files in their order, errors that stop all ranks.
# usage: test_mpi.sh RFIELD_MPI MPI_FILES MPIRUN
set -u
tool=$1
files=$2
mpirun=$3
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failures=0
# Open MPI asks for these where tests run as root, on fewer processors than ranks.
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe
# Open MPI itself leaves memory behind, which a build with AddressSanitizer would report.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS

if ! "$mpirun" -n 2 true >"$work/err" 2>&1; then
    echo "skip: mpirun starts no two processes: $(head -n 3 "$work/err")"
    exit 77
fi

wrong() {
    echo "WRONG: $*"
    failures=$((failures + 1))
}

# expect RANKS CODE WORDS...: output in $work/out and $work/err
expect() {
    ranks=$1
    code=$2
    shift 2
    timeout 60 "$mpirun" -n "$ranks" "$tool" "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    [ "$got" -eq "$code" ] || wrong "$ranks ranks, $*: exit $got, expected $code: $(cat "$work/err")"
}

err_has() {
    grep -q -e "$1" "$work/err" || wrong "$2: no '$1' in: $(cat "$work/err")"
}

mkdir "$work/files"
"$files" make "$work" || exit 99
train() {
    ranks=$1
    out=$2
    shift 2
    expect "$ranks" 0 train "$work/network.json" --data "$work/data.npy" --labels "$work/labels.npy" --epochs 4 \
        --batch 16 --rate 0.1 --seed 3 -o "$work/$out" "$@"
}

# ---- words
expect 2 0 --version
expect 2 0 run --help
[ "$(grep -c '^usage' "$work/out")" -eq 1 ] || wrong "help is not printed once"
expect 2 2
expect 2 2 nothing
expect 2 2 run "$work/network.json"
expect 2 2 train "$work/network.json"
expect 2 2 train "$work/network.json" -d a -l b -o c --batch 3
err_has '2 ranks' 'a batch that does not divide'
expect 2 2 train "$work/network.json" -d a -l b -o c --momentum 1

# ---- two ranks with half of each batch are one rank with all of it
train 1 one.onnx
cp "$work/out" "$work/losses"
[ "$(wc -l <"$work/losses")" -eq 4 ] || wrong "not a line for each of four epochs: $(cat "$work/losses")"
awk 'NR == 1 { first = $4 } { last = $4 } END { exit !(last < 0.7 * first) }' "$work/losses" \
    || wrong "the loss does not fall: $(cat "$work/losses")"
train 2 two.onnx
"$files" compare "$work/one.onnx" "$work/two.onnx" 1e-5 || wrong "two ranks have other weights than one"
train 2 again.onnx
cmp -s "$work/two.onnx" "$work/again.onnx" || wrong "the same ranks and seed give other weights"
train 1 momentum.onnx --momentum 0.9
"$files" compare "$work/one.onnx" "$work/momentum.onnx" 1e-5 >/dev/null && wrong "momentum changes nothing"
train 2 momentum2.onnx --momentum 0.9 --threads 2
"$files" compare "$work/momentum.onnx" "$work/momentum2.onnx" 1e-5 || wrong "momentum differs between ranks"

# ---- what goes wrong on one rank stops both, and leaves no file
for labels in wrong_labels absent; do
    expect 2 1 train "$work/network.json" --data "$work/data.npy" --labels "$work/$labels.npy" --batch 50 -o "$work/no.onnx"
    [ ! -e "$work/no.onnx" ] || wrong "$labels: a network was saved"
done
err_has 'absent.npy: ' 'labels that are not there'
expect 2 1 train "$work/network.json" --data "$work/wrong_data.npy" --labels "$work/labels.npy" --batch 50 -o "$work/no.onnx"
err_has 'finite' 'data that are not numbers'
expect 2 1 train "$work/network.json" --data "$work/labels.npy" --labels "$work/labels.npy" -o "$work/no.onnx"
expect 2 1 train "$work/network.json" --data "$work/data.npy" --labels "$work/data.npy" -o "$work/no.onnx"
expect 2 1 train "$work/network.json" --data "$work/data.npy" --labels "$work/labels.npy" --batch 52 -o "$work/no.onnx"
expect 2 1 train "$work/network.json" --data "$work/data.npy" --labels "$work/labels.npy" --batch 50 -o "$work/no/no.onnx"
err_has 'no/no.onnx' 'a file that cannot be written'

# ---- a directory, shared out
expect 1 0 run "$work/one.onnx" "$work/files" --top 2
cp "$work/out" "$work/alone"
[ "$(wc -l <"$work/alone")" -eq 7 ] || wrong "not a line for each of seven files: $(cat "$work/alone")"
cut -f 1 "$work/alone" | LC_ALL=C sort -c || wrong "files are not in their order"
[ "$(awk -F '\t' '{ print NF }' "$work/alone" | sort -u)" = 3 ] || wrong "not two scores a line: $(cat "$work/alone")"
for ranks in 2 3; do
    expect $ranks 0 run "$work/one.onnx" "$work/files" --top 2
    cmp -s "$work/alone" "$work/out" || wrong "$ranks ranks print something else"
done
echo 'no tensor' >"$work/files/example 2b.npy"
mkdir "$work/files/folder"
expect 2 1 run "$work/one.onnx" "$work/files" --top 2
err_has 'example 2b.npy: ' 'a bad file'
grep -q "^example 2b.npy	failed" "$work/out" || wrong "a bad file is not told: $(cat "$work/out")"
grep -v 2b "$work/out" | cmp -s - "$work/alone" || wrong "a bad file changes the others' results"
expect 2 1 run "$work/one.onnx" "$work/absent"
expect 2 1 run "$work/absent.onnx" "$work/files"
[ "$(grep -c 'absent.onnx: ' "$work/err")" -eq 1 ] || wrong "a missing model is not told once: $(cat "$work/err")"
expect 2 1 run "$work/network.json" "$work/files"

[ "$failures" -eq 0 ] || { echo "$failures wrong"; exit 1; }
echo "all as promised"
