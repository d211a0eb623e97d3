/* SPDX-License-Identifier: MIT */
/*
 * The reference of Resize and Upsample: the tables that `infer` has made say
 * for each axis which inputs an index reads and with which weights; an element
 * is the sum over all combinations.
 */
#include "ops/resize.h"

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/resample.h"

/* The axes that are resized, and where on them an output element lies. */
typedef struct sampler {
    const rf_value *x;
    int32_t count;
    int32_t axes[RF_MAX_RANK];
    int64_t strides[RF_MAX_RANK];
    const rf_axis_taps *tables[RF_MAX_RANK];
    int64_t at[RF_MAX_RANK];
    uint64_t products;
} sampler;

/* Sums the taps of axes k and up. Weights are multiplied on the way down: once for all channels, in a
 * kernel, so that they are not operations of the layer. */
static double sum_taps(sampler *s, int32_t k, int64_t element, double weight)
{
    if (k == s->count) {
        s->products++;
        return weight * rf_value_float(s->x, (uint64_t)element);
    }
    const rf_axis_taps *table = s->tables[k];
    int64_t first = s->at[k] * table->taps;
    double sum = 0;
    for (int64_t t = first; t < first + table->taps; t++)
        sum += sum_taps(s, k + 1, element + s->strides[k] * table->indices[t],
                        weight * (double)table->weights[t]);
    return sum;
}

/* The element of the input under an output element, or -1 outside. */
static int64_t nearest_element(const sampler *s, int64_t element)
{
    for (int32_t k = 0; k < s->count; k++) {
        int32_t index = s->tables[k]->indices[s->at[k]];
        if (index == RF_RESAMPLE_OUTSIDE)
            return -1;
        element += s->strides[k] * index;
    }
    return element;
}

static bool is_outside(const sampler *s)
{
    for (int32_t k = 0; k < s->count; k++)
        if (s->tables[k]->indices[s->at[k] * s->tables[k]->taps] == RF_RESAMPLE_OUTSIDE)
            return true;
    return false;
}

/* Splits the axes: those that pass move a view of the input, those that are resized look in a table. */
static sampler begin(const rf_node *node, rf_view *view)
{
    const rf_resize *state = node->state;
    const rf_value *x = node->inputs[0];
    sampler s = {.x = x};
    *view = (rf_view){.offset = 0};
    int64_t strides[RF_MAX_RANK];
    rf_view_strides(&x->shape, strides);
    for (int32_t axis = 0; axis < x->shape.rank; axis++) {
        if (!state->tables[axis].indices) {
            view->strides[axis] = strides[axis];
            continue;
        }
        s.axes[s.count] = axis;
        s.strides[s.count] = strides[axis];
        s.tables[s.count++] = &state->tables[axis];
    }
    return s;
}

static void put_outside(const rf_resize *state, const rf_value *out, uint64_t i)
{
    double element = (double)state->outside;
    rf_doubles_write(out, i, 1, &element);
}

static void put_element(const rf_resize *state, sampler *s, int64_t element, const rf_value *out, uint64_t i)
{
    if (state->nearest) {
        int64_t from = nearest_element(s, element);
        if (from < 0)
            put_outside(state, out, i);
        else
            rf_fold_move(rf_fold_data(out), i, s->x->data, (uint64_t)from, rf_dtype_bits(out->dtype) / 8);
        return;
    }
    if (is_outside(s)) {
        put_outside(state, out, i);
        return;
    }
    double sum = sum_taps(s, 0, element, 1);
    rf_doubles_write(out, i, 1, &sum);
}

static rf_status check(const rf_node *node)
{
    const rf_resize *state = node->state;
    rf_dtype dtype = node->inputs[0]->dtype;
    bool moves = state->nearest && !state->extrapolates;
    if (!state->tabled)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED,
                            "it resizes with more positions than limits.folded_elements, %llu",
                            (unsigned long long)node->limits->folded_elements);
    return moves || state->passes || rf_fold_reads(dtype) ? RF_OK : rf_fold_refuse(node);
}

rf_status rf_resize_evaluate(rf_node *node)
{
    const rf_resize *state = node->state;
    const rf_value *out = node->outputs[0];
    RF_TRY(check(node));
    if (state->passes)
        return rf_fold_copy(node);
    rf_view view;
    rf_cursor cursor;
    sampler s = begin(node, &view);
    uint64_t count = rf_elements(&out->shape), sums = 0;
    rf_cursor_start(&cursor, &out->shape, &view);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&cursor)) {
        uint64_t before = s.products;
        for (int32_t k = 0; k < s.count; k++)
            s.at[k] = cursor.index[s.axes[k]];
        put_element(state, &s, cursor.at, out, i);
        sums += s.products > before;
    }
    if (node->tally) {
        node->tally->multiplications += s.products;
        node->tally->additions += s.products - sums;
    }
    return RF_OK;
}
