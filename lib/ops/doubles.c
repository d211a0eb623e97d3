/* SPDX-License-Identifier: MIT */
#include "ops/doubles.h"

#include <string.h>

void rf_doubles_read(const rf_value *value, uint64_t at, uint64_t count, double *to)
{
    if (value->dtype != RF_FLOAT32) {
        for (uint64_t i = 0; i < count; i++)
            to[i] = rf_value_float(value, at + i);
        return;
    }
    const unsigned char *from = (const unsigned char *)value->data + at * sizeof(float);
    for (uint64_t i = 0; i < count; i++) {
        float element;
        memcpy(&element, from + i * sizeof element, sizeof element);
        to[i] = (double)element;
    }
}

void rf_doubles_range(rf_dtype dtype, double *least, double *most)
{
    bool is_signed = dtype == RF_INT8 || dtype == RF_INT16 || dtype == RF_INT32 || dtype == RF_INT64;
    int bits = dtype == RF_BOOL ? 1 : (int)rf_dtype_bits(dtype) - is_signed;
    double span = (double)(UINT64_C(1) << (bits - 1)) * 2;
    *least = is_signed ? -span : 0;
    *most = span - 1;
}

/* What an integer type stores for `element`, as two's complement. */
static int64_t limited(double element, double least, double most)
{
    if (element != element)
        return 0;
    if (element <= least)
        return (int64_t)least;
    if (element < most)
        return element < 0x1p63 ? (int64_t)element : (int64_t)(uint64_t)element;
    return most < 0x1p63 ? (int64_t)most : most < 0x1p64 ? INT64_MAX : -1;
}

static void write_integers(const rf_value *output, uint64_t at, uint64_t count, const double *from)
{
    double least, most;
    rf_doubles_range(output->dtype, &least, &most);
    for (uint64_t i = 0; i < count; i++)
        rf_store_int((void *)output->data, output->dtype, at + i, limited(from[i], least, most));
}

void rf_doubles_write(const rf_value *output, uint64_t at, uint64_t count, const double *from)
{
    if (!rf_dtype_is_float(output->dtype)) {
        write_integers(output, at, count, from);
        return;
    }
    if (output->dtype != RF_FLOAT32) {
        for (uint64_t i = 0; i < count; i++)
            rf_store_float((void *)output->data, output->dtype, at + i, from[i]);
        return;
    }
    unsigned char *to = (unsigned char *)output->data + at * sizeof(float);
    for (uint64_t i = 0; i < count; i++) {
        float element = (float)from[i];
        memcpy(to + i * sizeof element, &element, sizeof element);
    }
}
