/* SPDX-License-Identifier: MIT */
/*
 * Pad: constant, edge, reflect and wrap; negative pads crop. CenterCropPad is
 * the same with pads that the operator chooses.
 */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/operands.h"
#include "ops/task.h"

enum { LARGEST_ELEMENT = 16 };

typedef struct pad_params {
    const char *mode;
    rf_ints pads;
    float value;
} pad_params;

typedef struct pad_state {
    rf_border border;
    int64_t begin[RF_MAX_RANK];
    uint32_t value_input; /* that holds the constant; 0 where `value` does */
    float value;
} pad_state;

static const rf_attribute_spec attributes[] = {
    {"mode", RF_ATTRIBUTE_STRING, offsetof(pad_params, mode), false},
    {"pads", RF_ATTRIBUTE_INTS, offsetof(pad_params, pads), false},
    {"value", RF_ATTRIBUTE_FLOAT, offsetof(pad_params, value), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* In the order of rf_border. */
static const char *const mode_names[] = {"constant", "edge", "reflect", "wrap", NULL};

static rf_status pad_axis(const rf_node *node, int32_t axis, int64_t begin, int64_t end, pad_state *state,
                          rf_shape *output)
{
    const int64_t most = INT64_C(1) << 61;
    int64_t extent = output->dims[axis], padded, unbegun;
    if (begin < -most || begin > most || !rf_checked_add(extent, end, &unbegun)
        || !rf_checked_add(extent, begin, &padded) || !rf_checked_add(padded, end, &padded) || padded < 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "pads %lld and %lld do not fit axis %d, %lld long",
                            (long long)begin, (long long)end, (int)axis, (long long)extent);
    if (state->border != RF_BORDER_PADDING && extent == 0 && padded > 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d is empty: there is nothing to pad it with",
                            (int)axis);
    state->begin[axis] = begin;
    output->dims[axis] = padded;
    return RF_OK;
}

static rf_status read_pads(const rf_node *node, rf_ints *pads, size_t axes)
{
    const pad_params *params = node->params;
    if (rf_input(node, 1) && params->pads.count)
        return rf_node_fail(node, RF_ERROR_GRAPH, "pads are both an input and an attribute");
    RF_TRY(rf_node_ints(node, 1, &params->pads, "pads", pads));
    if (pads->count == 2 * axes && (pads->at || axes == 0))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "pads has %zu entries, but %zu are needed", pads->count, 2 * axes);
}

static rf_status infer(rf_node *node)
{
    const pad_params *params = node->params;
    const rf_value *x = node->inputs[0];
    rf_shape output = x->shape;
    rf_ints axes, pads;
    int mode;
    pad_state *state = RF_TAKE(node->arena, pad_state, 1);
    if (!state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its pads");
    node->state = state;
    RF_TRY(rf_node_choice(node, "mode", params->mode, mode_names, &mode));
    state->border = (rf_border)mode;
    state->value = params->value;
    if (rf_input(node, 2)) {
        RF_TRY(rf_check_same_dtype(node, 0, 2));
        RF_TRY(rf_check_single(node, 2, "the constant"));
        state->value_input = 2;
    }
    RF_TRY(rf_node_ints(node, 3, NULL, "axes", &axes));
    size_t count = rf_input(node, 3) ? axes.count : (size_t)x->shape.rank;
    RF_TRY(read_pads(node, &pads, count));
    uint32_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t axis;
        RF_TRY(rf_node_axis(node, "an axis", axes.at ? axes.at[i] : (int64_t)i, x->shape.rank, &axis));
        if (seen >> axis & 1)
            return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d is named twice", (int)axis);
        seen |= 1U << axis;
        RF_TRY(pad_axis(node, axis, pads.at[i], pads.at[count + i], state, &output));
    }
    rf_set_output(node, 0, x->dtype, &output);
    return RF_OK;
}

/* Of the other inputs only the constant's value reaches the output. */
static void link_pad(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const pad_state *state = node->state;
    if (input == 2 && state->border == RF_BORDER_PADDING) {
        rf_link_everything(node, output, input, links);
        return;
    }
    for (int32_t i = 0; i < node->inputs[input]->shape.rank; i++) {
        if (input == 0) {
            rf_link_window(&links[i], i, 1, 1, 1, state->begin[i]);
            links[i].border = state->border;
        } else {
            rf_link_nothing(&links[i]);
        }
    }
}

/* ---- Evaluation ------------------------------------------------------------------------- */

/* The element of an axis that index `i` stands for, counted from the first; -1 for the constant. */
static int64_t source(rf_border border, int64_t i, int64_t extent)
{
    if (i >= 0 && i < extent)
        return i;
    switch (border) {
    case RF_BORDER_CLAMP:
        return i < 0 ? 0 : extent - 1;
    case RF_BORDER_WRAP:
        return rf_mod(i, extent);
    case RF_BORDER_REFLECT:
        if (extent == 1)
            return 0;
        i = rf_mod(i, 2 * (extent - 1));
        return i < extent ? i : 2 * (extent - 1) - i;
    default:
        return -1;
    }
}

/* Rows of the output, with the constant as an element. */
typedef struct pad_rows {
    const pad_state *state;
    const rf_shape *in, *out;
    size_t bytes;
    unsigned char constant[LARGEST_ELEMENT];
} pad_rows;

/* `from` is the row of the input; NULL for a row of constants. */
static void fill_row(const pad_rows *rows, unsigned char *to, const unsigned char *from)
{
    int32_t last = rows->in->rank - 1;
    int64_t width = rows->out->dims[last], extent = rows->in->dims[last], begin = rows->state->begin[last];
    int64_t first = rf_max(0, rf_min(begin, width)), end = rf_max(first, rf_min(begin + extent, width));
    for (int64_t i = 0; i < width; i++) {
        if (from && i == first && end > first) {
            memcpy(to + (size_t)i * rows->bytes, from + (size_t)(first - begin) * rows->bytes,
                   (size_t)(end - first) * rows->bytes);
            i = end - 1;
            continue;
        }
        int64_t place = from ? source(rows->state->border, i - begin, extent) : -1;
        if (place < 0)
            rf_fold_move(to, (uint64_t)i, rows->constant, 0, rows->bytes);
        else
            rf_fold_move(to, (uint64_t)i, from, (uint64_t)place, rows->bytes);
    }
}

/* Where the row of the input begins that row `row` of the output shows, in elements; -1 for none. */
static int64_t row_begin(const pad_rows *rows, uint64_t row)
{
    int64_t at = 0, stride = 1;
    for (int32_t axis = rows->in->rank - 1; axis >= 0; axis--) {
        int64_t extent = rows->in->dims[axis];
        if (axis < rows->in->rank - 1) {
            int64_t index = (int64_t)(row % (uint64_t)rows->out->dims[axis]);
            int64_t place = source(rows->state->border, index - rows->state->begin[axis], extent);
            row /= (uint64_t)rows->out->dims[axis];
            if (place < 0)
                return -1;
            at += place * stride;
        }
        stride *= extent;
    }
    return at;
}

static rf_status set_constant(const rf_node *node, pad_rows *rows)
{
    rf_dtype dtype = node->inputs[0]->dtype;
    memset(rows->constant, 0, sizeof rows->constant);
    if (rows->state->value_input)
        memcpy(rows->constant, node->inputs[rows->state->value_input]->data, rows->bytes);
    else if (rows->state->value != 0 && !rf_fold_reads(dtype))
        return rf_fold_refuse(node);
    else if (rows->state->value != 0)
        rf_store_float(rows->constant, dtype, 0, (double)rows->state->value);
    return RF_OK;
}

static rf_status evaluate_pad(rf_node *node)
{
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    uint64_t total = out ? rf_elements(&out->shape) : 0;
    if (total == 0)
        return RF_OK;
    pad_rows rows = {
        .state = node->state, .in = &in->shape, .out = &out->shape, .bytes = rf_dtype_bits(in->dtype) / 8,
    };
    RF_TRY(set_constant(node, &rows));
    if (in->shape.rank == 0) {
        memcpy(rf_fold_data(out), in->data, rows.bytes);
        return RF_OK;
    }
    bool empty = rf_elements(&in->shape) == 0;
    uint64_t width = (uint64_t)out->shape.dims[out->shape.rank - 1];
    for (uint64_t row = 0; row < total / width; row++) {
        int64_t begin = empty ? -1 : row_begin(&rows, row);
        fill_row(&rows, (unsigned char *)rf_fold_data(out) + row * width * rows.bytes,
                 begin < 0 ? NULL : (const unsigned char *)in->data + (size_t)begin * rows.bytes);
    }
    return RF_OK;
}

/* ---- Lowering --------------------------------------------------------------------------- */

/* Whether the constant is known and a double holds it. */
static bool known_constant(const rf_node *node, double *value)
{
    const pad_state *state = node->state;
    const int64_t exact = INT64_C(1) << 53;
    *value = (double)state->value;
    if (state->value_input == 0)
        return true;
    const rf_value *input = node->inputs[state->value_input];
    if (!input->data)
        return false;
    *value = rf_value_float(input, 0);
    if (rf_dtype_is_float(input->dtype))
        return true;
    int64_t whole = rf_value_int(input, 0);
    return whole >= -exact && whole <= exact && (input->dtype != RF_UINT64 || whole >= 0);
}

static bool lower_pad(const rf_node *node, rf_task *task)
{
    const pad_state *state = node->state;
    task->kind = RF_TASK_PAD;
    memcpy(task->as.pad.begin, state->begin, sizeof state->begin);
    return state->border == RF_BORDER_PADDING && rf_fold_reads(node->inputs[0]->dtype)
        && known_constant(node, &task->as.pad.value);
}

/* What was put around goes, what was cropped is 0. */
static rf_status gradient_pad(const rf_node *node, rf_gradient *to)
{
    const pad_state *state = node->state;
    const rf_shape *in = &node->inputs[0]->shape, *out = &node->outputs[0]->shape;
    int64_t begin[RF_MAX_RANK], end[RF_MAX_RANK];
    if (state->border != RF_BORDER_PADDING)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has a gradient in the mode constant only");
    for (int32_t k = 0; k < in->rank; k++) {
        begin[k] = -state->begin[k];
        end[k] = in->dims[k] - out->dims[k] + state->begin[k];
    }
    rf_gradient_give(to, node, 0, rf_gradient_pad(to, rf_gradient_of(to, node, 0), in->rank, begin, end));
    return RF_OK;
}

const rf_op rf_op_Pad = {
    .type = "Pad",
    .class = RF_CLASS_OTHER,
    .min_inputs = 1,
    .max_inputs = 4,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = attributes,
    .params_size = sizeof(pad_params),
    .infer = infer,
    .link = link_pad,
    .evaluate = evaluate_pad,
    .lower = lower_pad,
    .gradient = gradient_pad,
};

/* ---- CenterCropPad ---------------------------------------------------------------------- */

typedef struct centre_params {
    rf_ints axes;
} centre_params;

static const rf_attribute_spec centre_attributes[] = {
    {"axes", RF_ATTRIBUTE_INTS, offsetof(centre_params, axes), false},
    {.name = NULL},
};

static rf_status infer_centre(rf_node *node)
{
    const centre_params *params = node->params;
    rf_shape out = node->inputs[0]->shape;
    rf_ints list;
    uint32_t listed;
    pad_state *state = RF_TAKE(node->arena, pad_state, 1);
    if (!state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its pads");
    node->state = state;
    state->border = RF_BORDER_PADDING;
    RF_TRY(rf_check_list(node, 1, "the shape"));
    RF_TRY(rf_node_ints(node, 1, NULL, "the shape", &list));
    RF_TRY(rf_check_axes(node, &params->axes, out.rank, &listed));
    size_t count = params->axes.at ? params->axes.count : (size_t)out.rank;
    if (list.count != count)
        return rf_node_fail(node, RF_ERROR_SHAPE, "the shape has %zu elements for %zu axes", list.count, count);
    for (size_t i = 0; i < count; i++) {
        int32_t axis;
        RF_TRY(rf_node_axis(node, "axis", params->axes.at ? params->axes.at[i] : (int64_t)i, out.rank, &axis));
        if (list.at[i] < 0)
            return rf_node_fail(node, RF_ERROR_SHAPE, "the shape holds %lld, but must hold 0 or more",
                                (long long)list.at[i]);
        int64_t more = list.at[i] - out.dims[axis];
        state->begin[axis] = more < 0 ? -(-more / 2) : more / 2;
        out.dims[axis] = list.at[i];
    }
    rf_set_output(node, 0, node->inputs[0]->dtype, &out);
    return RF_OK;
}

const rf_op rf_op_CenterCropPad = {
    .type = "CenterCropPad", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = centre_attributes, .params_size = sizeof(centre_params),
    .infer = infer_centre, .link = link_pad, .evaluate = evaluate_pad, .lower = lower_pad,
};
