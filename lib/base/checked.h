/* SPDX-License-Identifier: MIT */
/* Arithmetic that says when it overflows. Each returns false then, leaving the result unspecified. */
#ifndef RF_BASE_CHECKED_H
#define RF_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For any mix of integer types; `out` decides the range. */
#define rf_checked_add(a, b, out) (!__builtin_add_overflow((a), (b), (out)))
#define rf_checked_sub(a, b, out) (!__builtin_sub_overflow((a), (b), (out)))
#define rf_checked_mul(a, b, out) (!__builtin_mul_overflow((a), (b), (out)))

/* *total += a * b */
static inline bool rf_add_product(uint64_t *total, uint64_t a, uint64_t b)
{
    uint64_t product;
    return rf_checked_mul(a, b, &product) && rf_checked_add(*total, product, total);
}

/* Quotients rounded down and up, for any sign of `a` and positive `b`. */
static inline int64_t rf_div_floor(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static inline int64_t rf_div_ceil(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

/* The remainder in 0 .. b-1, for positive `b`. */
static inline int64_t rf_mod(int64_t a, int64_t b)
{
    int64_t remainder = a % b;
    return remainder < 0 ? remainder + b : remainder;
}

static inline int64_t rf_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t rf_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t rf_gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t remainder = a % b;
        a = b;
        b = remainder;
    }
    return a < 0 ? -a : a;
}

#endif
