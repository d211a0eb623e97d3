/* SPDX-License-Identifier: MIT */
/*
 * The derivative of every rf_map_function, of a vector: what rf_map_slope() is
 * in double. Where `function` is a constant, what remains is that one slope.
 *
 * Slopes of smooth functions settle before the limits that x is held to, where
 * exponentials have not yet become subnormal numbers, which take many times as long.
 */
#ifndef RF_KERNELS_VECTOR_VECTOR_SLOPE_H
#define RF_KERNELS_VECTOR_VECTOR_SLOPE_H

#include "kernels/vector/vector_map.h"

/* `inside` ? 1 : 0; NaN where x is. */
RF_INLINE rf_vec rf_vstep(rf_vec x, rf_ivec inside)
{
    return rf_select(x != x, x, rf_select(inside, rf_set(1), rf_set(0)));
}

/* s (1 - s) of s = 1 / (1 + exp(-x)), for |x| of at most 87. */
RF_INLINE rf_vec rf_vsigmoid_slope(rf_vec x)
{
    rf_vec e = rf_vexp(-rf_vabs(x)), sum = 1 + e;
    return e / (sum * sum);
}

RF_INLINE rf_vec rf_vsilu_slope(rf_vec x)
{
    rf_vec held = rf_vbetween(x, -80, 80);
    return rf_vsigmoid(held) + held * rf_vsigmoid_slope(held);
}

RF_INLINE rf_vec rf_vgelu_slope(rf_vec x)
{
    rf_vec held = rf_vbetween(x, -13, 13), z = held * 0x1.6a09e6p-1f, a = rf_vabs(z);
    rf_vec tail = rf_verfc_tail(a);
    rf_vec outer = rf_select(z < rf_set(0), tail, 2 - tail);
    rf_vec below = 0.5f * rf_select(a < rf_set(0.875f), 1 + z * rf_verf_core(z), outer);
    return below + held * 0.39894228f * rf_vexp(held * held * -0.5f);
}

RF_INLINE rf_vec rf_vgelu_tanh_slope(rf_vec x)
{
    rf_vec held = rf_vbetween(x, -9.9f, 9.9f), square = held * held;
    rf_vec u = held * (1 + 0.044715f * square) * 1.5957691216f;
    return rf_vsigmoid(u) + held * (1 + 0.134145f * square) * 1.5957691216f * rf_vsigmoid_slope(u);
}

/* w = e (e + 2), e = exp(x): t = w / (w + 2), 1 - t^2 = 4 (w + 1) / (w + 2)^2. */
RF_INLINE rf_vec rf_vmish_slope(rf_vec x)
{
    rf_vec held = rf_vbetween(x, -80, 20), e = rf_vexp(held), w = e * (e + 2), inverse = 1 / (w + 2);
    return w * inverse + held * rf_vsigmoid(held) * (4 * (w + 1)) * inverse * inverse;
}

RF_INLINE rf_vec rf_vhard_swish_slope(rf_vec x)
{
    rf_ivec below = x < rf_set(-3), within = x <= rf_set(3);
    rf_vec slope = rf_select(within, x * (1.0f / 3) + 0.5f, rf_vstep(x, x > rf_set(3)));
    return rf_select(below, rf_set(0), slope);
}

RF_INLINE rf_vec rf_velu_slope(rf_vec x, rf_vec below)
{
    return rf_select(x > rf_set(0), rf_set(1), below);
}

RF_INLINE rf_vec rf_vsoftsign_slope(rf_vec x)
{
    rf_vec sum = 1 + rf_vabs(x);
    return 1 / sum / sum;
}

RF_INLINE rf_vec rf_vleaky_slope(rf_vec x, float a)
{
    return rf_select(x > rf_set(0), rf_set(1), rf_select(x != x, x, rf_set(a)));
}

RF_INLINE rf_vec rf_vhard_sigmoid_slope(rf_vec x, float a, float b)
{
    rf_vec y = x * a + b;
    return rf_vstep(x, (y > rf_set(0)) & (y < rf_set(1))) * a;
}

/* Of what the function put out. */
RF_INLINE rf_vec rf_vslope_of_output(rf_vec y, rf_map map)
{
    return map.function == RF_MAP_SIGMOID ? y * (1 - y) : 1 - y * y;
}

RF_INLINE rf_vec rf_vslope(rf_vec x, rf_map map)
{
    const rf_vec none = rf_set(0);
    switch (map.function) {
    case RF_MAP_RELU: return rf_vstep(x, x > none);
    case RF_MAP_CLIP: return rf_vstep(x, (x >= rf_set(map.a)) & (x <= rf_set(map.b)));
    case RF_MAP_LEAKY_RELU: return rf_vleaky_slope(x, map.a);
    case RF_MAP_SIGMOID: return rf_vsigmoid_slope(rf_vbetween(x, -87, 87));
    case RF_MAP_TANH: return 4 * rf_vsigmoid_slope(2 * rf_vbetween(x, -43, 43));
    case RF_MAP_HARD_SIGMOID: return rf_vhard_sigmoid_slope(x, map.a, map.b);
    case RF_MAP_HARD_SWISH: return rf_vhard_swish_slope(x);
    case RF_MAP_SILU: return rf_vsilu_slope(x);
    case RF_MAP_ELU: return rf_velu_slope(x, map.a * rf_vexp(x));
    case RF_MAP_SELU: return map.b * rf_velu_slope(x, map.a * rf_vexp(x));
    case RF_MAP_CELU: return rf_velu_slope(x, rf_vexp(x / map.a));
    case RF_MAP_GELU: return rf_vgelu_slope(x);
    case RF_MAP_GELU_TANH: return rf_vgelu_tanh_slope(x);
    case RF_MAP_SOFTPLUS: return rf_vsigmoid(x);
    case RF_MAP_SOFTSIGN: return rf_vsoftsign_slope(x);
    case RF_MAP_MISH: return rf_vmish_slope(x);
    case RF_MAP_THRESHOLD: return rf_vstep(x, x > rf_set(map.a));
    case RF_MAP_ERF: return 1.12837917f * rf_vexp(-x * x);
    case RF_MAP_EXP: return rf_vexp(x);
    case RF_MAP_LOG: return 1 / x;
    case RF_MAP_SQRT: return 0.5f / rf_vsqrt(x);
    case RF_MAP_RECIPROCAL: return -1 / (x * x);
    case RF_MAP_ABS: return rf_select(x == none, none, rf_vsign(x));
    case RF_MAP_NEGATE: return -rf_vstep(x, x == x);
    case RF_MAP_SIN: return rf_vmap_lanes(x, cosf);
    case RF_MAP_COS: return -rf_vmap_lanes(x, sinf);
    case RF_MAP_AFFINE: return map.a * rf_vstep(x, x == x);
    case RF_MAP_FLOOR:
    case RF_MAP_CEIL:
    case RF_MAP_ROUND:
    case RF_MAP_SIGN: return rf_vstep(x, x != x);
    case RF_MAP_NONE:
    case RF_MAP_FUNCTIONS: break;
    }
    return rf_vstep(x, x == x);
}

#endif
