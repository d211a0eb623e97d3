/* SPDX-License-Identifier: MIT */
#include "ops/normalization.h"

#include <math.h>

#include "ops/doubles.h"
#include "ops/fold.h"

const char *const rf_norm_inputs[5] = {"its input", "its scale", "its bias", "its mean", "its variance"};

rf_status rf_norm_take_state(rf_node *node, rf_norm_state **state)
{
    *state = RF_TAKE(node->arena, rf_norm_state, 1);
    if (!*state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its axes");
    node->state = *state;
    return RF_OK;
}

rf_status rf_norm_require_rank(const rf_node *node, const rf_shape *shape, int32_t least)
{
    if (shape->rank >= least)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but %d axes are needed",
                        rf_shape_print(shape).text, (int)least);
}

rf_status rf_norm_imply_pair(rf_node *node, const rf_shape *shape)
{
    RF_TRY(rf_node_imply_weight(node, shape));
    return rf_node_imply_weight(node, shape);
}

void rf_norm_link_axes(const rf_node *node, uint32_t input, uint32_t axes, rf_link *links)
{
    for (int32_t i = 0; i < node->inputs[input]->shape.rank; i++) {
        if (axes >> i & 1)
            rf_link_all(&links[i]);
        else
            rf_link_same(&links[i], i);
    }
}

bool rf_norm_cost(uint64_t elements, uint64_t groups, bool scale, bool bias, rf_cost *cost)
{
    rf_counts *counts = &cost->dense;
    if (elements == 0)
        return true;
    if (!rf_checked_mul(elements, 3 + (uint64_t)bias, &counts->additions)
        || !rf_checked_mul(elements, 2 + (uint64_t)scale, &counts->multiplications)
        || !rf_checked_mul(groups, 3, &counts->divisions))
        return false;
    counts->additions -= groups;
    counts->square_roots = groups;
    cost->valid = *counts;
    return true;
}

uint64_t rf_norm_outside(const rf_shape *shape, uint32_t axes)
{
    rf_shape outside = *shape;
    for (int32_t i = 0; i < outside.rank; i++)
        if (axes >> i & 1)
            outside.dims[i] = 1;
    return rf_elements(shape) ? rf_elements(&outside) : 0;
}

/* ---- References ------------------------------------------------------------------------- */

static double sum_of(const double *x, uint64_t count)
{
    double sum = x[0];
    for (uint64_t i = 1; i < count; i++)
        sum += x[i];
    return sum;
}

rf_moments rf_norm_standardize(double *x, uint64_t count, double epsilon, rf_norm_epsilon where, rf_counts *tally)
{
    rf_moments moments = {.mean = sum_of(x, count) / (double)count};
    double squares = 0;
    for (uint64_t i = 0; i < count; i++) {
        x[i] -= moments.mean;
        squares += x[i] * x[i];
    }
    moments.variance = squares / (double)count;
    moments.factor = where == RF_EPSILON_TO_ROOT ? 1 / (sqrt(moments.variance) + epsilon)
                                                 : 1 / sqrt(moments.variance + epsilon);
    for (uint64_t i = 0; i < count; i++)
        x[i] *= moments.factor;
    if (tally) {
        tally->additions += (count - 1) + count + (count - 1) + 1;
        tally->multiplications += 2 * count;
        tally->divisions += 3;
        tally->square_roots++;
    }
    return moments;
}

void rf_norm_affine(double *x, uint64_t count, const rf_value *scale, const rf_value *bias, uint64_t at,
                    rf_counts *tally)
{
    double factor = rf_value_float(scale, at), shift = rf_value_float(bias, at);
    for (uint64_t i = 0; i < count; i++)
        x[i] = x[i] * factor + shift;
    if (tally) {
        tally->multiplications += count;
        tally->additions += count;
    }
}

/* The axes of a shape that are in the set, or are not, and how to walk them. */
typedef struct walk {
    rf_shape shape;
    rf_view view;
} walk;

static walk walk_of(const rf_shape *shape, uint32_t axes)
{
    walk part = {.shape = {.rank = 0}};
    int64_t strides[RF_MAX_RANK];
    rf_view_strides(shape, strides);
    for (int32_t i = 0; i < shape->rank; i++) {
        if (!(axes >> i & 1))
            continue;
        part.view.strides[part.shape.rank] = strides[i];
        part.shape.dims[part.shape.rank++] = shape->dims[i];
    }
    return part;
}

/* Whether a group's elements lie one after the other. */
static bool is_run(const walk *inner)
{
    int64_t stride = 1;
    for (int32_t i = inner->shape.rank - 1; i >= 0; i--) {
        if (inner->view.strides[i] != stride)
            return false;
        stride *= inner->shape.dims[i];
    }
    return true;
}

static void read_group(const rf_value *value, const walk *inner, bool run, uint64_t count, double *to)
{
    if (run) {
        rf_doubles_read(value, (uint64_t)inner->view.offset, count, to);
        return;
    }
    rf_cursor at;
    rf_cursor_start(&at, &inner->shape, &inner->view);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&at))
        to[i] = rf_value_float(value, (uint64_t)at.at);
}

static void write_group(const rf_value *output, const walk *inner, bool run, uint64_t count, const double *from)
{
    if (run) {
        rf_doubles_write(output, (uint64_t)inner->view.offset, count, from);
        return;
    }
    rf_cursor at;
    rf_cursor_start(&at, &inner->shape, &inner->view);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&at))
        rf_doubles_write(output, (uint64_t)at.at, 1, from + i);
}

void rf_norm_each_group(const rf_node *node, const rf_shape *shape, uint32_t axes, rf_norm_change change)
{
    if (rf_elements(shape) == 0)
        return;
    walk outer = walk_of(shape, ~axes), inner = walk_of(shape, axes);
    bool run = is_run(&inner);
    uint64_t groups = rf_elements(&outer.shape), count = rf_elements(&inner.shape);
    rf_cursor at;
    rf_cursor_start(&at, &outer.shape, &outer.view);
    for (uint64_t group = 0; group < groups; group++, rf_cursor_next(&at)) {
        inner.view.offset = at.at;
        read_group(node->inputs[0], &inner, run, count, node->scratch);
        change(node, group, node->scratch, count);
        if (rf_output(node, 0))
            write_group(node->outputs[0], &inner, run, count, node->scratch);
    }
}

bool rf_norm_scratch(const rf_shape *shape, uint32_t axes, uint64_t *bytes)
{
    *bytes = 0;
    if (rf_elements(shape) == 0)
        return true;
    walk inner = walk_of(shape, axes);
    return rf_doubles_bytes(rf_elements(&inner.shape), 0, bytes);
}
