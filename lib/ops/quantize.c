/* SPDX-License-Identifier: MIT */
/*
 * Linear quantisation: integers that stand for (integer - zero point) * scale.
 *
 * Each element counts a division or a multiplication, and an addition where
 * there is a zero point. Rounding and saturating are bit operations.
 */
#include "ops/table.h"

#include <math.h>
#include <stddef.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"
#include "ops/operands.h"
#include "ops/task.h"

typedef struct quantize_params {
    int64_t axis, block_size, saturate, output_dtype;
} quantize_params;

static const quantize_params quantize_defaults = {.axis = 1, .saturate = 1};

#define AXIS {"axis", RF_ATTRIBUTE_INT, offsetof(quantize_params, axis), false}
#define BLOCK_SIZE {"block_size", RF_ATTRIBUTE_INT, offsetof(quantize_params, block_size), false}

static const rf_attribute_spec quantize_attributes[] = {
    AXIS,
    BLOCK_SIZE,
    {"saturate", RF_ATTRIBUTE_INT, offsetof(quantize_params, saturate), false},
    {"output_dtype", RF_ATTRIBUTE_INT, offsetof(quantize_params, output_dtype), false},
    {.name = NULL},
};
static const rf_attribute_spec dequantize_attributes[] = {AXIS, BLOCK_SIZE, {.name = NULL}};

/* Which scale and zero point go with an element: those of all, of its index along an axis, or of its
 * block along an axis. The data is outer x extent x inner elements. */
typedef struct granules {
    uint64_t extent, inner, block, blocks; /* block 0: one for each index */
    bool single;
} granules;

/* ---- Granules --------------------------------------------------------------------------- */

static bool is_single(const rf_node *node)
{
    return rf_elements(&node->inputs[1]->shape) == 1 && ((const quantize_params *)node->params)->block_size == 0;
}

/* Valid once `infer` has checked it; unused for a single granule. */
static int32_t axis_of(const rf_node *node)
{
    const quantize_params *params = node->params;
    return (int32_t)(params->axis < 0 ? params->axis + node->inputs[0]->shape.rank : params->axis);
}

static granules granules_of(const rf_node *node)
{
    const quantize_params *params = node->params;
    const rf_shape *shape = &node->inputs[0]->shape;
    if (is_single(node))
        return (granules){.single = true};
    int32_t axis = axis_of(node);
    granules it = {.extent = (uint64_t)shape->dims[axis], .inner = 1, .block = (uint64_t)params->block_size};
    for (int32_t k = axis + 1; k < shape->rank; k++)
        it.inner *= (uint64_t)shape->dims[k];
    if (it.block)
        it.blocks = it.extent / it.block + (it.extent % it.block != 0);
    return it;
}

static uint64_t granule_at(const granules *it, uint64_t i)
{
    if (it->single)
        return 0;
    uint64_t index = i / it->inner % it->extent;
    if (!it->block)
        return index;
    return (i / it->inner / it->extent * it->blocks + index / it->block) * it->inner + i % it->inner;
}

/* How many elements from a granule's first one on it is for. */
static uint64_t granule_run(const granules *it, uint64_t count)
{
    return it->single ? count : it->block ? 1 : it->inner;
}

static rf_status check_blocks(const rf_node *node, int32_t axis)
{
    const quantize_params *params = node->params;
    const rf_shape *scale = &node->inputs[1]->shape;
    rf_shape want = node->inputs[0]->shape;
    want.dims[axis] = rf_div_ceil(want.dims[axis], params->block_size);
    if (rf_shape_equal(scale, &want))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "the scale has shape %s, but blocks of %lld along axis %d want %s",
                        rf_shape_print(scale).text, (long long)params->block_size, (int)axis,
                        rf_shape_print(&want).text);
}

/* One scale for all, one for each index along the axis, or one for each block. */
static rf_status check_scale(const rf_node *node)
{
    const quantize_params *params = node->params;
    const rf_shape *data = &node->inputs[0]->shape, *scale = &node->inputs[1]->shape;
    int32_t axis;
    if (params->block_size < 0)
        return rf_node_fail(node, RF_ERROR_FORMAT, "block_size is %lld, but must be 0 or more",
                            (long long)params->block_size);
    if (is_single(node))
        return RF_OK;
    RF_TRY(rf_node_axis(node, "axis", params->axis, data->rank, &axis));
    if (params->block_size)
        return check_blocks(node, axis);
    if (scale->rank == 1 && scale->dims[0] == data->dims[axis])
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "the scale has shape %s, but must be one number or [%lld]",
                        rf_shape_print(scale).text, (long long)data->dims[axis]);
}

static rf_status check_zero_point(const rf_node *node)
{
    const rf_value *scale = node->inputs[1], *zero = rf_input(node, 2);
    if (!zero || rf_shape_equal(&zero->shape, &scale->shape))
        return RF_OK;
    if (rf_elements(&zero->shape) == 1 && is_single(node))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "the zero point has shape %s, but the scale %s",
                        rf_shape_print(&zero->shape).text, rf_shape_print(&scale->shape).text);
}

static void link_granule(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const quantize_params *params = node->params;
    int32_t rank = node->inputs[input]->shape.rank;
    if (input == 0) {
        rf_link_broadcast(node, output, input, links);
        return;
    }
    for (int32_t k = 0; k < rank; k++) {
        if (is_single(node))
            rf_link_range(&links[k], 0, 0);
        else if (params->block_size && k == axis_of(node))
            rf_link_block(&links[k], k, params->block_size, 1);
        else
            rf_link_same(&links[k], params->block_size ? k : axis_of(node));
    }
}

/* ---- Tasks ------------------------------------------------------------------------------ */

/* The levels of 8-bit integers `of`, where one known scale and zero point go with all of them. */
static bool read_levels(const rf_node *node, const rf_value *of, rf_levels *levels)
{
    const rf_value *scale = node->inputs[1], *zero = rf_input(node, 2);
    if ((of->dtype != RF_INT8 && of->dtype != RF_UINT8) || !is_single(node) || !scale->data
        || scale->dtype != RF_FLOAT32 || (zero && !zero->data))
        return false;
    *levels = (rf_levels){of->dtype, (float)rf_value_float(scale, 0), zero ? (int32_t)rf_value_int(zero, 0) : 0};
    return isnormal(levels->scale) != 0;
}

static bool start_levels(const rf_node *node, rf_task *task)
{
    task->kind = RF_TASK_LEVELS;
    task->as.levels.paired = false;
    task->as.levels.axis = -1;
    task->as.levels.inputs[0] = task->as.levels.output = (rf_levels){.dtype = RF_FLOAT32};
    return rf_output(node, 0) != NULL;
}

static bool lower_quantize(const rf_node *node, rf_task *task)
{
    return start_levels(node, task) && node->inputs[0]->dtype == RF_FLOAT32
        && read_levels(node, node->outputs[0], &task->as.levels.output);
}

static bool lower_dequantize(const rf_node *node, rf_task *task)
{
    const rf_value *data = node->inputs[0], *scale = node->inputs[1], *zero = rf_input(node, 2);
    if (!start_levels(node, task) || scale->dtype != RF_FLOAT32)
        return false;
    task->as.levels.scale = scale;
    task->as.levels.zero = zero;
    if (is_single(node))
        return read_levels(node, data, &task->as.levels.inputs[0]);
    task->as.levels.inputs[0].dtype = data->dtype;
    task->as.levels.axis = axis_of(node);
    return (data->dtype == RF_INT8 || data->dtype == RF_UINT8) && scale->data && (!zero || zero->data)
        && ((const quantize_params *)node->params)->block_size == 0;
}

/* ---- QuantizeLinear --------------------------------------------------------------------- */

static bool is_quantized(rf_dtype dtype)
{
    return rf_dtype_is_integer(dtype) || (dtype >= RF_FLOAT8E4M3FN && dtype <= RF_FLOAT8E5M2FNUZ);
}

static rf_status choose_type(const rf_node *node, rf_dtype *dtype)
{
    const quantize_params *params = node->params;
    const rf_value *zero = rf_input(node, 2);
    int64_t stated = params->output_dtype ? params->output_dtype : RF_UINT8;
    if (stated < RF_FLOAT32 || stated > RF_INT4 || !is_quantized((rf_dtype)stated))
        return rf_node_fail(node, RF_ERROR_FORMAT, "output_dtype is %lld, which is no type to quantise to",
                            (long long)stated);
    *dtype = zero ? zero->dtype : (rf_dtype)stated;
    if (!is_quantized(*dtype) || (zero && params->output_dtype && zero->dtype != (rf_dtype)stated))
        return rf_node_fail(node, RF_ERROR_SHAPE, "the zero point is %s, but elements become %s",
                            rf_dtype_name(*dtype),
                            params->output_dtype ? rf_dtype_name((rf_dtype)stated) : "integers");
    return RF_OK;
}

static rf_status infer_quantize(rf_node *node)
{
    rf_value *scale;
    rf_dtype dtype = RF_UINT8;
    if (node->inputs[0]->dtype != RF_INT32)
        RF_TRY(rf_node_require_real(node, 0, "data", &scale));
    RF_TRY(rf_node_require_real(node, 1, "the scale", &scale));
    RF_TRY(check_scale(node));
    RF_TRY(check_zero_point(node));
    RF_TRY(choose_type(node, &dtype));
    rf_set_output(node, 0, dtype, &node->inputs[0]->shape);
    return RF_OK;
}

static bool cost_quantize(const rf_node *node, rf_cost *cost)
{
    if (rf_input(node, 2))
        rf_cost_additions(node, cost);
    return rf_cost_divisions(node, cost);
}

/* The quotient is one of float32 where no operand is longer: that is where halves are told. */
static double quantise(double x, double scale, double zero, bool as_double)
{
    double quotient = as_double ? x / scale : (double)(float)(x / scale);
    return rf_map_real(RF_MAP_ROUND)(quotient, 0, 0) + zero;
}

static rf_status evaluate_quantize(rf_node *node)
{
    const rf_value *in = node->inputs[0], *scale = node->inputs[1], *zero = rf_input(node, 2);
    const rf_value *out = rf_output(node, 0);
    if (!out)
        return RF_OK;
    if (!rf_fold_reads(in->dtype) || !rf_fold_reads(out->dtype))
        return rf_fold_refuse(node);
    granules it = granules_of(node);
    bool as_double = in->dtype == RF_FLOAT64 || scale->dtype == RF_FLOAT64;
    uint64_t count = rf_elements(&out->shape), i;
    for (i = 0; i < count; i++) {
        uint64_t g = granule_at(&it, i);
        double shift = zero ? rf_value_float(zero, it.single ? 0 : g) : 0;
        double level = quantise(rf_value_float(in, i), rf_value_float(scale, g), shift, as_double);
        rf_store_float(rf_fold_data(out), out->dtype, i, level);
    }
    rf_tally_add(node, RF_COUNTER(divisions), i);
    rf_tally_add(node, zero ? RF_COUNTER(additions) : RF_NO_COUNTER, i);
    return RF_OK;
}

const rf_op rf_op_QuantizeLinear = {
    .type = "QuantizeLinear", .class = RF_CLASS_ELEMENTWISE,
    .min_inputs = 2, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .attributes = quantize_attributes, .defaults = &quantize_defaults, .params_size = sizeof(quantize_params),
    .infer = infer_quantize, .link = link_granule, .cost = cost_quantize, .evaluate = evaluate_quantize,
    .lower = lower_quantize,
};

/* ---- DequantizeLinear ------------------------------------------------------------------- */

static rf_status infer_dequantize(rf_node *node)
{
    rf_value *scale;
    rf_dtype dtype = node->inputs[0]->dtype;
    if (!is_quantized(dtype))
        return rf_node_fail(node, RF_ERROR_SHAPE, "its data must be quantised, but is %s", rf_dtype_name(dtype));
    RF_TRY(rf_node_require_real(node, 1, "the scale", &scale));
    RF_TRY(check_scale(node));
    RF_TRY(check_zero_point(node));
    RF_TRY(rf_check_dtype(node, 2, dtype));
    rf_set_output(node, 0, scale->dtype, &node->inputs[0]->shape);
    return RF_OK;
}

static bool cost_dequantize(const rf_node *node, rf_cost *cost)
{
    if (rf_input(node, 2))
        rf_cost_additions(node, cost);
    return rf_cost_multiplications(node, cost);
}

/* Elements begin .. end - 1, of one granule. Weights are many: 8-bit ones have loops of their own. */
static void dequantize_run(const rf_value *in, const rf_value *out, uint64_t begin, uint64_t end, double zero,
                           double scale)
{
    const bool plain = out->dtype == RF_FLOAT32;
    char *to = rf_fold_data(out);
    if (plain && (in->dtype == RF_INT8 || in->dtype == RF_UINT8)) {
        const unsigned char *from = in->data;
        for (uint64_t i = begin; i < end; i++) {
            int level = in->dtype == RF_INT8 ? (int)(signed char)from[i] : (int)from[i];
            float x = (float)((level - zero) * scale);
            memcpy(to + i * sizeof x, &x, sizeof x);
        }
        return;
    }
    for (uint64_t i = begin; i < end; i++)
        rf_store_float(to, out->dtype, i, (rf_value_float(in, i) - zero) * scale);
}

static rf_status evaluate_dequantize(rf_node *node)
{
    const rf_value *in = node->inputs[0], *scale = node->inputs[1], *zero = rf_input(node, 2);
    const rf_value *out = rf_output(node, 0);
    if (!out)
        return RF_OK;
    if (!rf_fold_reads(in->dtype))
        return rf_fold_refuse(node);
    granules it = granules_of(node);
    const uint64_t count = rf_elements(&out->shape), run = granule_run(&it, count);
    for (uint64_t i = 0; i < count; i += run) {
        uint64_t g = granule_at(&it, i);
        dequantize_run(in, out, i, i + run, zero ? rf_value_float(zero, g) : 0, rf_value_float(scale, g));
    }
    rf_tally_add(node, RF_COUNTER(multiplications), count);
    rf_tally_add(node, zero ? RF_COUNTER(additions) : RF_NO_COUNTER, count);
    return RF_OK;
}

const rf_op rf_op_DequantizeLinear = {
    .type = "DequantizeLinear", .class = RF_CLASS_ELEMENTWISE,
    .min_inputs = 2, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .attributes = dequantize_attributes, .defaults = &quantize_defaults, .params_size = sizeof(quantize_params),
    .parameter_inputs = 1u,
    .infer = infer_dequantize, .link = link_granule, .cost = cost_dequantize, .evaluate = evaluate_dequantize,
    .lower = lower_dequantize,
};

/* ---- DynamicQuantizeLinear -------------------------------------------------------------- */

enum { LEVELS = 255 };

static rf_status infer_dynamic(rf_node *node)
{
    const rf_shape scalar = {.rank = 0};
    RF_TRY(rf_check_dtype(node, 0, RF_FLOAT32));
    rf_set_output(node, 0, RF_UINT8, &node->inputs[0]->shape);
    rf_set_output(node, 1, RF_FLOAT32, &scalar);
    rf_set_output(node, 2, RF_UINT8, &scalar);
    return RF_OK;
}

/* The range takes two comparisons for each element, an addition and a division, the zero point
 * another division; then come the elements. */
static bool cost_dynamic(const rf_node *node, rf_cost *cost)
{
    uint64_t elements = rf_elements(&node->inputs[0]->shape), stored = rf_output(node, 0) ? elements : 0;
    cost->dense.comparisons = 2 * elements;
    cost->dense.additions = stored + 1;
    cost->dense.divisions = stored + 2;
    cost->valid = cost->dense;
    return true;
}

static void find_range(const rf_node *node, float *least, float *most)
{
    const rf_value *in = node->inputs[0];
    uint64_t count = rf_elements(&in->shape), i;
    *least = *most = 0;
    for (i = 0; i < count; i++) {
        float x = (float)rf_value_float(in, i);
        *least = x < *least ? x : *least;
        *most = x > *most ? x : *most;
    }
    rf_tally_add(node, RF_COUNTER(comparisons), 2 * i);
}

static void store_levels(const rf_node *node, double scale, double zero)
{
    const rf_value *in = node->inputs[0], *out = node->outputs[0];
    uint64_t count = rf_elements(&out->shape), i;
    for (i = 0; i < count; i++)
        rf_store_float(rf_fold_data(out), RF_UINT8, i, quantise(rf_value_float(in, i), scale, zero, false));
    rf_tally_add(node, RF_COUNTER(divisions), i);
    rf_tally_add(node, RF_COUNTER(additions), i);
}

/* A range of nothing but 0 has the scale 1. */
static rf_status evaluate_dynamic(rf_node *node)
{
    float least, most;
    unsigned char zero;
    find_range(node, &least, &most);
    float scale = (most - least) / LEVELS;
    if (!(scale > 0))
        scale = 1;
    rf_store_float(&zero, RF_UINT8, 0, quantise(-(double)least, (double)scale, 0, false));
    rf_tally_add(node, RF_COUNTER(additions), 1);
    rf_tally_add(node, RF_COUNTER(divisions), 2);
    if (rf_output(node, 0))
        store_levels(node, (double)scale, zero);
    if (rf_output(node, 1))
        rf_store_float(rf_fold_data(node->outputs[1]), RF_FLOAT32, 0, (double)scale);
    if (rf_output(node, 2))
        rf_store_int(rf_fold_data(node->outputs[2]), RF_UINT8, 0, zero);
    return RF_OK;
}

const rf_op rf_op_DynamicQuantizeLinear = {
    .type = "DynamicQuantizeLinear", .class = RF_CLASS_ELEMENTWISE,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 3, .max_outputs = 3,
    .infer = infer_dynamic, .link = rf_link_everything, .cost = cost_dynamic, .evaluate = evaluate_dynamic,
};
