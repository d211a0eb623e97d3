/* SPDX-License-Identifier: MIT */
#include "report/json_name.h"

#include <stdlib.h>
#include <string.h>

#include "report/text_writer.h"

static size_t repair(const char *name, char *out)
{
    size_t used = 0;
    while (*name) {
        uint32_t c;
        size_t step = rf_utf8_decode(name, &c);
        if (c == 0xfffd) {
            memcpy(out + used, "\xef\xbf\xbd", 3);
            used += 3;
        } else {
            memcpy(out + used, name, step);
            used += step;
        }
        name += step;
    }
    return used;
}

json_t *rf_json_name(const char *name)
{
    json_t *as_it_is = json_string(name ? name : "");
    if (as_it_is)
        return as_it_is;
    size_t bytes = strlen(name);
    char *repaired = bytes < SIZE_MAX / 3 ? malloc(3 * bytes + 1) : NULL;
    if (!repaired)
        return NULL;
    json_t *string = json_stringn(repaired, repair(name, repaired));
    free(repaired);
    return string;
}
