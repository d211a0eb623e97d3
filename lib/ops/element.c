/* SPDX-License-Identifier: MIT */
#include "ops/element.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    uint8_t bits;
    bool is_float, is_integer;
} dtypes[] = {
    [RF_DTYPE_UNDEFINED] = {"undefined", 0, false, false},
    [RF_FLOAT32] = {"float32", 32, true, false},
    [RF_UINT8] = {"uint8", 8, false, true},
    [RF_INT8] = {"int8", 8, false, true},
    [RF_UINT16] = {"uint16", 16, false, true},
    [RF_INT16] = {"int16", 16, false, true},
    [RF_INT32] = {"int32", 32, false, true},
    [RF_INT64] = {"int64", 64, false, true},
    [RF_STRING] = {"string", 0, false, false},
    [RF_BOOL] = {"bool", 8, false, false},
    [RF_FLOAT16] = {"float16", 16, true, false},
    [RF_FLOAT64] = {"float64", 64, true, false},
    [RF_UINT32] = {"uint32", 32, false, true},
    [RF_UINT64] = {"uint64", 64, false, true},
    [RF_COMPLEX64] = {"complex64", 64, false, false},
    [RF_COMPLEX128] = {"complex128", 128, false, false},
    [RF_BFLOAT16] = {"bfloat16", 16, true, false},
    [RF_FLOAT8E4M3FN] = {"float8e4m3fn", 8, true, false},
    [RF_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8, true, false},
    [RF_FLOAT8E5M2] = {"float8e5m2", 8, true, false},
    [RF_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8, true, false},
    [RF_UINT4] = {"uint4", 4, false, true},
    [RF_INT4] = {"int4", 4, false, true},
};

static size_t row_of(rf_dtype dtype)
{
    size_t row = (size_t)dtype;
    return row < sizeof dtypes / sizeof *dtypes ? row : RF_DTYPE_UNDEFINED;
}

uint32_t rf_dtype_bits(rf_dtype dtype)
{
    return dtypes[row_of(dtype)].bits;
}

const char *rf_dtype_name(rf_dtype dtype)
{
    return dtypes[row_of(dtype)].name;
}

bool rf_dtype_is_float(rf_dtype dtype)
{
    return dtypes[row_of(dtype)].is_float;
}

bool rf_dtype_is_integer(rf_dtype dtype)
{
    return dtypes[row_of(dtype)].is_integer;
}

bool rf_shape_elements(const rf_shape *shape, uint64_t *elements)
{
    uint64_t product = 1;
    bool empty = false;
    for (int32_t i = 0; i < shape->rank; i++) {
        empty |= shape->dims[i] == 0;
        if (shape->dims[i] < 0)
            return false;
    }
    for (int32_t i = 0; i < shape->rank && !empty; i++)
        if (!rf_checked_mul(product, (uint64_t)shape->dims[i], &product) || product > UINT64_C(1) << 62)
            return false;
    *elements = empty ? 0 : product;
    return true;
}

uint64_t rf_elements(const rf_shape *shape)
{
    uint64_t product = 1;
    for (int32_t i = 0; i < shape->rank; i++)
        product *= (uint64_t)shape->dims[i];
    return product;
}

bool rf_tensor_bytes(rf_dtype dtype, const rf_shape *shape, uint64_t *bytes)
{
    uint64_t elements, bits;
    if (!rf_shape_elements(shape, &elements) || !rf_checked_mul(elements, rf_dtype_bits(dtype), &bits))
        return false;
    *bytes = bits / 8 + (bits % 8 != 0);
    return true;
}

bool rf_shape_equal(const rf_shape *a, const rf_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int32_t i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}


/* Elements lie at any alignment, so each is copied out. */
#define ELEMENT_CASES(X)      \
    X(RF_UINT8, uint8_t)      \
    X(RF_INT8, int8_t)        \
    X(RF_UINT16, uint16_t)    \
    X(RF_INT16, int16_t)      \
    X(RF_INT32, int32_t)      \
    X(RF_INT64, int64_t)      \
    X(RF_UINT32, uint32_t)    \
    X(RF_UINT64, uint64_t)    \
    X(RF_FLOAT32, float)      \
    X(RF_FLOAT64, double)

static int64_t int_of_double(double number)
{
    if (number != number)
        return 0;
    if (number >= 0x1p63)
        return INT64_MAX;
    if (number < -0x1p63)
        return INT64_MIN;
    return (int64_t)number;
}

/* Truncated, and limited to what the type holds: as the int64_t of the same bits for uint64. */
static int64_t limited(double number, rf_dtype dtype)
{
    switch (dtype) {
    case RF_UINT64:
        return number > 0x1p63 ? (int64_t)(number < 0x1p64 ? (uint64_t)number : UINT64_MAX)
                               : number > 0 ? (int64_t)(uint64_t)number : 0;
    case RF_UINT8:
    case RF_UINT16:
    case RF_UINT32:
        return rf_max(0, rf_min(int_of_double(number), (INT64_C(1) << rf_dtype_bits(dtype)) - 1));
    case RF_INT8:
    case RF_INT16:
    case RF_INT32: {
        int64_t end = INT64_C(1) << (rf_dtype_bits(dtype) - 1);
        return rf_max(-end, rf_min(int_of_double(number), end - 1));
    }
    default:
        return int_of_double(number);
    }
}

/* ---- Floats of 16 bits -------------------------------------------------------------------- */

/* How the bits of a short float are shared out; both kinds have a sign and an implied leading 1. */
typedef struct short_float {
    int fraction_bits, bias, exponents;
} short_float;

static const short_float half = {.fraction_bits = 10, .bias = 15, .exponents = 31};
static const short_float brain = {.fraction_bits = 7, .bias = 127, .exponents = 255};

static double read_short(const short_float *kind, const unsigned char *at)
{
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    int fraction = bits & ((1 << kind->fraction_bits) - 1);
    int exponent = bits >> kind->fraction_bits & kind->exponents;
    double magnitude;
    if (exponent == kind->exponents)
        magnitude = fraction ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(fraction, 1 - kind->bias - kind->fraction_bits);
    else
        magnitude = ldexp(fraction + (1 << kind->fraction_bits), exponent - kind->bias - kind->fraction_bits);
    return bits >> 15 ? -magnitude : magnitude;
}

/* Rounded to the nearest, halves to even; past the largest, infinity. */
static uint16_t short_bits(const short_float *kind, double magnitude)
{
    int infinity = kind->exponents << kind->fraction_bits;
    if (magnitude != magnitude)
        return (uint16_t)(infinity | 1 << (kind->fraction_bits - 1));
    if (magnitude == (double)INFINITY)
        return (uint16_t)infinity;
    if (magnitude == 0)
        return 0;
    int exponent;
    frexp(magnitude, &exponent);
    exponent = exponent - 1 < 1 - kind->bias ? 1 - kind->bias : exponent - 1;
    double scaled = nearbyint(ldexp(magnitude, kind->fraction_bits - exponent));
    int64_t bits = (int64_t)scaled + ((int64_t)(exponent + kind->bias - 1) << kind->fraction_bits);
    return (uint16_t)(bits > infinity ? infinity : bits);
}

static void store_short(const short_float *kind, unsigned char *at, double number)
{
    uint16_t bits = (uint16_t)(short_bits(kind, fabs(number)) | (signbit(number) ? 0x8000 : 0));
    memcpy(at, &bits, sizeof bits);
}

double rf_value_float(const rf_value *value, uint64_t i)
{
    const unsigned char *data = value->data;
    switch (value->dtype) {
    case RF_FLOAT16:
        return read_short(&half, data + 2 * i);
    case RF_BFLOAT16:
        return read_short(&brain, data + 2 * i);
    case RF_BOOL:
        return data[i] != 0;
#define READ_CASE(dtype, type)                                  \
    case dtype: {                                               \
        type element;                                           \
        memcpy(&element, data + i * sizeof element, sizeof element); \
        return (double)element;                                 \
    }
        ELEMENT_CASES(READ_CASE)
#undef READ_CASE
    default:
        return 0;
    }
}

int64_t rf_value_int(const rf_value *value, uint64_t i)
{
    const unsigned char *data = value->data;
    if (rf_dtype_is_float(value->dtype))
        return int_of_double(rf_value_float(value, i));
    switch (value->dtype) {
    case RF_BOOL:
        return data[i] != 0;
#define READ_CASE(dtype, type)                                  \
    case dtype: {                                               \
        type element;                                           \
        memcpy(&element, data + i * sizeof element, sizeof element); \
        return (int64_t)element;                                \
    }
        ELEMENT_CASES(READ_CASE)
#undef READ_CASE
    default:
        return 0;
    }
}

void rf_store_int(void *data, rf_dtype dtype, uint64_t i, int64_t number)
{
    switch (dtype) {
    case RF_BOOL:
        ((unsigned char *)data)[i] = number != 0;
        return;
#define STORE_CASE(dtype_, type)                                \
    case dtype_: {                                              \
        type element = (type)number;                            \
        memcpy((unsigned char *)data + i * sizeof element, &element, sizeof element); \
        return;                                                 \
    }
        ELEMENT_CASES(STORE_CASE)
#undef STORE_CASE
    default:
        return;
    }
}

void rf_store_float(void *data, rf_dtype dtype, uint64_t i, double number)
{
    if (dtype == RF_FLOAT64) {
        memcpy((unsigned char *)data + i * sizeof number, &number, sizeof number);
    } else if (dtype == RF_FLOAT32) {
        float element = (float)number;
        memcpy((unsigned char *)data + i * sizeof element, &element, sizeof element);
    } else if (dtype == RF_FLOAT16 || dtype == RF_BFLOAT16) {
        store_short(dtype == RF_FLOAT16 ? &half : &brain, (unsigned char *)data + 2 * i, number);
    } else {
        rf_store_int(data, dtype, i, dtype == RF_BOOL ? number != 0 : limited(number, dtype));
    }
}
