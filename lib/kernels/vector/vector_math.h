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

#ifdef RF_NEAREST

RF_INLINE rf_vec rf_vround(rf_vec x)
{
    return RF_NEAREST(x);
}

RF_INLINE rf_vec rf_vfloor(rf_vec x)
{
    return RF_BELOW(x);
}

RF_INLINE rf_vec rf_vceil(rf_vec x)
{
    return RF_ABOVE(x);
}

#else

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

#endif

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

/*
 * x = n ln 2 + r, |r| <= ln 2 / 2 and a little. The low bits of `*biased` are n + bias, so that
 * shifted up they are the exponent of a power of two. |x| < 1000.
 */
RF_INLINE rf_vec rf_vreduce_exp(rf_vec x, const float bias, rf_vec *n, rf_uvec *biased)
{
    const float shift = 0x1.8p23f + bias;
    rf_vec shifted = x * 0x1.715476p+0f + shift;
    *n = shifted - shift;
    *biased = (rf_uvec)shifted;
    /* The first part of ln 2 has 10 bits: its product with n is exact, fused or not. */
    return x - *n * 0x1.63p-1f - *n * -0x1.bd0106p-13f;
}

/* 2^n, of which the bits are n + 127; higher bits don't matter. */
RF_INLINE rf_vec rf_vpower_of_two(rf_uvec bits)
{
    return (rf_vec)(bits << 23);
}

/* exp(r) for a reduced r. */
RF_INLINE rf_vec rf_vexp_reduced(rf_vec r)
{
    rf_vec q = r * 0x1.6ab89ep-10f + 0x1.123d7p-7f;
    q = q * r + 0x1.55585ap-5f;
    q = q * r + 0x1.55548cp-3f;
    q = q * r + 0x1.fffffcp-2f;
    q = q * r + 1;
    return q * r + 1;
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

/* Where the result is 0 or infinite, and what comes before it doesn't overflow. */
#define RF_EXP_LEAST (-105)
#define RF_EXP_MOST 90

RF_INLINE rf_vec rf_vlimit_exp(rf_vec x)
{
    return rf_at_most(rf_at_least(x, rf_set(RF_EXP_LEAST)), rf_set(RF_EXP_MOST));
}

#ifdef RF_SCALE

/* 1 ulp, 1.2 where products and sums are not fused, subnormal results included. */
RF_INLINE rf_vec rf_vexp(rf_vec x)
{
    rf_vec n;
    rf_uvec unused;
    rf_vec r = rf_vreduce_exp(rf_vlimit_exp(x), 0, &n, &unused);
    return RF_SCALE(rf_vexp_reduced(r), n);
}

#else

/* The same: two factors keep each a normal number. */
RF_INLINE rf_vec rf_vexp(rf_vec x)
{
    rf_vec n;
    rf_uvec twice;
    rf_vec r = rf_vreduce_exp(rf_vlimit_exp(x), 254, &n, &twice);
    rf_uvec half = twice >> 1;
    return rf_vexp_reduced(r) * rf_vpower_of_two(half) * rf_vpower_of_two(twice - half);
}

#endif

/* exp(x) - 1, halved, for x from -40 to 89. */
RF_INLINE rf_vec rf_vhalf_expm1(rf_vec x)
{
    rf_vec n;
    rf_uvec less;
    rf_vec r = rf_vreduce_exp(x, 126, &n, &less);
    rf_vec half = rf_vpower_of_two(less);
    return half * rf_vexpm1_reduced(r) + (half - 0.5f);
}

/* exp(x) - 1, 1 ulp. */
RF_INLINE rf_vec rf_vexpm1(rf_vec x)
{
    rf_vec grown = rf_vhalf_expm1(rf_at_most(rf_at_least(x, rf_set(-40)), rf_set(89))) * 2;
    /* Keeps -0 and subnormal numbers. */
    return rf_select(rf_vabs(x) < rf_set(0x1p-30f), x, grown);
}

/*
 * exp(x) = power / rest / 2^more, rest near 1, where the power is a normal number. Powers go by sixteenths of
 * a factor of 2 where one instruction looks them up: rest then takes fewer terms.
 */
#ifdef RF_LOOK_UP

/* roots[i] holds the bits of 2^(i/16), less those that i itself adds to a number's exponent. */
RF_INLINE rf_vec rf_vsplit_exp(rf_vec x, const int more, rf_vec *rest)
{
    static const uint32_t roots[16] = {
        0x3f800000, 0x3f7daac3, 0x3f7b95c2, 0x3f79c3d3, 0x3f7837f0, 0x3f76f532, 0x3f75fed7, 0x3f75583f,
        0x3f7504f3, 0x3f7508a4, 0x3f75672a, 0x3f76248c, 0x3f7744fd, 0x3f78ccdf, 0x3f7ac0c7, 0x3f7d257d,
    };
    const float shift = 0x1.8p23f + 16 * (float)more;
    rf_vec shifted = x * (16 * 0x1.715476p+0f) + shift;
    rf_vec n = shifted - shift;
    rf_vec r = x - n * (0x1.63p-1f / 16) - n * (-0x1.bd0106p-13f / 16);
    *rest = 1 - r * (1 - r * (0.5f - r * (1.0f / 6)));
    return (rf_vec)(RF_LOOK_UP(roots, shifted) + ((rf_uvec)shifted << 19));
}

#else

RF_INLINE rf_vec rf_vsplit_exp(rf_vec x, const int more, rf_vec *rest)
{
    rf_vec n;
    rf_uvec biased;
    *rest = rf_vexp_reduced(-rf_vreduce_exp(x, (float)(127 + more), &n, &biased));
    return rf_vpower_of_two(biased);
}

#endif

/* 1 / (1 + exp(-x)), 2.5 ulp where it is a normal number. Beyond the limits it is 0 or 1. */
RF_INLINE rf_vec rf_vsigmoid(rf_vec x)
{
    /* 2^64 times as large, the smallest results keep their last bits. */
    rf_vec rest, power = rf_vsplit_exp(rf_at_most(rf_at_least(x, rf_set(-110)), rf_set(30)), 64, &rest);
    return power / (power * 0x1p-64f + rest) * 0x1p-64f;
}

/* x sigmoid(x). Below -87 it is 0, off by less than 2e-36: subnormal numbers would take many times as long. */
RF_INLINE rf_vec rf_vsilu(rf_vec x)
{
    const rf_vec least = rf_set(-87);
    rf_vec rest, power = rf_vsplit_exp(rf_at_most(rf_at_least(x, least), rf_set(30)), 0, &rest);
    rf_ivec keeps = x >= least;
    return x * ((rf_vec)(keeps & (rf_ivec)power) / (power + rest));
}

/* 2.5 ulp. */
RF_INLINE rf_vec rf_vtanh(rf_vec x)
{
    rf_vec half = rf_vhalf_expm1(rf_at_least(-2 * rf_vabs(x), rf_set(-40)));
    return rf_vcopysign(half / (1 + half), x);
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
