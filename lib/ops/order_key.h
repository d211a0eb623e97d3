/* SPDX-License-Identifier: MIT */
/*
 * Elements of any type as unsigned keys that order as the elements do, so that
 * what sorts and searches is written once. Equal elements have equal keys, -0
 * and 0 too; a NaN comes before all.
 */
#ifndef RF_OPS_ORDER_KEY_H
#define RF_OPS_ORDER_KEY_H

#include <string.h>

#include "ops/fold.h"

static inline bool rf_order_knows(rf_dtype dtype)
{
    return rf_fold_reads(dtype) || dtype == RF_UINT64;
}

/* The larger the key of element `i`, the larger the element, or with `least` the smaller. */
static inline uint64_t rf_order_key(const rf_value *value, uint64_t i, bool least)
{
    const uint64_t sign = UINT64_C(1) << 63;
    uint64_t key;
    if (!rf_dtype_is_float(value->dtype)) {
        key = (uint64_t)rf_value_int(value, i) ^ (value->dtype == RF_UINT64 ? 0 : sign);
        return least ? ~key : key;
    }
    double element = rf_value_float(value, i) + 0.0; /* makes -0 to 0 */
    if (element != element)
        return UINT64_MAX;
    memcpy(&key, &element, sizeof key);
    key = key & sign ? ~key : key | sign;
    return least ? ~key : key;
}

#endif
