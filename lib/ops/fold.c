/* SPDX-License-Identifier: MIT */
#include "ops/fold.h"

#include <string.h>

#include "ops/doubles.h"

bool rf_fold_reads(rf_dtype dtype)
{
    switch (dtype) {
    case RF_FLOAT16:
    case RF_BFLOAT16:
    case RF_FLOAT32:
    case RF_FLOAT64:
    case RF_UINT8:
    case RF_INT8:
    case RF_UINT16:
    case RF_INT16:
    case RF_UINT32:
    case RF_INT32:
    case RF_INT64:
    case RF_UINT64:
    case RF_BOOL:
        return true;
    default:
        return false;
    }
}

rf_status rf_fold_refuse(const rf_node *node)
{
    const rf_value *in = rf_input(node, 0), *out = rf_output(node, 0);
    return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it is not computed from %s to %s",
                        in ? rf_dtype_name(in->dtype) : "nothing", out ? rf_dtype_name(out->dtype) : "nothing");
}

static bool is_readable(const rf_value *value)
{
    return value && rf_fold_reads(value->dtype) && (value->data || rf_elements(&value->shape) == 0);
}

static bool all_readable(rf_value *const *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!is_readable(values[i]))
            return false;
    return true;
}

bool rf_fold_ready(const rf_node *node)
{
    return all_readable(node->inputs, node->input_count) && all_readable(node->outputs, node->output_count);
}

void rf_view_strides(const rf_shape *shape, int64_t strides[RF_MAX_RANK])
{
    int64_t stride = rf_elements(shape) ? 1 : 0;
    for (int32_t axis = shape->rank - 1; axis >= 0; axis--) {
        strides[axis] = stride;
        stride *= shape->dims[axis];
    }
}

void rf_view_broadcast(const rf_shape *in, const rf_shape *out, int32_t shift, rf_view *view)
{
    int64_t strides[RF_MAX_RANK];
    rf_view_strides(in, strides);
    *view = (rf_view){.offset = 0};
    for (int32_t axis = 0; axis < in->rank; axis++)
        if (axis + shift < out->rank && in->dims[axis] != 1)
            view->strides[axis + shift] = strides[axis];
}

void rf_cursor_start(rf_cursor *cursor, const rf_shape *shape, const rf_view *view)
{
    *cursor = (rf_cursor){.shape = shape, .view = view, .at = view->offset};
}

void rf_cursor_next(rf_cursor *cursor)
{
    for (int32_t axis = cursor->shape->rank - 1; axis >= 0; axis--) {
        cursor->at += cursor->view->strides[axis];
        if (++cursor->index[axis] < cursor->shape->dims[axis])
            return;
        cursor->at -= cursor->view->strides[axis] * cursor->index[axis];
        cursor->index[axis] = 0;
    }
}

void rf_cursor_seek(rf_cursor *cursor, uint64_t i)
{
    cursor->at = cursor->view->offset;
    for (int32_t axis = cursor->shape->rank - 1; axis >= 0; axis--) {
        uint64_t dim = (uint64_t)cursor->shape->dims[axis];
        cursor->index[axis] = (int64_t)(i % dim);
        cursor->at += cursor->view->strides[axis] * cursor->index[axis];
        i /= dim;
    }
}

void rf_fold_move(void *to, uint64_t i, const void *from, uint64_t j, size_t element_bytes)
{
    memcpy((unsigned char *)to + i * element_bytes, (const unsigned char *)from + j * element_bytes,
           element_bytes);
}

void rf_fold_copy_view(const rf_value *in, const rf_value *out, const rf_view *view)
{
    uint64_t count = rf_elements(&out->shape);
    size_t bytes = rf_dtype_bits(out->dtype) / 8;
    rf_cursor cursor;
    rf_cursor_start(&cursor, &out->shape, view);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&cursor))
        rf_fold_move(rf_fold_data(out), i, in->data, (uint64_t)cursor.at, bytes);
}

rf_status rf_fold_copy(rf_node *node)
{
    const rf_value *out = rf_output(node, 0);
    if (out && out->data_bytes)
        memcpy(rf_fold_data(out), node->inputs[0]->data, out->data_bytes);
    return RF_OK;
}

/* ---- Functions of elements ---------------------------------------------------------------- */

/* Elements are taken in blocks, so that a type is looked at once for many of them. */
enum { BLOCK = 256 };

/* An input broadcast to the output's shape, read block by block. */
typedef struct operand {
    const rf_value *value;
    bool straight; /* nothing repeats: its elements are in the output's order */
    rf_view view;
    rf_cursor cursor;
} operand;

static uint64_t block_at(uint64_t begin, uint64_t count)
{
    return count - begin < BLOCK ? count - begin : BLOCK;
}

static void start_operand(operand *it, const rf_value *value, const rf_shape *out, int32_t shift)
{
    it->value = value;
    it->straight = rf_elements(&value->shape) == rf_elements(out);
    rf_view_broadcast(&value->shape, out, shift, &it->view);
    rf_cursor_start(&it->cursor, out, &it->view);
}

static void read_floats(operand *it, uint64_t begin, uint64_t count, double *to)
{
    if (it->straight) {
        rf_doubles_read(it->value, begin, count, to);
        return;
    }
    rf_cursor_seek(&it->cursor, begin);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&it->cursor))
        to[i] = rf_value_float(it->value, (uint64_t)it->cursor.at);
}

static void read_ints(operand *it, uint64_t begin, uint64_t count, int64_t *to)
{
    rf_cursor_seek(&it->cursor, begin);
    for (uint64_t i = 0; i < count; i++, rf_cursor_next(&it->cursor))
        to[i] = rf_value_int(it->value, (uint64_t)it->cursor.at);
}

static void write_ints(const rf_value *out, uint64_t begin, uint64_t count, const int64_t *from)
{
    for (uint64_t i = 0; i < count; i++)
        rf_store_int(rf_fold_data(out), out->dtype, begin + i, from[i]);
}

static void each_float(const rf_node *node, const rf_fold_one *function, uint64_t begin, uint64_t count)
{
    double x[BLOCK];
    rf_doubles_read(node->inputs[0], begin, count, x);
    for (uint64_t i = 0; i < count; i++)
        x[i] = function->floats(x[i], function->a, function->b);
    rf_doubles_write(node->outputs[0], begin, count, x);
}

static void each_int(const rf_node *node, const rf_fold_one *function, uint64_t begin, uint64_t count)
{
    const rf_value *in = node->inputs[0], *out = node->outputs[0];
    for (uint64_t i = begin; i < begin + count; i++)
        rf_store_int(rf_fold_data(out), out->dtype, i, function->ints(node, rf_value_int(in, i)));
}

rf_status rf_fold_each(const rf_node *node, const rf_fold_one *function)
{
    if (!rf_output(node, 0))
        return RF_OK;
    bool as_float = rf_dtype_is_float(node->inputs[0]->dtype);
    if (!is_readable(node->inputs[0]) || !is_readable(node->outputs[0])
        || (as_float ? !function->floats : !function->ints))
        return rf_fold_refuse(node);
    uint64_t count = rf_elements(&node->outputs[0]->shape);
    for (uint64_t begin = 0; begin < count; begin += BLOCK) {
        uint64_t done = block_at(begin, count);
        (as_float ? each_float : each_int)(node, function, begin, done);
        rf_tally_add(node, function->counter, done);
    }
    return RF_OK;
}

/* Whether arithmetic is that of floats; an error where the function has none of that kind. */
static rf_status choose_kind(const rf_node *node, const rf_fold_two *function, bool *as_float)
{
    *as_float = false;
    if (!rf_fold_ready(node))
        return rf_fold_refuse(node);
    for (uint32_t i = 0; i < node->input_count; i++)
        *as_float |= rf_dtype_is_float(node->inputs[i]->dtype);
    return *as_float ? (function->floats ? RF_OK : rf_fold_refuse(node))
                     : (function->ints ? RF_OK : rf_fold_refuse(node));
}

static void combine_floats(const rf_fold_two *function, uint64_t count, double *a, const double *b)
{
    for (uint64_t i = 0; i < count; i++)
        a[i] = function->floats(a[i], b[i]);
}

static rf_status combine_ints(const rf_node *node, const rf_fold_two *function, uint64_t count, int64_t *a,
                              const int64_t *b)
{
    for (uint64_t i = 0; i < count; i++)
        RF_TRY(function->ints(node, a[i], b[i], &a[i]));
    return RF_OK;
}

static void pair_floats(const rf_node *node, const rf_fold_two *function, operand operands[2], uint64_t begin,
                        uint64_t count)
{
    double a[BLOCK], b[BLOCK];
    read_floats(&operands[0], begin, count, a);
    read_floats(&operands[1], begin, count, b);
    combine_floats(function, count, a, b);
    rf_doubles_write(node->outputs[0], begin, count, a);
}

static rf_status pair_ints(const rf_node *node, const rf_fold_two *function, operand operands[2], uint64_t begin,
                           uint64_t count)
{
    int64_t a[BLOCK], b[BLOCK];
    read_ints(&operands[0], begin, count, a);
    read_ints(&operands[1], begin, count, b);
    RF_TRY(combine_ints(node, function, count, a, b));
    write_ints(node->outputs[0], begin, count, a);
    return RF_OK;
}

rf_status rf_fold_pairs(const rf_node *node, int32_t shift, const rf_fold_two *function)
{
    const rf_value *out = rf_output(node, 0);
    bool as_float;
    if (!out)
        return RF_OK;
    RF_TRY(choose_kind(node, function, &as_float));
    operand operands[2];
    start_operand(&operands[0], node->inputs[0], &out->shape, out->shape.rank - node->inputs[0]->shape.rank);
    start_operand(&operands[1], node->inputs[1], &out->shape, shift);
    uint64_t count = rf_elements(&out->shape);
    for (uint64_t begin = 0; begin < count; begin += BLOCK) {
        uint64_t done = block_at(begin, count);
        if (as_float)
            pair_floats(node, function, operands, begin, done);
        else
            RF_TRY(pair_ints(node, function, operands, begin, done));
        rf_tally_add(node, function->counter, done);
    }
    return RF_OK;
}

static void series_floats(const rf_node *node, const rf_fold_two *function, bool mean, uint64_t begin,
                          uint64_t count)
{
    const rf_value *out = node->outputs[0];
    double total[BLOCK], next[BLOCK];
    for (uint32_t i = 0; i < node->input_count; i++) {
        operand input;
        start_operand(&input, node->inputs[i], &out->shape, out->shape.rank - node->inputs[i]->shape.rank);
        read_floats(&input, begin, count, i ? next : total);
        if (i == 0)
            continue;
        combine_floats(function, count, total, next);
        rf_tally_add(node, function->counter, count);
    }
    for (uint64_t i = 0; mean && i < count; i++)
        total[i] /= node->input_count;
    rf_tally_add(node, mean ? RF_COUNTER(divisions) : RF_NO_COUNTER, count);
    rf_doubles_write(out, begin, count, total);
}

static rf_status series_ints(const rf_node *node, const rf_fold_two *function, uint64_t begin, uint64_t count)
{
    const rf_value *out = node->outputs[0];
    int64_t total[BLOCK], next[BLOCK];
    for (uint32_t i = 0; i < node->input_count; i++) {
        operand input;
        start_operand(&input, node->inputs[i], &out->shape, out->shape.rank - node->inputs[i]->shape.rank);
        read_ints(&input, begin, count, i ? next : total);
        if (i == 0)
            continue;
        RF_TRY(combine_ints(node, function, count, total, next));
        rf_tally_add(node, function->counter, count);
    }
    write_ints(out, begin, count, total);
    return RF_OK;
}

rf_status rf_fold_series(const rf_node *node, const rf_fold_two *function, bool mean)
{
    const rf_value *out = rf_output(node, 0);
    bool as_float;
    if (!out)
        return RF_OK;
    RF_TRY(choose_kind(node, function, &as_float));
    if (mean && !as_float)
        return rf_fold_refuse(node);
    uint64_t count = rf_elements(&out->shape);
    for (uint64_t begin = 0; begin < count; begin += BLOCK) {
        uint64_t done = block_at(begin, count);
        if (as_float)
            series_floats(node, function, mean, begin, done);
        else
            RF_TRY(series_ints(node, function, begin, done));
    }
    return RF_OK;
}
