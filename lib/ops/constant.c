/* SPDX-License-Identifier: MIT */
/* Operators whose output follows from attributes, shapes or known numbers alone. */
#include "ops/table.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/fold.h"

static void link_nothing(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++)
        rf_link_nothing(&links[axis]);
}

static rf_dtype dtype_of(const rf_tensor *tensor)
{
    return tensor->dtype ? tensor->dtype : RF_FLOAT32;
}

/* A tensor attribute is checked where it is used, as no walk over constants meets it. */
static rf_status check_tensor(const rf_node *node, const rf_tensor *tensor)
{
    uint64_t bytes = 0;
    bool valid = tensor && tensor->shape.rank >= 0 && tensor->shape.rank <= RF_MAX_RANK;
    for (int32_t axis = 0; valid && axis < tensor->shape.rank; axis++)
        valid = tensor->shape.dims[axis] >= 0;
    if (!valid || !rf_tensor_bytes(dtype_of(tensor), &tensor->shape, &bytes))
        return rf_node_fail(node, RF_ERROR_SHAPE, "attribute 'value' is a tensor without a valid shape");
    if (tensor->data && rf_dtype_bits(dtype_of(tensor)) && tensor->data_bytes != bytes)
        return rf_node_fail(node, RF_ERROR_SHAPE, "attribute 'value' of shape %s holds %zu bytes instead of %llu",
                            rf_shape_print(&tensor->shape).text, tensor->data_bytes,
                            (unsigned long long)bytes);
    return RF_OK;
}

/* ---- Constant --------------------------------------------------------------------------- */

/* Only the attributes' presence and types are checked through this; see infer_constant. */
typedef struct constant_params {
    const rf_tensor *value;
    int64_t value_int;
    rf_ints value_ints;
    float value_float;
    rf_floats value_floats;
    const char *value_string;
    rf_strings value_strings;
    const void *sparse_value;
} constant_params;

static const constant_params constant_defaults = {.value = NULL};
static const rf_attribute_spec constant_attributes[] = {
    {"value", RF_ATTRIBUTE_TENSOR, offsetof(constant_params, value), false},
    {"value_int", RF_ATTRIBUTE_INT, offsetof(constant_params, value_int), false},
    {"value_ints", RF_ATTRIBUTE_INTS, offsetof(constant_params, value_ints), false},
    {"value_float", RF_ATTRIBUTE_FLOAT, offsetof(constant_params, value_float), false},
    {"value_floats", RF_ATTRIBUTE_FLOATS, offsetof(constant_params, value_floats), false},
    {"value_string", RF_ATTRIBUTE_STRING, offsetof(constant_params, value_string), false},
    {"value_strings", RF_ATTRIBUTE_STRINGS, offsetof(constant_params, value_strings), false},
    {"sparse_value", RF_ATTRIBUTE_OTHER, offsetof(constant_params, sparse_value), false},
    {.name = NULL},
};

static void set_data(const rf_node *node, const void *data, size_t bytes)
{
    rf_value *output = rf_output(node, 0);
    if (!output)
        return;
    output->data = data;
    output->data_bytes = bytes;
}

static rf_status set_tensor(const rf_node *node, const rf_tensor *tensor)
{
    RF_TRY(check_tensor(node, tensor));
    rf_set_output(node, 0, dtype_of(tensor), &tensor->shape);
    if (tensor->data && rf_dtype_bits(dtype_of(tensor)))
        set_data(node, tensor->data, tensor->data_bytes);
    return RF_OK;
}

static void set_list(const rf_node *node, rf_dtype dtype, size_t count, const void *data)
{
    rf_shape shape = {.rank = 1, .dims = {(int64_t)count}};
    rf_set_output(node, 0, dtype, &shape);
    if (count && dtype != RF_STRING)
        set_data(node, data, count * (rf_dtype_bits(dtype) / 8));
}

/* The attributes' own memory holds the elements, so nothing is copied. */
static rf_status set_from(const rf_node *node, const rf_attribute *attribute)
{
    static const rf_shape scalar = {.rank = 0};
    const char *name = attribute->name;
    if (strcmp(name, "value") == 0)
        return set_tensor(node, attribute->value.tensor);
    if (strcmp(name, "value_int") == 0) {
        rf_set_output(node, 0, RF_INT64, &scalar);
        set_data(node, &attribute->value.i, sizeof attribute->value.i);
    } else if (strcmp(name, "value_float") == 0) {
        rf_set_output(node, 0, RF_FLOAT32, &scalar);
        set_data(node, &attribute->value.f, sizeof attribute->value.f);
    } else if (strcmp(name, "value_string") == 0) {
        rf_set_output(node, 0, RF_STRING, &scalar);
    } else if (strcmp(name, "value_ints") == 0) {
        set_list(node, RF_INT64, attribute->count, attribute->value.ints);
    } else if (strcmp(name, "value_floats") == 0) {
        set_list(node, RF_FLOAT32, attribute->count, attribute->value.floats);
    } else if (strcmp(name, "value_strings") == 0) {
        set_list(node, RF_STRING, attribute->count, NULL);
    } else {
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "attribute '%.40s' is not supported", name);
    }
    return RF_OK;
}

static rf_status infer_constant(rf_node *node)
{
    const rf_attribute *attributes = node->layer->attributes;
    if (!attributes || !attributes[0].name || attributes[1].name)
        return rf_node_fail(node, RF_ERROR_FORMAT, "it must have exactly one attribute");
    return set_from(node, attributes);
}

const rf_op rf_op_Constant = {
    .type = "Constant", .class = RF_CLASS_OTHER,
    .min_inputs = 0, .max_inputs = 0, .min_outputs = 1, .max_outputs = 1,
    .attributes = constant_attributes, .defaults = &constant_defaults, .params_size = sizeof(constant_params),
    .infer = infer_constant,
};

/* ---- ConstantOfShape -------------------------------------------------------------------- */

typedef struct filled_params {
    const rf_tensor *value; /* one element; absent: the float 0 */
} filled_params;

static const filled_params filled_defaults = {.value = NULL};
static const rf_attribute_spec filled_attributes[] = {
    {"value", RF_ATTRIBUTE_TENSOR, offsetof(filled_params, value), false},
    {.name = NULL},
};

static rf_status infer_filled(rf_node *node)
{
    const filled_params *params = node->params;
    rf_dtype dtype = RF_FLOAT32;
    rf_ints list;
    rf_shape out;
    if (params->value) {
        RF_TRY(check_tensor(node, params->value));
        if (rf_elements(&params->value->shape) != 1)
            return rf_node_fail(node, RF_ERROR_SHAPE, "attribute 'value' has shape %s, but must have one element",
                                rf_shape_print(&params->value->shape).text);
        dtype = dtype_of(params->value);
    }
    RF_TRY(rf_check_list(node, 0, "the shape"));
    RF_TRY(rf_node_ints(node, 0, NULL, "the shape", &list));
    RF_TRY(rf_check_extents(node, &list, "the shape", &out));
    rf_set_output(node, 0, dtype, &out);
    return RF_OK;
}

static rf_status evaluate_filled(rf_node *node)
{
    const filled_params *params = node->params;
    const rf_value *out = rf_output(node, 0);
    if (!out)
        return RF_OK;
    size_t bytes = rf_dtype_bits(out->dtype) / 8;
    uint64_t count = rf_elements(&out->shape);
    if (bytes == 0 || (params->value && !params->value->data))
        return rf_fold_refuse(node);
    if (!params->value && count)
        memset(rf_fold_data(out), 0, count * bytes);
    for (uint64_t i = 0; i < count && params->value; i++)
        rf_fold_move(rf_fold_data(out), i, params->value->data, 0, bytes);
    return RF_OK;
}

const rf_op rf_op_ConstantOfShape = {
    .type = "ConstantOfShape", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = filled_attributes, .defaults = &filled_defaults, .params_size = sizeof(filled_params),
    .infer = infer_filled, .link = link_nothing, .evaluate = evaluate_filled,
};

/* ---- Shape and Size --------------------------------------------------------------------- */

typedef struct shape_params {
    int64_t start, end;
} shape_params;

static const shape_params shape_defaults = {.start = 0, .end = INT64_MAX};
static const rf_attribute_spec shape_attributes[] = {
    {"start", RF_ATTRIBUTE_INT, offsetof(shape_params, start), false},
    {"end", RF_ATTRIBUTE_INT, offsetof(shape_params, end), false},
    {.name = NULL},
};

static int64_t clamp_axis(int64_t axis, int64_t rank)
{
    return rf_max(0, rf_min(axis < 0 ? axis + rank : axis, rank));
}

/* Sets the known numbers that output 0 holds. */
static rf_status set_numbers(const rf_node *node, const rf_shape *shape, const int64_t *numbers)
{
    rf_value *output = rf_output(node, 0);
    void *data;
    rf_set_output(node, 0, RF_INT64, shape);
    if (!output)
        return RF_OK;
    RF_TRY(rf_node_take_data(node, output, &data));
    if (data)
        memcpy(data, numbers, output->data_bytes);
    return RF_OK;
}

static rf_status infer_shape(rf_node *node)
{
    const shape_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    int64_t start = clamp_axis(params->start, in->rank), end = clamp_axis(params->end, in->rank);
    rf_shape out = {.rank = 1, .dims = {rf_max(0, end - start)}};
    return set_numbers(node, &out, in->dims + (out.dims[0] ? start : 0));
}

/* Where there were more numbers than limits->folded_elements. */
static rf_status evaluate_shape(rf_node *node)
{
    const shape_params *params = node->params;
    const rf_shape *in = &node->inputs[0]->shape;
    const rf_value *out = rf_output(node, 0);
    uint64_t count = out ? rf_elements(&out->shape) : 0;
    if (count)
        memcpy(rf_fold_data(out), in->dims + clamp_axis(params->start, in->rank), count * sizeof(int64_t));
    return RF_OK;
}

const rf_op rf_op_Shape = {
    .type = "Shape", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = shape_attributes, .defaults = &shape_defaults, .params_size = sizeof(shape_params),
    .infer = infer_shape, .link = link_nothing, .evaluate = evaluate_shape,
};

static rf_status infer_size(rf_node *node)
{
    static const rf_shape scalar = {.rank = 0};
    uint64_t elements;
    RF_TRY(rf_node_elements(node, &node->inputs[0]->shape, &elements));
    int64_t number = (int64_t)elements;
    return set_numbers(node, &scalar, &number);
}

static rf_status evaluate_size(rf_node *node)
{
    const rf_value *out = rf_output(node, 0);
    if (out)
        rf_store_int(rf_fold_data(out), RF_INT64, 0, (int64_t)rf_elements(&node->inputs[0]->shape));
    return RF_OK;
}

const rf_op rf_op_Size = {
    .type = "Size", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .infer = infer_size, .link = link_nothing, .evaluate = evaluate_size,
};

/* ---- Range ------------------------------------------------------------------------------ */

static rf_status check_range(const rf_node *node)
{
    static const char *const names[] = {"start", "limit", "delta"};
    for (uint32_t i = 0; i < 3; i++) {
        const rf_value *value = node->inputs[i];
        RF_TRY(rf_check_same_dtype(node, 0, i));
        RF_TRY(rf_check_single(node, i, names[i]));
        if (!value->data || !rf_fold_reads(value->dtype) || value->dtype == RF_BOOL || value->dtype == RF_UINT64)
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "%s is tensor '%.80s' of %s, whose %s", names[i],
                                value->name, rf_dtype_name(value->dtype),
                                value->data ? "elements cannot be read" : "elements are known only when running");
    }
    return RF_OK;
}

static rf_status count_ints(const rf_node *node, int64_t *count)
{
    int64_t start = rf_value_int(node->inputs[0], 0), limit = rf_value_int(node->inputs[1], 0);
    int64_t delta = rf_value_int(node->inputs[2], 0);
    *count = 0;
    if (delta == 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "delta is 0");
    if (delta > 0 ? limit <= start : limit >= start)
        return RF_OK;
    uint64_t distance = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    uint64_t stride = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    uint64_t steps = distance / stride + (distance % stride != 0);
    if (steps > INT64_MAX)
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "it has too many elements");
    *count = (int64_t)steps;
    return RF_OK;
}

static rf_status count_floats(const rf_node *node, int64_t *count)
{
    double start = rf_value_float(node->inputs[0], 0), limit = rf_value_float(node->inputs[1], 0);
    double delta = rf_value_float(node->inputs[2], 0);
    double steps = ceil((limit - start) / delta);
    if (delta == 0 || !isfinite(steps))
        return rf_node_fail(node, RF_ERROR_SHAPE, "from %g to %g by %g is no range", start, limit, delta);
    if (steps >= 9223372036854775808.0)
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "it has too many elements");
    *count = steps > 0 ? (int64_t)steps : 0;
    return RF_OK;
}

static rf_status infer_range(rf_node *node)
{
    rf_dtype dtype = node->inputs[0]->dtype;
    rf_shape out = {.rank = 1};
    RF_TRY(check_range(node));
    RF_TRY(rf_dtype_is_float(dtype) ? count_floats(node, &out.dims[0]) : count_ints(node, &out.dims[0]));
    rf_set_output(node, 0, dtype, &out);
    return RF_OK;
}

static rf_status evaluate_range(rf_node *node)
{
    const rf_value *start = node->inputs[0], *delta = node->inputs[2], *out = rf_output(node, 0);
    if (!out)
        return RF_OK;
    uint64_t count = rf_elements(&out->shape);
    for (uint64_t i = 0; i < count; i++) {
        if (rf_dtype_is_float(out->dtype))
            rf_store_float(rf_fold_data(out), out->dtype, i,
                           rf_value_float(start, 0) + (double)i * rf_value_float(delta, 0));
        else
            rf_store_int(rf_fold_data(out), out->dtype, i,
                         rf_wrap_add(rf_value_int(start, 0), rf_wrap_mul((int64_t)i, rf_value_int(delta, 0))));
    }
    return RF_OK;
}

const rf_op rf_op_Range = {
    .type = "Range", .class = RF_CLASS_OTHER,
    .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
    .infer = infer_range, .link = link_nothing, .evaluate = evaluate_range,
};
