/* SPDX-License-Identifier: MIT */
#include "ops/table.h"

#include <string.h>

static const rf_op *const rows[] = {
#define RF_OP(type) &rf_op_##type,
#include "ops/operators.def"
#undef RF_OP
};

static const size_t row_count = sizeof rows / sizeof *rows;

const rf_op *const *rf_op_all(size_t *count)
{
    *count = row_count;
    return rows;
}

bool rf_is_own_domain(const char *domain)
{
    return domain && strcmp(domain, RF_OWN_DOMAIN) == 0;
}

static bool is_onnx_domain(const char *domain)
{
    return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

static const rf_op *find_row(const char *type)
{
    size_t low = 0, high = row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(type, rows[middle]->type);
        if (order == 0)
            return rows[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const rf_op *rf_op_find(const char *domain, const char *type)
{
    bool own = rf_is_own_domain(domain);
    if (!own && !is_onnx_domain(domain))
        return NULL;
    const rf_op *row = find_row(type);
    return row && row->own && !own ? NULL : row;
}
