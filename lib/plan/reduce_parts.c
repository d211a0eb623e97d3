/* SPDX-License-Identifier: MIT */
/*
 * Reductions of many elements to few in two steps, as of a batch's gradients to
 * those of a bias: first of each image, then of what those come to. One step would
 * have a unit for a few channels, and so work for one or two workers.
 */
#include "plan/plan.h"

/* Fewer elements than these are not worth two steps, nor are so few for each image. */
enum { MANY_ELEMENTS = 1 << 15, OF_AN_IMAGE = 32, MOST_KEPT = 4096 };

/* What makes the whole of parts that `function` has made; false where nothing does. */
static bool joining(rf_reduce_function function, rf_reduce_function *join)
{
    *join = function == RF_REDUCE_SUM_SQUARE ? RF_REDUCE_SUM : function;
    return function != RF_REDUCE_L2;
}

static bool is_worth_it(const rf_reduce_spec *spec, int64_t *kept)
{
    int64_t reduced = 1;
    *kept = 1;
    if (spec->input.rank < 2 || !(spec->axes & 1) || spec->input.dims[0] < 2)
        return false;
    for (int32_t k = 1; k < spec->input.rank; k++)
        if (!rf_checked_mul(spec->axes >> k & 1 ? reduced : *kept, spec->input.dims[k],
                            spec->axes >> k & 1 ? &reduced : kept))
            return false;
    int64_t all;
    return *kept >= 1 && *kept <= MOST_KEPT && reduced >= OF_AN_IMAGE
        && rf_checked_mul(reduced * *kept, spec->input.dims[0], &all) && all >= MANY_ELEMENTS;
}

bool rf_plan_reduce_parts(const rf_plan *plan, const rf_reduce_spec *spec, rf_work *first, rf_work *second,
                          int64_t *between)
{
    rf_reduce_spec image = *spec, join = *spec;
    int64_t kept;
    if (!is_worth_it(spec, &kept) || !joining(spec->function, &join.function))
        return false;
    image.axes &= ~UINT32_C(1);
    image.output = (rf_strided){.rank = spec->input.rank};
    int64_t stride = 1;
    for (int32_t k = spec->input.rank - 1; k >= 0; k--) {
        image.output.dims[k] = image.axes >> k & 1 ? 1 : spec->input.dims[k];
        image.output.strides[k] = stride;
        stride *= image.output.dims[k];
    }
    join.axes = 1;
    join.input = image.output;
    *between = stride;
    return plan->kernels->reduce(&image, plan->arena, first) && plan->kernels->reduce(&join, plan->arena, second)
        && first->units > 0;
}
