/* SPDX-License-Identifier: MIT */
/*
 * Every rf_map_function of a vector. Where `map.function` is a constant, what
 * remains is that one function; where it is not, a switch.
 */
#ifndef RF_KERNELS_VECTOR_VECTOR_MAP_H
#define RF_KERNELS_VECTOR_VECTOR_MAP_H

#include "kernels/vector/vector_math.h"
#include "ops/task.h"

/* Of the functions that no network of note is slow by: one lane at a time. */
RF_INLINE rf_vec rf_vmap_lanes(rf_vec x, float (*function)(float))
{
    float lanes[RF_LANES];
    rf_store(lanes, x);
    for (int i = 0; i < RF_LANES; i++)
        lanes[i] = function(lanes[i]);
    return rf_load(lanes);
}

RF_INLINE rf_vec rf_vbetween(rf_vec x, float low, float high)
{
    return rf_at_most(rf_at_least(x, rf_set(low)), rf_set(high));
}

RF_INLINE rf_vec rf_vsign(rf_vec x)
{
    rf_ivec above = x > rf_set(0), below = x < rf_set(0);
    return rf_select(above, rf_set(1), rf_select(below, rf_set(-1), x));
}

RF_INLINE rf_vec rf_velu(rf_vec x, float a)
{
    return rf_select(x < rf_set(0), rf_vexpm1(x) * a, x);
}

RF_INLINE rf_vec rf_vcelu(rf_vec x, float a)
{
    return rf_select(x < rf_set(0), rf_vexpm1(x / a) * a, x);
}

RF_INLINE rf_vec rf_vmap(rf_vec x, rf_map map)
{
    switch (map.function) {
    case RF_MAP_RELU: return rf_at_least(x, rf_set(0));
    case RF_MAP_CLIP: return rf_vbetween(x, map.a, map.b);
    case RF_MAP_LEAKY_RELU: return rf_select(x < rf_set(0), x * map.a, x);
    case RF_MAP_SIGMOID: return rf_vsigmoid(x);
    case RF_MAP_TANH: return rf_vtanh(x);
    case RF_MAP_HARD_SIGMOID: return rf_vbetween(x * map.a + map.b, 0, 1);
    case RF_MAP_HARD_SWISH: return x * rf_vbetween(x * (1.0f / 6) + 0.5f, 0, 1);
    case RF_MAP_SILU: return rf_vsilu(x);
    case RF_MAP_ELU: return rf_velu(x, map.a);
    case RF_MAP_SELU: return rf_velu(x, map.a) * map.b;
    case RF_MAP_CELU: return rf_vcelu(x, map.a);
    case RF_MAP_GELU: return rf_vgelu(x);
    case RF_MAP_GELU_TANH: return rf_vgelu_tanh(x);
    case RF_MAP_SOFTPLUS: return rf_vsoftplus(x);
    case RF_MAP_SOFTSIGN: return x / (1 + rf_vabs(x));
    case RF_MAP_MISH: return rf_vmish(x);
    case RF_MAP_THRESHOLD: return rf_select(x <= rf_set(map.a), rf_set(0), x);
    case RF_MAP_ERF: return rf_verf(x);
    case RF_MAP_EXP: return rf_vexp(x);
    case RF_MAP_LOG: return rf_vlog(x);
    case RF_MAP_SQRT: return rf_vsqrt(x);
    case RF_MAP_RECIPROCAL: return 1 / x;
    case RF_MAP_ABS: return rf_vabs(x);
    case RF_MAP_NEGATE: return -x;
    case RF_MAP_FLOOR: return rf_vfloor(x);
    case RF_MAP_CEIL: return rf_vceil(x);
    case RF_MAP_ROUND: return rf_vround(x);
    case RF_MAP_SIGN: return rf_vsign(x);
    case RF_MAP_SIN: return rf_vmap_lanes(x, sinf);
    case RF_MAP_COS: return rf_vmap_lanes(x, cosf);
    case RF_MAP_AFFINE: return x * map.a + map.b;
    case RF_MAP_NONE:
    case RF_MAP_FUNCTIONS: break;
    }
    return x;
}

#endif
