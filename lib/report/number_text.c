/* SPDX-License-Identifier: MIT */
#include "report/number_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

rf_number rf_number_plain(uint64_t number)
{
    rf_number out;
    snprintf(out.text, sizeof out.text, "%" PRIu64, number);
    return out;
}

rf_number rf_number_grouped(uint64_t number)
{
    rf_number digits = rf_number_plain(number);
    rf_number out = {{0}};
    size_t count = strlen(digits.text);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (i && (count - i) % 3 == 0)
            out.text[at++] = ',';
        out.text[at++] = digits.text[i];
    }
    return out;
}

static uint64_t divide_rounding(uint64_t a, uint64_t b)
{
    return a / b + (a % b >= b - b / 2);
}

rf_number rf_number_si(uint64_t number)
{
    static const char prefixes[] = "kMGTPE";
    if (number < 1000)
        return rf_number_plain(number);
    uint64_t unit = 1000;
    int prefix = 0;
    while (number / unit >= 1000) {
        unit *= 1000;
        prefix++;
    }
    uint64_t whole = number / unit;
    uint64_t step = whole >= 100 ? unit / 10 : whole >= 10 ? unit / 100 : unit / 1000;
    uint64_t steps = divide_rounding(number, step);
    if (steps >= 10000) {
        steps /= 10;
        step *= 10;
    }
    if (step >= unit) {
        unit *= 1000;
        prefix++;
    }
    rf_number out;
    uint64_t parts = unit / step; /* of one unit: 10, 100 or 1000 */
    int decimals = parts == 10 ? 1 : parts == 100 ? 2 : 3;
    snprintf(out.text, sizeof out.text, "%u.%0*u %c", (unsigned)(steps / parts), decimals,
             (unsigned)(steps % parts), prefixes[prefix]);
    return out;
}

rf_number rf_number_bytes(uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    rf_number out;
    if (bytes < 1024) {
        snprintf(out.text, sizeof out.text, "%" PRIu64 " B", bytes);
        return out;
    }
    size_t unit = 0;
    while (unit < 3 && bytes >> (10 * (unit + 2)))
        unit++;
    uint64_t whole = UINT64_C(1) << (10 * (unit + 1));
    uint64_t hundredths = (bytes % whole) * 100 / whole;
    snprintf(out.text, sizeof out.text, "%" PRIu64 ".%02" PRIu64 " %s", bytes / whole, hundredths,
             units[unit]);
    return out;
}

rf_number rf_number_percent(uint64_t part, uint64_t whole)
{
    rf_number out;
    while (part > UINT64_MAX / 1000) {
        part /= 2;
        whole /= 2;
    }
    uint64_t tenths = whole ? divide_rounding(part * 1000, whole) : 0;
    snprintf(out.text, sizeof out.text, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
    return out;
}
