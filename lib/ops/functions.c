/* SPDX-License-Identifier: MIT */
/*
 * One definition of each function, in double, for folding, for layers that no
 * fast kernel runs and for judging those kernels. NaN stays NaN.
 */
#include "ops/functions.h"

#include <math.h>

static const double root_half = 0.70710678118654752440;
static const double root_two_over_pi = 0.79788456080286535588;

static double limit(double x, double least, double most)
{
    return x < least ? least : x > most ? most : x;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static double log_one_plus_exp(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* Halves go to the even neighbour, whatever the rounding mode of the caller. */
static double round_even(double x)
{
    double down = floor(x), rest = x - down;
    if (x != x || isinf(x) || rest == 0)
        return x;
    double up = rest > 0.5 || (rest == 0.5 && fmod(down, 2) != 0) ? 1 : 0;
    return copysign(down + up, x);
}

/* A function that uses some of x, a and b; the others are named so that no compiler wonders. */
#define FUNCTION(name_, expression_)                        \
    static double real_##name_(double x, double a, double b) \
    {                                                       \
        (void)a;                                            \
        (void)b;                                            \
        return (expression_);                               \
    }

FUNCTION(none, x)
FUNCTION(relu, x < 0 ? 0 : x)
FUNCTION(clip, limit(x, a, b))
FUNCTION(leaky_relu, x < 0 ? a * x : x)
FUNCTION(sigmoid, logistic(x))
FUNCTION(tanh, tanh(x))
FUNCTION(hard_sigmoid, limit(a * x + b, 0, 1))
FUNCTION(hard_swish, x * limit(x / 6 + 0.5, 0, 1))
FUNCTION(silu, x * logistic(x))
FUNCTION(elu, x < 0 ? a * expm1(x) : x)
FUNCTION(selu, b * (x < 0 ? a * expm1(x) : x))
FUNCTION(celu, x < 0 ? limit(a * expm1(x / a), -INFINITY, 0) : x + limit(a * expm1(x / a), -INFINITY, 0))
FUNCTION(gelu, 0.5 * x * (1 + erf(x * root_half)))
FUNCTION(gelu_tanh, 0.5 * x * (1 + tanh(root_two_over_pi * (x + 0.044715 * x * x * x))))
FUNCTION(softplus, log_one_plus_exp(x))
FUNCTION(softsign, x / (1 + fabs(x)))
FUNCTION(mish, x * tanh(log_one_plus_exp(x)))
FUNCTION(threshold, x <= a ? 0 : x)
FUNCTION(erf, erf(x))
FUNCTION(exp, exp(x))
FUNCTION(log, log(x))
FUNCTION(sqrt, sqrt(x))
FUNCTION(reciprocal, 1 / x)
FUNCTION(abs, fabs(x))
FUNCTION(negate, -x)
FUNCTION(floor, floor(x))
FUNCTION(ceil, ceil(x))
FUNCTION(round, round_even(x))
FUNCTION(sign, x != x ? x : (x > 0) - (x < 0))
FUNCTION(sin, sin(x))
FUNCTION(cos, cos(x))
FUNCTION(affine, a * x + b)

static const rf_real_function functions[RF_MAP_FUNCTIONS] = {
    [RF_MAP_NONE] = real_none,
    [RF_MAP_RELU] = real_relu,
    [RF_MAP_CLIP] = real_clip,
    [RF_MAP_LEAKY_RELU] = real_leaky_relu,
    [RF_MAP_SIGMOID] = real_sigmoid,
    [RF_MAP_TANH] = real_tanh,
    [RF_MAP_HARD_SIGMOID] = real_hard_sigmoid,
    [RF_MAP_HARD_SWISH] = real_hard_swish,
    [RF_MAP_SILU] = real_silu,
    [RF_MAP_ELU] = real_elu,
    [RF_MAP_SELU] = real_selu,
    [RF_MAP_CELU] = real_celu,
    [RF_MAP_GELU] = real_gelu,
    [RF_MAP_GELU_TANH] = real_gelu_tanh,
    [RF_MAP_SOFTPLUS] = real_softplus,
    [RF_MAP_SOFTSIGN] = real_softsign,
    [RF_MAP_MISH] = real_mish,
    [RF_MAP_THRESHOLD] = real_threshold,
    [RF_MAP_ERF] = real_erf,
    [RF_MAP_EXP] = real_exp,
    [RF_MAP_LOG] = real_log,
    [RF_MAP_SQRT] = real_sqrt,
    [RF_MAP_RECIPROCAL] = real_reciprocal,
    [RF_MAP_ABS] = real_abs,
    [RF_MAP_NEGATE] = real_negate,
    [RF_MAP_FLOOR] = real_floor,
    [RF_MAP_CEIL] = real_ceil,
    [RF_MAP_ROUND] = real_round,
    [RF_MAP_SIGN] = real_sign,
    [RF_MAP_SIN] = real_sin,
    [RF_MAP_COS] = real_cos,
    [RF_MAP_AFFINE] = real_affine,
};

rf_real_function rf_map_real(rf_map_function function)
{
    return functions[function];
}
