/* SPDX-License-Identifier: MIT */
/*
 * Elementary functions of a vector, lane by lane.
 *
 * libm's take one element and a call each; these take a few instructions a lane
 * and give the same bits in every lane. Coefficients are least-maximum fits of
 * our own. "ulp" is the largest error found, in units of the last place of the
 * exact result, over one in 31 of all floats. NaN stays NaN; infinities give the limits.
 */
#ifndef RF_KERNELS_VECTOR_VECTOR_MATH_H
#define RF_KERNELS_VECTOR_VECTOR_MATH_H

#include <math.h>

#include "kernels/vector/vector.h"

typedef uint32_t rf_uvec __attribute__((vector_size(RF_VECTOR_BYTES)));

RF_INLINE rf_vec rf_vabs(rf_vec x)
{
    return (rf_vec)((rf_uvec)x & UINT32_C(0x7fffffff));
}

/* |x| with the sign of `sign`. */
RF_INLINE rf_vec rf_vcopysign(rf_vec x, rf_vec sign)
{
    return (rf_vec)(((rf_uvec)x & UINT32_C(0x7fffffff)) | ((rf_uvec)sign & UINT32_C(0x80000000)));
}

/* ---- Rounding, exact -------------------------------------------------------------------- */

/* From here on a float has no fraction; adding it rounds a smaller one to an integer. */
#define RF_NO_FRACTION 0x1p23f

/* Halves to even. */
RF_INLINE rf_vec rf_vround(rf_vec x)
{
    rf_vec size = rf_vabs(x);
    rf_vec whole = (size + RF_NO_FRACTION) - RF_NO_FRACTION;
    return rf_select(size < rf_set(RF_NO_FRACTION), rf_vcopysign(whole, x), x);
}

RF_INLINE rf_vec rf_vfloor(rf_vec x)
{
    rf_vec near = rf_vround(x);
    return rf_vcopysign(near - rf_select(near > x, rf_set(1), rf_set(0)), x);
}

RF_INLINE rf_vec rf_vceil(rf_vec x)
{
    rf_vec near = rf_vround(x);
    return rf_vcopysign(near + rf_select(near < x, rf_set(1), rf_set(0)), x);
}

/* Correctly rounded. A loop over an array is what compilers turn into one instruction. */
RF_INLINE rf_vec rf_vsqrt(rf_vec x)
{
    float lanes[RF_LANES];
    rf_store(lanes, x);
    for (int i = 0; i < RF_LANES; i++)
        lanes[i] = __builtin_sqrtf(lanes[i]);
    return rf_load(lanes);
}

/* ---- Exponentials ----------------------------------------------------------------------- */

/* x = n ln 2 + r, |r| <= ln 2 / 2 and a little; n as an integer in `*n`. |x| < 1000. */
RF_INLINE rf_vec rf_vreduce_exp(rf_vec x, rf_ivec *n)
{
    const float shift = 0x1.8p23f; /* the sum's low bits are n */
    rf_vec shifted = x * 0x1.715476p+0f + shift;
    rf_vec count = shifted - shift;
    *n = (rf_ivec)((rf_uvec)shifted - UINT32_C(0x4b400000));
    /* The first part of ln 2 has 10 bits: its product with n is exact, fused or not. */
    return x - count * 0x1.63p-1f - count * -0x1.bd0106p-13f;
}

/* 2^n for n in -126 .. 127. */
RF_INLINE rf_vec rf_vpower_of_two(rf_ivec n)
{
    return (rf_vec)(((rf_uvec)n + UINT32_C(127)) << 23);
}

/* exp(r) - 1 for a reduced r. */
RF_INLINE rf_vec rf_vexpm1_reduced(rf_vec r)
{
    rf_vec q = r * 0x1.a1a15ep-13f + 0x1.6d7482p-10f;
    q = q * r + 0x1.11109p-7f;
    q = q * r + 0x1.5554aep-5f;
    q = q * r + 0x1.555556p-3f;
    q = q * r + 0x1p-1f;
    return r + r * r * q;
}

/* 1 ulp, subnormal results included. */
RF_INLINE rf_vec rf_vexp(rf_vec x)
{
    rf_ivec n;
    /* Beyond these the result is 0 or infinite; two factors keep each a normal number. */
    rf_vec r = rf_vreduce_exp(rf_at_most(rf_at_least(x, rf_set(-105)), rf_set(90)), &n);
    rf_ivec half = n >> 1;
    return (rf_vexpm1_reduced(r) + 1) * rf_vpower_of_two(half) * rf_vpower_of_two(n - half);
}

/* exp(x) - 1, 1 ulp. */
RF_INLINE rf_vec rf_vexpm1(rf_vec x)
{
    rf_ivec n;
    rf_vec r = rf_vreduce_exp(rf_at_most(rf_at_least(x, rf_set(-40)), rf_set(89)), &n);
    rf_vec half = rf_vpower_of_two(n - 1);
    rf_vec grown = (half * rf_vexpm1_reduced(r) + (half - 0.5f)) * 2;
    /* Keeps -0 and subnormal numbers. */
    return rf_select(rf_vabs(x) < rf_set(0x1p-30f), x, grown);
}

/* 1 / (1 + exp(-x)), 2.5 ulp where it is a normal number. */
RF_INLINE rf_vec rf_vsigmoid(rf_vec x)
{
    rf_vec e = rf_vexp(-rf_vabs(x));
    return rf_select(x < rf_set(0), e, rf_set(1)) / (1 + e);
}

/* 2.5 ulp. */
RF_INLINE rf_vec rf_vtanh(rf_vec x)
{
    rf_vec e = rf_vexpm1(-2 * rf_vabs(x));
    return rf_vcopysign(e / (2 + e), x);
}

/* x tanh(log(1 + exp(x))) is x w / (w + 2), w = e (e + 2), e = exp(x). */
RF_INLINE rf_vec rf_vmish(rf_vec x)
{
    rf_vec e = rf_vexp(rf_at_most(x, rf_set(20)));
    rf_vec w = e * (e + 2);
    return x * (w / (w + 2));
}

/* ---- Logarithms ------------------------------------------------------------------------- */

/* log x for a normal positive x, plus `extra` times ln 2. */
RF_INLINE rf_vec rf_vlog_normal(rf_vec x, rf_vec extra)
{
    const uint32_t root_half = UINT32_C(0x3f3504f3);
    rf_uvec bits = (rf_uvec)x - root_half;
    rf_vec f = (rf_vec)((bits & UINT32_C(0x7fffff)) + root_half) - 1;
    rf_vec n = __builtin_convertvector((rf_ivec)bits >> 23, rf_vec) + extra;
    rf_vec p = f * 0x1.1b4c72p-4f - 0x1.e2fc4cp-4f;
    p = p * f + 0x1.e656440p-4f;
    p = p * f - 0x1.fb4098p-4f;
    p = p * f + 0x1.23323ap-3f;
    p = p * f - 0x1.5562fp-3f;
    p = p * f + 0x1.99a54cp-3f;
    p = p * f - 0x1.ffffeep-3f;
    p = p * f + 0x1.555546p-2f;
    rf_vec square = f * f;
    rf_vec low = square * f * p + n * -0x1.bd0106p-13f - square * 0.5f;
    return n * 0x1.63p-1f + (f + low);
}

/* 0.8 ulp. */
RF_INLINE rf_vec rf_vlog(rf_vec x)
{
    rf_ivec tiny = x < rf_set(0x1p-126f);
    rf_vec result = rf_vlog_normal(rf_select(tiny, x * 0x1p23f, x),
                                   rf_select(tiny, rf_set(-23), rf_set(0)));
    result = rf_select(x < rf_set(INFINITY), result, x);
    result = rf_select(x == rf_set(0), rf_set(-INFINITY), result);
    return rf_select(x < rf_set(0), rf_set(NAN), result);
}

/* log(1 + y) for 0 <= y <= 1, 2.5 ulp. */
RF_INLINE rf_vec rf_vlog1p_unit(rf_vec y)
{
    rf_vec sum = 1 + y;
    rf_vec lost = y - (sum - 1);
    return rf_vlog_normal(sum, rf_set(0)) + lost / sum;
}

/* log(1 + exp(x)), 2 ulp where it is a normal number. */
RF_INLINE rf_vec rf_vsoftplus(rf_vec x)
{
    return rf_at_least(x, rf_set(0)) + rf_vlog1p_unit(rf_vexp(-rf_vabs(x)));
}

/* ---- The error function ----------------------------------------------------------------- */

/* erf(x) / x for |x| < 7/8. */
RF_INLINE rf_vec rf_verf_core(rf_vec x)
{
    rf_vec u = x * x;
    rf_vec p = u * 0x1.6cdc74p-14f - 0x1.aec8a2p-11f;
    p = p * u + 0x1.5542a4p-8f;
    p = p * u - 0x1.b81a72p-6f;
    p = p * u + 0x1.ce2e8ep-4f;
    p = p * u - 0x1.812744p-2f;
    return p * u + 0x1.20dd76p+0f;
}

/* 1 - erf(a) for a >= 7/8: its relative error grows as a^2, to 2e-5 at the end of the range. */
RF_INLINE rf_vec rf_verfc_tail(rf_vec a)
{
    rf_vec t = 2 / (2 + a);
    rf_vec p = t * 8.764167130e-02f - 2.098064572e-01f;
    p = p * t + 6.324080378e-02f;
    p = p * t + 7.305151224e-02f;
    p = p * t + 1.744133085e-01f;
    p = p * t + 2.478771359e-01f;
    p = p * t + 2.819376886e-01f;
    p = p * t + 2.821030915e-01f;
    return rf_vexp(-a * a) * (p * t);
}

/* 2.5 ulp. */
RF_INLINE rf_vec rf_verf(rf_vec x)
{
    rf_vec a = rf_vabs(x);
    return rf_select(a < rf_set(0.875f), x * rf_verf_core(x), rf_vcopysign(1 - rf_verfc_tail(a), x));
}

/* x / 2 (1 + erf(x / sqrt 2)); the left tail keeps its relative error below 2e-5. */
RF_INLINE rf_vec rf_vgelu(rf_vec x)
{
    rf_vec z = x * 0x1.6a09e6p-1f, a = rf_vabs(z);
    rf_vec tail = rf_verfc_tail(a);
    rf_vec outer = rf_select(z < rf_set(0), tail, 2 - tail);
    return x * 0.5f * rf_select(a < rf_set(0.875f), 1 + z * rf_verf_core(z), outer);
}

/* x / 2 (1 + tanh(u)) is x sigmoid(2 u). */
RF_INLINE rf_vec rf_vgelu_tanh(rf_vec x)
{
    return x * rf_vsigmoid(x * (1 + 0.044715f * x * x) * 1.5957691216f);
}

#endif
