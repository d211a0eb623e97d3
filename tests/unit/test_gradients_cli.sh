#!/bin/sh
# SPDX-License-Identifier: MIT
# `rfield gradients`: what it prints, writes and refuses.
# usage: test_gradients_cli.sh RFIELD NETWORKS
set -u
rfield=$(realpath "$1") || exit 99
networks=$(realpath "$2") || exit 99
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
failures=0

wrong() {
    echo "WRONG: $*"
    failures=$((failures + 1))
}

# expect CODE WORDS...: runs rfield gradients with the words; output in out and err
expect() {
    code=$1
    shift
    "$rfield" gradients "$@" >out 2>err
    got=$?
    [ "$got" -eq "$code" ] || wrong "$*: exit $got, expected $code: $(cat err)"
    if [ "$code" -eq 0 ]; then
        [ ! -s err ] || wrong "$*: said on stderr: $(cat err)"
    else
        [ "$(wc -l <err)" -eq 1 ] || wrong "$*: not one line: $(cat err)"
        [ ! -s out ] || wrong "$*: wrote on stdout though it failed"
    fi
}

out_has() {
    grep -q -e "$1" out || wrong "no '$1' in: $(cat out)"
}

err_has() {
    grep -q -e "$1" err || wrong "no '$1' in the error: $(cat err)"
}

# layers: how many lines of the table are layers of a perceptron
layers() {
    grep -c '^layer[0-9]* *Gemm' out
}

# ---- the two causes, and what mends them
for depth in 2 5 12 20; do
    expect 0 --perceptron $depth --init xavier-normal
    [ "$(layers)" -eq $depth ] || wrong "depth $depth: $(layers) layers"
    out_has '^small weights: '
    out_has 'no direction escapes'
    expect 0 --perceptron $depth --activation relu
    out_has '^healthy: '
done
expect 0 --perceptron 10 --init normal:0.3,0.1
out_has '^saturation: '
expect 0 --perceptron 10 --activation tanh --init xavier-normal --gain 0.2
out_has '^small weights: '
expect 0 --perceptron 10 --activation tanh --init xavier-normal
out_has '^healthy: '
expect 0 --perceptron 10 --activation relu --gain 6
out_has '^exploding: '
for activation in sigmoid tanh relu leaky-relu elu selu softplus softsign gelu none; do
    expect 0 --perceptron 3 --width 8 --activation $activation
done
for scheme in zero constant:0.1 normal normal:0.2 normal:0.1,0.2 uniform uniform:0.3 uniform:-1,1 xavier-uniform \
    xavier-normal he-uniform he-normal lecun-normal orthogonal; do
    expect 0 --perceptron 3 --width 8 --init $scheme
done

# ---- the same numbers for the same seed, other ones for another
expect 0 --perceptron 4 --seed 3
cp out first
expect 0 --perceptron 4 --seed 3
cmp -s out first || wrong "two runs differ"
expect 0 --perceptron 4 --seed 4
cmp -s out first && wrong "another seed gives the same"

# ---- models
expect 0 "$networks/lenet5.json"
out_has '^c1 *Conv, Tanh'
expect 0 "$networks/lenet5.json" --loss cross-entropy --batch 3
out_has 'cross-entropy loss'
expect 0 "$networks/perceptron.json" --input pixels=4x784 --init xavier-uniform --gain 2
expect 0 "$networks/perceptron.json" -i 4x784

expect 1 "$networks/perceptron.json" -i 0x784
err_has 'no elements to measure'
cat >scalar.json <<'JSON'
{"rfield": 1, "name": "scalar", "inputs": [{"name": "x", "shape": ["N", 4]}],
 "constants": [{"name": "A", "shape": [4, 3]}, {"name": "half", "shape": [1]}],
 "layers": [{"name": "product", "type": "MatMul", "from": ["x", "A"]},
            {"name": "sum", "type": "Add", "from": ["product", "half"]}, {"name": "y", "type": "Sigmoid"}]}
JSON
expect 0 scalar.json
out_has '^product *MatMul.*Sigmoid'

# A head that the loss does not depend on is left out.
cat >heads.json <<'JSON'
{"rfield": 1, "name": "heads", "inputs": [{"name": "x", "shape": ["N", 4]}], "outputs": ["one", "other"],
 "layers": [{"name": "trunk", "type": "Gemm", "filters": 4}, {"name": "y", "type": "Tanh"},
            {"name": "one", "type": "Gemm", "filters": 2, "from": "y"},
            {"name": "other", "type": "Gemm", "filters": 2, "from": "y"}]}
JSON
expect 0 heads.json
out_has ' 2 layers with weights'

# ---- forms
expect 0 --perceptron 3 -f json
for key in '"verdict": "small weights"' '"layer": "layer3"' '"spectral": ' '"bias_norm": ' '"activation": null' \
    '"saturated": 0.0'; do
    out_has "$key"
done
expect 0 --perceptron 3 -o answer.txt
[ ! -s out ] || wrong "-o: also on stdout"
grep -q '^small weights' answer.txt || wrong "-o: no answer in the file"
"$rfield" gradients --perceptron 3 -o bars.png >out 2>err
got=$?
if grep -q 'without pictures' err; then
    [ $got -eq 1 ] || wrong "without pictures: exit $got"
else
    [ $got -eq 0 ] && [ ! -s err ] || wrong "-o bars.png: exit $got: $(cat err)"
    out_has '^small weights'
    [ "$(dd if=bars.png bs=1 skip=1 count=3 2>/dev/null)" = PNG ] || wrong "bars.png is no PNG"
fi

# ---- bad input
expect 1 missing.json
err_has '^missing.json: '
cat >hard.json <<'JSON'
{"rfield": 1, "name": "hard", "inputs": [{"name": "x", "shape": ["N", 4]}],
 "layers": [{"name": "one", "type": "Gemm", "filters": 4}, {"name": "choice", "type": "Hardmax"},
            {"name": "two", "type": "Gemm", "filters": 4}]}
JSON
expect 1 hard.json
err_has "^hard.json: .*'choice' (Hardmax).*no gradient"
cat >bare.json <<'JSON'
{"rfield": 1, "name": "bare", "inputs": [{"name": "x", "shape": ["N", 4]}],
 "layers": [{"name": "relu", "type": "Relu"}]}
JSON
expect 1 bare.json
err_has '^bare.json: .*no convolution or product'
cat >two.json <<'JSON'
{"rfield": 1, "name": "two", "inputs": [{"name": "a", "shape": ["N", 4]}, {"name": "b", "shape": ["N", 4]}],
 "layers": [{"name": "sum", "type": "Add", "from": ["a", "b"]}, {"name": "one", "type": "Gemm", "filters": 4}]}
JSON
expect 1 two.json -i 2x4
err_has 'has 2 inputs'
expect 0 two.json -i a=2x4 -i b=2x4
expect 1 two.json -i a=2x4 -i b=2x5
expect 1 "$networks/lenet5.json" -i nowhere=1x1x32x32
expect 1 --perceptron 3 -o nowhere/answer.txt
err_has '^nowhere/answer.txt: '
printf '{"rfield": 1' >broken.json
expect 1 broken.json

# ---- wrong command lines
expect 2
err_has 'a model file is needed'
expect 2 a.json b.json
expect 2 --perceptron 3 a.json
expect 2 --perceptron 0
expect 2 --perceptron 99999999999999999999
expect 2 --perceptron -1
expect 2 --perceptron 3 --width 0
expect 2 --perceptron 3 --activation step
expect 2 --perceptron 3 --loss hinge
expect 2 --perceptron 3 --seed x
expect 2 --perceptron 3 --format xml
expect 2 --perceptron 3 --batch 0
expect 2 --perceptron 3 --init glorot
err_has "'glorot' is no scheme"
for scheme in he-normal:2 normal: normal:x normal:1,2,3 normal:0,-1 uniform:2,1 uniform:nan constant:1,2 constant:inf ''; do
    expect 2 --perceptron 3 --init "$scheme"
done
for gain in 0 -1 x nan inf; do
    expect 2 --perceptron 3 --gain $gain
done
expect 2 --perceptron 3 --init normal:0.1 --gain 2
expect 2 "$networks/lenet5.json" --width 8
expect 2 --perceptron 3 --frobnicate
"$rfield" gradients --help >out || wrong "--help fails"
out_has '^usage: rfield gradients'

[ $failures -eq 0 ] || exit 1
echo "all right"
