/* SPDX-License-Identifier: MIT */
/*
 * The references of Reduce*: each takes something of every element, joins what
 * it took and finishes the result.
 *
 * Integers are joined as integers and wrap around, unless a root or a logarithm
 * follows or there is nothing to join; everything else is done in double.
 */
#include "ops/reduction.h"

#include <math.h>

#include "ops/doubles.h"
#include "ops/order_key.h"

typedef enum take_kind {
    TAKE_ELEMENT,
    TAKE_MAGNITUDE,
    TAKE_SQUARE,
    TAKE_EXPONENTIAL
} take_kind;

typedef enum join_kind {
    JOIN_SUM,
    JOIN_PRODUCT,
    JOIN_LEAST,
    JOIN_MOST
} join_kind;

typedef enum finish_kind {
    FINISH_NOTHING,
    FINISH_MEAN,
    FINISH_ROOT,
    FINISH_LOGARITHM
} finish_kind;

typedef struct rule {
    take_kind take;
    join_kind join;
    finish_kind finish;
} rule;

/* The elements that become one. */
typedef struct gathered {
    const rf_value *value;
    const rf_shape *shape;
    rf_view view;
    uint64_t count;
} gathered;

/* ---- Integers --------------------------------------------------------------------------- */

static int64_t take_int(take_kind take, int64_t x, bool is_unsigned)
{
    if (take == TAKE_SQUARE)
        return rf_wrap_mul(x, x);
    return take == TAKE_MAGNITUDE && x < 0 && !is_unsigned ? rf_wrap_sub(0, x) : x;
}

static int64_t join_int(join_kind join, int64_t a, int64_t b, bool is_unsigned)
{
    uint64_t sign = is_unsigned ? 0 : UINT64_C(1) << 63;
    bool below = ((uint64_t)a ^ sign) < ((uint64_t)b ^ sign);
    switch (join) {
    case JOIN_SUM:
        return rf_wrap_add(a, b);
    case JOIN_PRODUCT:
        return rf_wrap_mul(a, b);
    case JOIN_LEAST:
        return below ? a : b;
    default:
        return below ? b : a;
    }
}

static int64_t reduce_ints(const gathered *from, rule by)
{
    bool is_unsigned = from->value->dtype == RF_UINT64;
    int64_t result = 0;
    rf_cursor at;
    rf_cursor_start(&at, from->shape, &from->view);
    for (uint64_t k = 0; k < from->count; k++, rf_cursor_next(&at)) {
        int64_t x = take_int(by.take, rf_value_int(from->value, (uint64_t)at.at), is_unsigned);
        result = k ? join_int(by.join, result, x, is_unsigned) : x;
    }
    if (by.finish != FINISH_MEAN)
        return result;
    return is_unsigned ? (int64_t)((uint64_t)result / from->count) : result / (int64_t)from->count;
}

/* ---- Floats ----------------------------------------------------------------------------- */

static double take_float(take_kind take, double x)
{
    switch (take) {
    case TAKE_MAGNITUDE:
        return fabs(x);
    case TAKE_SQUARE:
        return x * x;
    case TAKE_EXPONENTIAL:
        return exp(x);
    default:
        return x;
    }
}

static double join_float(join_kind join, double a, double b)
{
    switch (join) {
    case JOIN_SUM:
        return a + b;
    case JOIN_PRODUCT:
        return a * b;
    case JOIN_LEAST:
        return a < b || a != a ? a : b;
    default:
        return a > b || a != a ? a : b;
    }
}

static double join_of_none(join_kind join)
{
    switch (join) {
    case JOIN_SUM:
        return 0;
    case JOIN_PRODUCT:
        return 1;
    case JOIN_LEAST:
        return (double)INFINITY;
    default:
        return -(double)INFINITY;
    }
}

/* What is taken is of each element less `shift`. */
static double join_floats(const gathered *from, rule by, double shift)
{
    double result = join_of_none(by.join);
    rf_cursor at;
    rf_cursor_start(&at, from->shape, &from->view);
    for (uint64_t k = 0; k < from->count; k++, rf_cursor_next(&at)) {
        double x = take_float(by.take, rf_value_float(from->value, (uint64_t)at.at) - shift);
        result = k ? join_float(by.join, result, x) : x;
    }
    return result;
}

/* Exponentials that leave the range of double are summed again, relative to the largest. */
static double log_sum_exp(const gathered *from, rule by, double sum, rf_counts *tally)
{
    if (sum > 0 && sum < (double)INFINITY)
        return log(sum);
    double most = join_floats(from, (rule){TAKE_ELEMENT, JOIN_MOST, FINISH_NOTHING}, 0);
    if (!isfinite(most))
        return log(sum);
    if (tally) {
        tally->comparisons += from->count - 1;
        tally->exponentials += from->count;
        tally->additions += 2 * from->count;
    }
    return most + log(join_floats(from, by, most));
}

static double reduce_floats(const gathered *from, rule by, rf_counts *tally)
{
    double joined = join_floats(from, by, 0);
    switch (by.finish) {
    case FINISH_MEAN:
        return joined / (double)from->count;
    case FINISH_ROOT:
        return sqrt(joined);
    case FINISH_LOGARITHM:
        return by.take == TAKE_EXPONENTIAL ? log_sum_exp(from, by, joined, tally) : log(joined);
    default:
        return joined;
    }
}

/* ---- Both ------------------------------------------------------------------------------- */

/* What making one output element of `count` others took. */
static void tally_one(rule by, uint64_t count, rf_counts *tally)
{
    uint64_t joins = count ? count - 1 : 0;
    if (by.join == JOIN_SUM)
        tally->additions += joins;
    else if (by.join == JOIN_PRODUCT)
        tally->multiplications += joins;
    else
        tally->comparisons += joins;
    tally->multiplications += by.take == TAKE_SQUARE ? count : 0;
    tally->exponentials += by.take == TAKE_EXPONENTIAL ? count : 0;
    tally->divisions += by.finish == FINISH_MEAN;
    tally->square_roots += by.finish == FINISH_ROOT;
    tally->exponentials += by.finish == FINISH_LOGARITHM;
}

static bool as_integers(const rf_value *in, rule by, uint64_t count)
{
    return !rf_dtype_is_float(in->dtype) && by.finish <= FINISH_MEAN && by.take != TAKE_EXPONENTIAL && count > 0;
}

static rf_status reduce(const rf_node *node, rule by)
{
    const rf_reduction *axes = node->state;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!out || !rf_order_knows(in->dtype))
        return rf_fold_refuse(node);
    rf_reduction_walk walk;
    rf_reduction_walk_make(node, &walk);
    gathered from = {in, &walk.inner_shape, walk.inner, axes->count};
    bool whole = as_integers(in, by, from.count);
    uint64_t outputs = rf_elements(&out->shape);
    rf_cursor at;
    rf_cursor_start(&at, &out->shape, &walk.outer);
    for (uint64_t i = 0; i < outputs; i++, rf_cursor_next(&at)) {
        from.view.offset = at.at;
        double real = whole ? 0 : reduce_floats(&from, by, node->tally);
        if (whole)
            rf_store_int(rf_fold_data(out), out->dtype, i, reduce_ints(&from, by));
        else
            rf_doubles_write(out, i, 1, &real);
        if (node->tally)
            tally_one(by, from.count, node->tally);
    }
    return RF_OK;
}

#define REFERENCE(name_, take_, join_, finish_)              \
    rf_status name_(rf_node *node)                           \
    {                                                        \
        return reduce(node, (rule){take_, join_, finish_});  \
    }

REFERENCE(rf_reduce_sum, TAKE_ELEMENT, JOIN_SUM, FINISH_NOTHING)
REFERENCE(rf_reduce_mean, TAKE_ELEMENT, JOIN_SUM, FINISH_MEAN)
REFERENCE(rf_reduce_prod, TAKE_ELEMENT, JOIN_PRODUCT, FINISH_NOTHING)
REFERENCE(rf_reduce_min, TAKE_ELEMENT, JOIN_LEAST, FINISH_NOTHING)
REFERENCE(rf_reduce_max, TAKE_ELEMENT, JOIN_MOST, FINISH_NOTHING)
REFERENCE(rf_reduce_l1, TAKE_MAGNITUDE, JOIN_SUM, FINISH_NOTHING)
REFERENCE(rf_reduce_l2, TAKE_SQUARE, JOIN_SUM, FINISH_ROOT)
REFERENCE(rf_reduce_sum_square, TAKE_SQUARE, JOIN_SUM, FINISH_NOTHING)
REFERENCE(rf_reduce_log_sum, TAKE_ELEMENT, JOIN_SUM, FINISH_LOGARITHM)
REFERENCE(rf_reduce_log_sum_exp, TAKE_EXPONENTIAL, JOIN_SUM, FINISH_LOGARITHM)
