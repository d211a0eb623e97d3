#!/bin/sh
# SPDX-License-Identifier: MIT
# The command's contract with scripts: exit codes, one line of error, formats, whole files.
# usage: test_cli.sh RFIELD NETWORKS
set -u
rfield=$1
networks=$2
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failures=0

model=
for candidate in "$networks"/*.json; do
    [ -f "$candidate" ] || continue
    if "$rfield" analyze "$candidate" >/dev/null 2>&1; then
        model=$candidate
        break
    fi
done
if [ -z "$model" ]; then
    echo "no network in $networks can be analysed"
    exit 1
fi

wrong() {
    echo "WRONG: $*"
    failures=$((failures + 1))
}

# expect CODE WORDS...: runs rfield with the words; output in $work/out and $work/err
expect() {
    code=$1
    shift
    "$rfield" "$@" >"$work/out" 2>"$work/err"
    got=$?
    [ "$got" -eq "$code" ] || wrong "rfield $*: exit $got, expected $code: $(cat "$work/err")"
    if [ "$code" -eq 0 ]; then
        [ ! -s "$work/err" ] || wrong "rfield $*: said on stderr: $(cat "$work/err")"
    else
        [ "$(wc -l <"$work/err")" -eq 1 ] || wrong "rfield $*: not one line: $(cat "$work/err")"
        [ ! -s "$work/out" ] || wrong "rfield $*: wrote on stdout though it failed"
    fi
}

out_has() {
    grep -q -e "$1" "$work/out" || wrong "$2: no '$1' in the output"
}

err_starts() {
    case $(cat "$work/err") in
    "$1"*) ;;
    *) wrong "error does not start with '$1': $(cat "$work/err")" ;;
    esac
}

# ---- help and version
expect 0 --version
out_has '^rfield [0-9][0-9]*\.[0-9][0-9]*\.[0-9]' --version
expect 0 --help
out_has analyze --help
for command in analyze field compare conventions; do
    expect 0 "$command" --help
    out_has "^usage: rfield $command" "$command --help"
    expect 0 help "$command"
    expect 2 "$command" --no-such-option
done
expect 0 conventions
out_has torchvision conventions

# ---- usage
expect 2
expect 2 frobnicate
expect 2 help frobnicate
expect 2 analyze
expect 2 analyze "$model" "$model"
expect 2 analyze "$model" --format
expect 2 analyze "$model" --format xml
expect 2 analyze "$model" --convention nobody
expect 2 analyze "$model" -z
for shape in '' x 1x 1x3xa x=1x-3 x=1,3 1x3x99999999999999999999 1x1x1x1x1x1x1x1x1 'a= 1'; do
    expect 2 analyze "$model" --input "$shape"
done
expect 2 analyze "$model" --input a=1 --input a=2
expect 2 compare "$model"
expect 2 field "$model"
expect 2 field "$model" --layer x --at 1,
expect 2 field "$model" --layer x --at -1,2
expect 2 field "$model" --layer x --channel -1
expect 2 field "$model" --layer x --at 1,1 --image picture.png

# ---- bad input
expect 1 analyze "$work/absent.json"
err_starts "$work/absent.json: "
printf 'this is no network' >"$work/bad.json"
expect 1 analyze "$work/bad.json"
err_starts "$work/bad.json: "
expect 1 compare "$model" "$work/bad.json"
err_starts "$work/bad.json: "
: >"$work/empty.onnx"
expect 1 analyze "$work/empty.onnx"
expect 1 analyze "$work"
expect 1 analyze "$model" --input no-such-input=1x3x8x8
err_starts "$model: "
expect 1 field "$model" --layer no-such-layer --at 0,0
err_starts "$model: "
newline=$(printf 'two\nlines.json')
expect 1 analyze "$work/$newline"

# ---- formats
expect 0 analyze "$model"
out_has '^Parameters' table
awk 'length > 100 { exit 1 }' "$work/out" || wrong "table: a line is wider than 100 columns"
cp "$work/out" "$work/table"
expect 0 analyze "$model" --format json
out_has '"rfield": "' json
out_has '"peak_activation_bytes": ' json
if command -v python3 >/dev/null 2>&1; then
    python3 -m json.tool "$work/out" >/dev/null || wrong "json: python cannot read it"
fi
expect 0 analyze "$model" --format json --convention torchvision
out_has '"convention_count": ' 'json with a convention'
expect 0 analyze "$model" --format csv
out_has '^name,operator,' csv
sed -n 2p "$work/out" >"$work/first"
layer=$(sed 's/^"\([^"]*\)".*/\1/' "$work/first")
expect 0 analyze "$model" --format markdown
out_has '^| Layer ' markdown
expect 0 analyze "$model" --format html
out_has '^<!DOCTYPE html>' html
expect 0 compare "$model" "$model"
out_has 'same name; 0 of those differ' compare

# ---- output files
expect 0 analyze "$model" -o "$work/report"
[ ! -s "$work/out" ] || wrong "-o FILE: wrote on stdout too"
cmp -s "$work/report" "$work/table" || wrong "-o FILE: differs from stdout"
expect 0 analyze "$model" -o -
cmp -s "$work/out" "$work/table" || wrong "-o -: differs from stdout"
echo kept >"$work/kept"
expect 1 analyze "$work/bad.json" -o "$work/kept"
[ "$(cat "$work/kept")" = kept ] || wrong "-o FILE: a failure touched the file"
ln -s kept "$work/link"
expect 0 analyze "$model" -o "$work/link"
[ -L "$work/link" ] || wrong "-o LINK: the link is gone"
cmp -s "$work/kept" "$work/table" || wrong "-o LINK: its target was not written"
expect 1 analyze "$model" -o "$work/no/such/folder"
err_starts "$work/no/such/folder: "
expect 1 analyze "$model" -o "$work"
for left in "$work"/*.??????; do
    case $left in
    *.json | *.onnx | *'*'*) ;;
    *) wrong "a temporary file is left: $left" ;;
    esac
done
if [ -c /dev/full ]; then
    expect 1 analyze "$model" -o /dev/full
    for words in "analyze $model" "analyze $model --format json" "field --help" --help --version; do
        # shellcheck disable=SC2086
        "$rfield" $words >/dev/full 2>"$work/err"
        [ $? -eq 1 ] || wrong "rfield $words >/dev/full: exit is not 1"
        [ "$(wc -l <"$work/err")" -eq 1 ] || wrong "rfield $words >/dev/full: not one line"
    done
fi
"$rfield" analyze "$model" >&- 2>"$work/err"
[ $? -eq 1 ] || wrong "closed stdout: exit is not 1"

# ---- field, for a first layer with two spatial axes
if grep -q ',[0-9]*x[0-9]*x[0-9]*x[0-9]*,' "$work/first"; then
    expect 0 field "$model" --layer "$layer" --at 0,0 --format json
    for key in layer at input channels rows columns clipped support; do
        out_has "\"$key\": " 'field --format json'
    done
    expect 0 field "$model" --layer "$layer" --at 0,0 --channel 0
    out_has '^support ' field
    expect 0 field "$model" --layer "$layer" --at 0,0 --map
    expect 0 field "$model" --layer "$layer" --at 0,0 -o "$work/field"
    [ -s "$work/field" ] || wrong "field -o: wrote nothing"
    expect 2 field "$model" --layer "$layer"
    expect 1 field "$model" --layer "$layer" --at 0
    expect 1 field "$model" --layer "$layer" --at 0,99999999
    expect 1 field "$model" --layer "$layer" --at 0,0 --of nothing
    expect 1 field "$model" --layer "$layer" --at 0,0 --image "$work/bad.json" -o "$work/picture"
    [ ! -e "$work/picture" ] || wrong "field --image: a failure left a picture"
    printf 'P6 2 2 255\n............' >"$work/in.ppm"
    if grep -q 'built without pictures' "$work/err"; then
        echo "skip: this build draws no pictures"
    else
        expect 0 field "$model" --layer "$layer" --at 0,0 --image "$work/in.ppm" -o "$work/picture"
        [ "$(dd if="$work/picture" bs=1 skip=1 count=3 2>/dev/null)" = PNG ] \
            || wrong "field --image: no PNG"
    fi
fi

# ---- effective
blocks=$networks/vgg_two_blocks.json
for words in '' '--layer y2 --init nobody' '--layer y2 --samples 0' '--layer y2 --samples x' '--layer y2 --seed -1' \
    '--layer y2 --at 1,' '--layer y2 --format xml' '--layer y2 --threads 0' '--layer y2 --image a.ppm' \
    '--layer y2 --channel -1' '--layer y2 another'; do
    # shellcheck disable=SC2086
    expect 2 effective "$blocks" $words
done
expect 1 effective "$work/absent.json" --layer y2
err_starts "$work/absent.json: "
expect 1 effective "$blocks" --layer nothing
expect 1 effective "$blocks" --layer y2
err_starts "$blocks: "
if grep -q 'does not train' "$work/err"; then
    echo "skip: this build has no gradients"
else
    grep -q -e '--init' "$work/err" || wrong "effective: nothing says how to get weights: $(cat "$work/err")"
    expect 1 effective "$blocks" --layer y2 --init ones --at 3
    expect 1 effective "$blocks" --layer y2 --init ones --at 3,99999
    expect 1 effective "$blocks" --layer y2 --init ones --channel 99999
    expect 1 effective "$blocks" --layer y2 --init ones --of nothing
    expect 0 effective "$blocks" --layer conv1 --init ones --samples 1 --format json
    for key in layer at input theoretical effective pixels side rows columns sigma ratio; do
        out_has "\"$key\": " 'effective --format json'
    done
    out_has '"pixels": 9,' 'effective: a kernel of ones'
    out_has '"rows": \[111, 113\]' 'effective: a kernel of ones'
    out_has '"ratio": 1.0' 'effective: a kernel of ones'
    expect 0 effective "$blocks" --layer y2 --init he-normal --samples 2 --seed 5
    cp "$work/out" "$work/once"
    expect 0 effective "$blocks" --layer y2 --init he-normal --samples 2 --seed 5 --threads 2
    cmp -s "$work/once" "$work/out" || wrong "effective: the same seed says otherwise"
    expect 0 effective "$blocks" --layer y2 --init ones --samples 1 -o "$work/effective"
    [ -s "$work/effective" ] || wrong "effective -o: wrote nothing"
    expect 1 effective "$blocks" --layer y2 --init ones --samples 1 --image "$work/bad.json" -o "$work/effective.png"
    [ ! -e "$work/effective.png" ] || wrong "effective --image: a failure left a picture"
    if grep -q 'built without pictures' "$work/err"; then
        echo "skip: this build draws no pictures"
    else
        expect 0 effective "$blocks" --layer y2 --init ones --samples 1 -o "$work/effective.png"
        [ "$(dd if="$work/effective.png" bs=1 skip=1 count=3 2>/dev/null)" = PNG ] || wrong "effective -o .png: no PNG"
        printf 'P6 2 2 255\n............' >"$work/behind.ppm"
        expect 0 effective "$blocks" --layer y2 --init ones --samples 1 --image "$work/behind.ppm" -o "$work/effective.png"
        out_has '^ratio ' 'effective -o .png'
    fi
fi

[ "$failures" -eq 0 ] || { echo "$failures wrong"; exit 1; }
echo "all as promised"
