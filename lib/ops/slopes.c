/* SPDX-License-Identifier: MIT */
/*
 * One definition of each slope, in double, for layers that no fast kernel runs and
 * for judging those kernels. Smooth functions are evaluated no farther out than
 * where their slopes have settled, so that infinities give the limits.
 */
#include "ops/slopes.h"

#include <math.h>

static const double root_half = 0.70710678118654752440;
static const double root_two_over_pi = 0.79788456080286535588;
static const double two_over_root_pi = 1.12837916709551257390;

/* Beyond this, no slope of a smooth activation changes any more. NaN stays. */
static double settled(double x)
{
    return x < -1000 ? -1000 : x > 1000 ? 1000 : x;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* 1 where `inside`, else 0; NaN for NaN. */
static double step(double x, bool inside)
{
    return x != x ? x : inside ? 1 : 0;
}

static double slope_of_sigmoid(double x)
{
    return logistic(x) * logistic(-x);
}

static double slope_of_silu(double x)
{
    double s = logistic(x);
    return s * (1 + x * logistic(-x));
}

static double slope_of_hard_swish(double x)
{
    return x < -3 ? 0 : x <= 3 ? x / 3 + 0.5 : step(x, true);
}

static double slope_of_gelu(double x)
{
    return 0.5 * erfc(-x * root_half) + x * 0.5 * root_two_over_pi * exp(-0.5 * x * x);
}

/* x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3) */
static double slope_of_gelu_tanh(double x)
{
    double u = 2 * root_two_over_pi * (x + 0.044715 * x * x * x);
    double grown = 2 * root_two_over_pi * (1 + 3 * 0.044715 * x * x);
    return logistic(u) * (1 + x * logistic(-u) * grown);
}

static double slope_of_mish(double x)
{
    double t = tanh(x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)));
    return t + x * (1 - t * t) * logistic(x);
}

static double slope_of_tanh(double x)
{
    double c = cosh(x);
    return 1 / (c * c);
}

#define SLOPE(name_, expression_)                             \
    static double slope_##name_(double x, double a, double b) \
    {                                                         \
        (void)a;                                              \
        (void)b;                                              \
        return (expression_);                                 \
    }

SLOPE(none, step(x, true))
SLOPE(relu, step(x, x > 0))
SLOPE(clip, step(x, x >= a && x <= b))
SLOPE(leaky_relu, x > 0 ? 1 : x <= 0 ? a : x)
SLOPE(sigmoid, slope_of_sigmoid(settled(x)))
SLOPE(sigmoid_output, x * (1 - x))
SLOPE(tanh, slope_of_tanh(settled(x)))
SLOPE(tanh_output, 1 - x * x)
SLOPE(hard_sigmoid, a * step(x, a * x + b > 0 && a * x + b < 1))
SLOPE(hard_swish, slope_of_hard_swish(x))
SLOPE(silu, slope_of_silu(settled(x)))
SLOPE(elu, x > 0 ? 1 : a * exp(x))
SLOPE(selu, b * (x > 0 ? 1 : a * exp(x)))
SLOPE(celu, x > 0 ? 1 : exp(x / a))
SLOPE(gelu, slope_of_gelu(settled(x)))
SLOPE(gelu_tanh, slope_of_gelu_tanh(settled(x)))
SLOPE(softplus, logistic(x))
SLOPE(softsign, 1 / ((1 + fabs(x)) * (1 + fabs(x))))
SLOPE(mish, slope_of_mish(settled(x)))
SLOPE(threshold, step(x, x > a))
SLOPE(erf, two_over_root_pi * exp(-x * x))
SLOPE(exp, exp(x))
SLOPE(log, 1 / x)
SLOPE(sqrt, 0.5 / sqrt(x))
SLOPE(reciprocal, -1 / (x * x))
SLOPE(abs, x != x ? x : (x > 0) - (x < 0))
SLOPE(negate, -step(x, true))
SLOPE(flat, step(x, false))
SLOPE(sin, cos(x))
SLOPE(cos, -sin(x))
SLOPE(affine, a * step(x, true))

static const rf_real_function slopes[RF_MAP_FUNCTIONS] = {
    [RF_MAP_NONE] = slope_none,
    [RF_MAP_RELU] = slope_relu,
    [RF_MAP_CLIP] = slope_clip,
    [RF_MAP_LEAKY_RELU] = slope_leaky_relu,
    [RF_MAP_SIGMOID] = slope_sigmoid,
    [RF_MAP_TANH] = slope_tanh,
    [RF_MAP_HARD_SIGMOID] = slope_hard_sigmoid,
    [RF_MAP_HARD_SWISH] = slope_hard_swish,
    [RF_MAP_SILU] = slope_silu,
    [RF_MAP_ELU] = slope_elu,
    [RF_MAP_SELU] = slope_selu,
    [RF_MAP_CELU] = slope_celu,
    [RF_MAP_GELU] = slope_gelu,
    [RF_MAP_GELU_TANH] = slope_gelu_tanh,
    [RF_MAP_SOFTPLUS] = slope_softplus,
    [RF_MAP_SOFTSIGN] = slope_softsign,
    [RF_MAP_MISH] = slope_mish,
    [RF_MAP_THRESHOLD] = slope_threshold,
    [RF_MAP_ERF] = slope_erf,
    [RF_MAP_EXP] = slope_exp,
    [RF_MAP_LOG] = slope_log,
    [RF_MAP_SQRT] = slope_sqrt,
    [RF_MAP_RECIPROCAL] = slope_reciprocal,
    [RF_MAP_ABS] = slope_abs,
    [RF_MAP_NEGATE] = slope_negate,
    [RF_MAP_FLOOR] = slope_flat,
    [RF_MAP_CEIL] = slope_flat,
    [RF_MAP_ROUND] = slope_flat,
    [RF_MAP_SIGN] = slope_flat,
    [RF_MAP_SIN] = slope_sin,
    [RF_MAP_COS] = slope_cos,
    [RF_MAP_AFFINE] = slope_affine,
};

rf_real_function rf_map_slope(rf_map_function function, bool of_output)
{
    if (!of_output)
        return slopes[function];
    return function == RF_MAP_SIGMOID ? slope_sigmoid_output : function == RF_MAP_TANH ? slope_tanh_output : NULL;
}
