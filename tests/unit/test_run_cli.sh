#!/bin/sh
# SPDX-License-Identifier: MIT
# `rfield run`: what it reads, prints, writes and refuses.
# usage: test_run_cli.sh RFIELD
set -u
rfield=$(realpath "$1") || exit 99
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
failures=0

wrong() {
    echo "WRONG: $*"
    failures=$((failures + 1))
}

# expect CODE WORDS...: runs rfield with the words; output in out and err
expect() {
    code=$1
    shift
    "$rfield" "$@" >out 2>err
    got=$?
    [ "$got" -eq "$code" ] || wrong "rfield $*: exit $got, expected $code: $(cat err)"
    if [ "$code" -eq 0 ]; then
        [ ! -s err ] || wrong "rfield $*: said on stderr: $(cat err)"
    else
        [ "$(wc -l <err)" -eq 1 ] || wrong "rfield $*: not one line: $(cat err)"
        [ ! -s out ] || wrong "rfield $*: wrote on stdout though it failed"
    fi
}

# says FILE TEXT: the file is that text
says() {
    [ "$(cat "$1")" = "$2" ] || wrong "$1 is '$(cat "$1")', expected '$2'"
}

err_has() {
    grep -q -e "$1" err || wrong "no '$1' in the error: $(cat err)"
}

cat >m.json <<'JSON'
{"rfield": 1, "name": "m", "inputs": [{"name": "a=b", "shape": ["N", 1, 2, 2]}],
 "layers": [{"name": "relu", "type": "Relu"}]}
JSON
# float32 1x1x2x2: -1, 2, 0.5, -0; the same 2x1x2x2; a .npy as NumPy pads it
elements='\000\000\200\277\000\000\000\100\000\000\000\077\000\000\000\200'
printf '\010\001\010\001\010\002\010\002\020\001\112\020'"$elements" >x.pb
printf '\010\002\010\001\010\002\010\002\020\001\112\040'"$elements$elements" >two.pb
{
    printf '\223NUMPY\001\000\166\000'
    printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2, 2), }"
    printf "$elements"
} >x.npy
printf '\010\001\010\001\010\002\010\002\020\007\072\004\001\002\003\004' >ints.pb

# ---- printing
for file in x.pb x.npy; do
    for threads in 1 2 4; do
        "$rfield" run m.json --input "$file" --threads "$threads" >out 2>err
        if grep -q 'no threads' err; then
            echo "SKIP: $threads threads, which this build has not"
            continue
        fi
        expect 0 run m.json --input "$file" --threads "$threads"
        says out 'relu float32 1x1x2x2
  0 2
  0.5 -0'
    done
done
expect 0 run m.json --input 'a=b=x.pb' --top 2
says out '2                 1
0.5               2'
printf 'one\ntw\ttwo\r\n' >labels
expect 0 run m.json -i x.pb -k 9 -l labels
says out '2                 1  tw\ttwo
0.5               2
0                 0  one
-0                3'
expect 0 run m.json -i two.pb -k 1
says out 'image 0
2                 1

image 1
2                 1'

for precision in float32 bf16; do
    expect 0 run m.json --input x.pb --precision "$precision"
    says out 'relu float32 1x1x2x2
  0 2
  0.5 -0'
done

# ---- files
expect 0 run m.json -i x.npy -o relu=o.txt -o o.npy --output o.pb
says out ''
says o.txt '# relu float32 1x1x2x2
0 2
0.5 -0'
for file in o.npy o.pb; do
    expect 0 run m.json -i "$file"
    says out 'relu float32 1x1x2x2
  0 2
  0.5 -0'
done
cmp -s x.npy o.npy && wrong 'o.npy holds the input'
[ "$(wc -c <o.npy)" -eq 144 ] || wrong "o.npy has $(wc -c <o.npy) bytes"

# ---- refused
expect 2 run
expect 2 run m.json m.json
expect 2 run m.json --no-such-option
expect 2 run m.json -o o.jpg
expect 2 run m.json -t 0
expect 2 run m.json -k x
expect 2 run m.json -l labels
expect 2 run m.json --precision float8
err_has "neither float32 nor bf16"
for list in '' 1,2 1,2,3,4 1,,3 nan 1e999; do
    expect 2 run m.json --mean "$list"
done
expect 2 run m.json --std 1,0,1
expect 2 run m.json --resize -4
expect 1 run m.json
err_has "input 'a=b'"
expect 1 run none.json -i x.pb
expect 1 run m.json -i none.pb
err_has '^none.pb: '
expect 1 run m.json -i m.json
expect 1 run m.json -i x.pb -i x.npy
err_has 'two files'
expect 1 run m.json -i other=x.pb
err_has "no input 'other'"
expect 1 run m.json -i x.pb -o other=o.npy
err_has "no output 'other'"
expect 1 run m.json -i ints.pb
err_has '^ints.pb: it holds int64'
expect 1 run m.json -i a=b=3x1x2x2 -i x.pb
err_has '^x.pb: it holds float32 1x1x2x2; .* takes float32 3x1x2x2'
expect 1 run m.json -i x.pb -o no-such-folder/o.npy
err_has 'no such folder'
expect 1 run m.json -i x.pb -k 1 -l no-such-labels
head -c 20 x.pb >short.pb
expect 1 run m.json -i short.pb
[ "$(ls | grep -c '^o\.')" -eq 3 ] || wrong "left behind: $(ls)"

if [ "$failures" -ne 0 ]; then
    echo "$failures wrong"
    exit 1
fi
echo 'all right'
