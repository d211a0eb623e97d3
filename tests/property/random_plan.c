/* SPDX-License-Identifier: MIT */
#include "random_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t random_plan_below(random_plan *plan, int64_t count)
{
    plan->state = plan->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((plan->state >> 33) % (uint64_t)count);
}

float random_plan_float(random_plan *plan)
{
    return (float)random_plan_below(plan, 1 << 20) / (1 << 19) - 1;
}

/* ---- Parts of a layer --------------------------------------------------------------------- */

static const char *new_name(random_plan *plan, const char *prefix)
{
    char *text = plan->text[plan->text_count];
    snprintf(text, sizeof *plan->text, "%s%zu", prefix, plan->text_count++);
    return text;
}

static size_t elements_of(const rf_shape *shape)
{
    size_t count = 1;
    for (int32_t k = 0; k < shape->rank; k++)
        count *= (size_t)shape->dims[k];
    return count;
}

static rf_tensor *new_constant(random_plan *plan, rf_dtype dtype, const rf_shape *shape, size_t element)
{
    rf_tensor *constant = &plan->constants[plan->network.constant_count++];
    size_t bytes = elements_of(shape) * element;
    *constant = (rf_tensor){.name = new_name(plan, "c"), .dtype = dtype, .shape = *shape, .data = malloc(bytes + 1),
                            .data_bytes = bytes};
    if (!constant->data)
        abort();
    return constant;
}

static const char *floats(random_plan *plan, const rf_shape *shape, float scale, float shift)
{
    rf_tensor *constant = new_constant(plan, RF_FLOAT32, shape, sizeof(float));
    float *data = (float *)constant->data;
    for (size_t i = 0; i < elements_of(shape); i++)
        data[i] = shift + scale * random_plan_float(plan);
    return constant->name;
}

static const char *integers(random_plan *plan, const int64_t *numbers, size_t count)
{
    rf_shape shape = RF_SHAPE((int64_t)count);
    rf_tensor *constant = new_constant(plan, RF_INT64, &shape, sizeof(int64_t));
    memcpy((void *)constant->data, numbers, count * sizeof *numbers);
    return constant->name;
}

/* The layer that is being written. */
static size_t at(const random_plan *plan)
{
    return plan->network.layer_count;
}

static void add_input(random_plan *plan, const char *name)
{
    size_t i = 0;
    while (plan->inputs[at(plan)][i])
        i++;
    plan->inputs[at(plan)][i] = name;
}

static rf_attribute *new_attribute(random_plan *plan)
{
    size_t i = 0;
    while (plan->attributes[at(plan)][i].name)
        i++;
    return &plan->attributes[at(plan)][i];
}

static void set_int(random_plan *plan, const char *name, int64_t number)
{
    *new_attribute(plan) = (rf_attribute)RF_INT(name, number);
}

static void set_float(random_plan *plan, const char *name, float number)
{
    *new_attribute(plan) = (rf_attribute)RF_FLOAT(name, number);
}

static void set_ints(random_plan *plan, const char *name, const int64_t *numbers, size_t count)
{
    rf_attribute *attribute = new_attribute(plan);
    int64_t *kept = plan->ints[at(plan)][attribute - plan->attributes[at(plan)]];
    memcpy(kept, numbers, count * sizeof *numbers);
    *attribute = (rf_attribute){.name = name, .type = RF_ATTRIBUTE_INTS, .count = count, .value = {.ints = kept}};
}

/* ---- Layers, each of a tensor `x` --------------------------------------------------------- */

static void window(random_plan *plan, int32_t axes, bool dilate)
{
    int64_t kernel[3], strides[3], pads[6], dilations[3];
    for (int32_t k = 0; k < axes; k++) {
        kernel[k] = 1 + random_plan_below(plan, 4);
        strides[k] = 1 + random_plan_below(plan, 2);
        dilations[k] = dilate ? 1 + random_plan_below(plan, 2) : 1;
        pads[k] = random_plan_below(plan, kernel[k]);
        pads[axes + k] = random_plan_below(plan, kernel[k]);
    }
    set_ints(plan, "kernel_shape", kernel, (size_t)axes);
    set_ints(plan, "strides", strides, (size_t)axes);
    set_ints(plan, "pads", pads, 2 * (size_t)axes);
    if (dilate)
        set_ints(plan, "dilations", dilations, (size_t)axes);
}

static int64_t common_divisor(random_plan *plan, int64_t channels)
{
    int64_t group = 1 + random_plan_below(plan, channels);
    while (channels % group)
        group--;
    return random_plan_below(plan, 3) == 0 ? channels : random_plan_below(plan, 2) ? group : 1;
}

static const char *convolution(random_plan *plan, const rf_tensor *x, bool transposed)
{
    int32_t axes = x->shape.rank - 2;
    if (axes < 1 || axes > 3)
        return NULL;
    window(plan, axes, true);
    int64_t groups = common_divisor(plan, x->shape.dims[1]), share = 1 + random_plan_below(plan, 20);
    rf_shape weight = {.rank = x->shape.rank, .dims = {groups * share, x->shape.dims[1] / groups}};
    if (transposed) {
        weight.dims[0] = x->shape.dims[1];
        weight.dims[1] = share;
    }
    const int64_t *kernel = plan->ints[at(plan)][0];
    for (int32_t k = 0; k < axes; k++)
        weight.dims[2 + k] = kernel[k];
    set_int(plan, "group", groups);
    add_input(plan, x->name);
    add_input(plan, floats(plan, &weight, 1 / sqrtf((float)(elements_of(&weight) / (size_t)weight.dims[0] + 1)), 0));
    rf_shape bias = RF_SHAPE(groups * share);
    if (random_plan_below(plan, 2))
        add_input(plan, floats(plan, &bias, 1, 0));
    return transposed ? "ConvTranspose" : "Conv";
}

static const char *pool(random_plan *plan, const rf_tensor *x)
{
    if (x->shape.rank < 3 || x->shape.rank > 5)
        return NULL;
    add_input(plan, x->name);
    if (random_plan_below(plan, 5) == 0)
        return random_plan_below(plan, 2) ? "GlobalAveragePool" : "GlobalMaxPool";
    bool average = random_plan_below(plan, 2);
    window(plan, x->shape.rank - 2, !average);
    set_int(plan, "ceil_mode", random_plan_below(plan, 2));
    if (average)
        set_int(plan, "count_include_pad", random_plan_below(plan, 2));
    return average ? "AveragePool" : "MaxPool";
}

static const char *map(random_plan *plan, const rf_tensor *x)
{
    static const char *const types[] = {"Relu", "Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "Elu", "Softplus", "Abs",
                                        "Neg", "HardSigmoid", "Erf", "Mish", "Identity", "Clip"};
    const char *type = types[random_plan_below(plan, sizeof types / sizeof *types)];
    rf_shape scalar = {.rank = 0};
    add_input(plan, x->name);
    if (strcmp(type, "Clip") == 0) {
        add_input(plan, floats(plan, &scalar, 0.2f, -0.5f));
        add_input(plan, floats(plan, &scalar, 0.2f, 0.5f));
    }
    return type;
}

static const rf_tensor *same_shape_as(random_plan *plan, const rf_tensor *x)
{
    for (int tries = 0; tries < 12; tries++) {
        const rf_tensor *y = &plan->tensors[random_plan_below(plan, (int64_t)plan->tensor_count)];
        if (y->shape.rank == x->shape.rank && memcmp(y->shape.dims, x->shape.dims, sizeof y->shape.dims) == 0)
            return y;
    }
    return NULL;
}

static const char *pair(random_plan *plan, const rf_tensor *x)
{
    static const char *const types[] = {"Add", "Sub", "Mul", "Add", "Max", "Min", "PRelu"};
    const char *type = types[random_plan_below(plan, sizeof types / sizeof *types)];
    const rf_tensor *y = random_plan_below(plan, 3) ? same_shape_as(plan, x) : NULL;
    if (y) {
        bool first = random_plan_below(plan, 2);
        add_input(plan, first ? x->name : y->name);
        add_input(plan, first ? y->name : x->name);
        return type;
    }
    rf_shape shape = {.rank = (int32_t)random_plan_below(plan, x->shape.rank + 1)};
    for (int32_t k = 0; k < shape.rank; k++)
        shape.dims[k] = random_plan_below(plan, 2) ? x->shape.dims[x->shape.rank - shape.rank + k] : 1;
    if (random_plan_below(plan, 2)) {
        shape = x->shape;
        for (int32_t k = 0; k < shape.rank; k++)
            if (k != 1)
                shape.dims[k] = 1;
    }
    const char *constant = floats(plan, &shape, 1, 0);
    bool first = strcmp(type, "PRelu") == 0 || random_plan_below(plan, 2);
    add_input(plan, first ? x->name : constant);
    add_input(plan, first ? constant : x->name);
    return type;
}

static const char *normalization(random_plan *plan, const rf_tensor *x)
{
    if (x->shape.rank < 2)
        return NULL;
    rf_shape channels = RF_SHAPE(x->shape.dims[1]);
    add_input(plan, x->name);
    add_input(plan, floats(plan, &channels, 0.3f, 1));
    add_input(plan, floats(plan, &channels, 0.5f, 0));
    add_input(plan, floats(plan, &channels, 0.5f, 0));
    add_input(plan, floats(plan, &channels, 0.4f, 1));
    return "BatchNormalization";
}

static const char *concat(random_plan *plan, const rf_tensor *x)
{
    int32_t axis = (int32_t)random_plan_below(plan, x->shape.rank);
    axis = x->shape.rank > 1 && random_plan_below(plan, 3) ? 1 : axis;
    int parts = 1;
    add_input(plan, x->name);
    for (int tries = 0; tries < 12 && parts < 4; tries++) {
        const rf_tensor *y = &plan->tensors[random_plan_below(plan, (int64_t)plan->tensor_count)];
        bool fits = y->shape.rank == x->shape.rank;
        for (int32_t k = 0; fits && k < x->shape.rank; k++)
            fits = k == axis || y->shape.dims[k] == x->shape.dims[k];
        if (!fits)
            continue;
        add_input(plan, y->name);
        parts++;
    }
    set_int(plan, "axis", axis);
    return "Concat";
}

static const char *split(random_plan *plan, const rf_tensor *x)
{
    int32_t axis = (int32_t)random_plan_below(plan, x->shape.rank);
    int64_t extent = x->shape.dims[axis];
    if (extent < 2)
        return NULL;
    int64_t sizes[2] = {1 + random_plan_below(plan, extent - 1), 0};
    sizes[1] = extent - sizes[0];
    add_input(plan, x->name);
    add_input(plan, integers(plan, sizes, 2));
    set_int(plan, "axis", axis);
    plan->names[at(plan)][1] = new_name(plan, "t");
    return "Split";
}

static const char *slice(random_plan *plan, const rf_tensor *x)
{
    int64_t axis = random_plan_below(plan, x->shape.rank), extent = x->shape.dims[axis];
    bool backward = random_plan_below(plan, 3) == 0;
    int64_t step = 1 + random_plan_below(plan, 2), start = random_plan_below(plan, extent);
    int64_t end = start + 1 + random_plan_below(plan, extent - start), last = -extent - 1;
    step = backward ? -step : step;
    add_input(plan, x->name);
    add_input(plan, integers(plan, &start, 1));
    add_input(plan, integers(plan, backward ? &last : &end, 1));
    add_input(plan, integers(plan, &axis, 1));
    add_input(plan, integers(plan, &step, 1));
    return "Slice";
}

static const char *transpose(random_plan *plan, const rf_tensor *x)
{
    int64_t axes[RF_MAX_RANK] = {0};
    for (int32_t k = 0; k < x->shape.rank; k++) {
        int64_t j = random_plan_below(plan, k + 1);
        axes[k] = axes[j];
        axes[j] = k;
    }
    add_input(plan, x->name);
    if (x->shape.rank)
        set_ints(plan, "perm", axes, (size_t)x->shape.rank);
    return "Transpose";
}

/* Splits one axis in two or merges two neighbours. */
static const char *reshape(random_plan *plan, const rf_tensor *x)
{
    int64_t dims[RF_MAX_RANK + 1] = {0};
    int32_t rank = 0, axis = (int32_t)random_plan_below(plan, x->shape.rank);
    bool merge = axis + 1 < x->shape.rank && random_plan_below(plan, 2);
    int64_t next = merge ? x->shape.dims[axis + 1] : 1;
    int64_t factor = 1 + random_plan_below(plan, x->shape.dims[axis]);
    while (x->shape.dims[axis] % factor)
        factor--;
    for (int32_t k = 0; k < x->shape.rank; k++) {
        if (k != axis) {
            dims[rank++] = x->shape.dims[k];
        } else if (merge) {
            dims[rank++] = x->shape.dims[k] * next;
            k++;
        } else {
            dims[rank++] = factor;
            dims[rank++] = x->shape.dims[k] / factor;
        }
    }
    if (rank > 6)
        return NULL;
    add_input(plan, x->name);
    add_input(plan, integers(plan, dims, (size_t)rank));
    return "Reshape";
}

static const char *softmax(random_plan *plan, const rf_tensor *x)
{
    add_input(plan, x->name);
    set_int(plan, "axis", random_plan_below(plan, x->shape.rank));
    return random_plan_below(plan, 2) ? "Softmax" : "LogSoftmax";
}

static const char *reduce(random_plan *plan, const rf_tensor *x)
{
    static const char *const types[] = {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"};
    const char *type = types[random_plan_below(plan, sizeof types / sizeof *types)];
    int64_t axes[RF_MAX_RANK] = {0};
    size_t count = 0;
    for (int32_t k = 0; k < x->shape.rank; k++)
        if (random_plan_below(plan, 2))
            axes[count++] = k;
    if (!count)
        return NULL;
    add_input(plan, x->name);
    add_input(plan, integers(plan, axes, count));
    set_int(plan, "keepdims", random_plan_below(plan, 2));
    return type;
}

static const char *resize(random_plan *plan, const rf_tensor *x)
{
    if (x->shape.rank != 4)
        return NULL;
    rf_shape shape = RF_SHAPE(4);
    rf_tensor *scales = new_constant(plan, RF_FLOAT32, &shape, sizeof(float));
    const float numbers[] = {1, 1, (float)(1 + random_plan_below(plan, 2)), 1.5f};
    memcpy((void *)scales->data, numbers, sizeof numbers);
    add_input(plan, x->name);
    add_input(plan, "");
    add_input(plan, scales->name);
    if (random_plan_below(plan, 2))
        *new_attribute(plan) = (rf_attribute)RF_TEXT("mode", "linear");
    return "Resize";
}

static const char *pad(random_plan *plan, const rf_tensor *x)
{
    int64_t pads[2 * RF_MAX_RANK] = {0};
    for (int32_t k = 0; k < 2 * x->shape.rank; k++)
        pads[k] = random_plan_below(plan, 3) - (x->shape.dims[k % x->shape.rank] > 3 && random_plan_below(plan, 4) == 0);
    rf_shape scalar = {.rank = 0};
    bool zeros = random_plan_below(plan, 2); /* around the spatial axes, as before a window */
    for (int32_t k = 0; zeros && k < 2 * x->shape.rank; k++)
        pads[k] = k % x->shape.rank < 2 || pads[k] < 0 ? 0 : pads[k];
    add_input(plan, x->name);
    add_input(plan, integers(plan, pads, 2 * (size_t)x->shape.rank));
    if (!zeros)
        add_input(plan, floats(plan, &scalar, 1, 0));
    return "Pad";
}

/* What is added to a matrix: one number a column most often, else anything that broadcasts. */
static rf_shape added_shape(random_plan *plan, int64_t rows, int64_t columns)
{
    rf_shape shape = RF_SHAPE(columns);
    if (random_plan_below(plan, 2))
        return shape;
    shape.rank = (int32_t)random_plan_below(plan, 3);
    shape.dims[0] = shape.rank == 2 && random_plan_below(plan, 2) ? rows : 1;
    shape.dims[1] = random_plan_below(plan, 2) ? columns : 1;
    return shape;
}

static const char *gemm(random_plan *plan, const rf_tensor *x)
{
    bool turned = random_plan_below(plan, 2), turned_x = random_plan_below(plan, 3) == 0;
    int64_t m = x->shape.dims[turned_x], k = x->shape.dims[!turned_x], n = 1 + random_plan_below(plan, 40);
    rf_shape weight = {.rank = 2, .dims = {turned ? n : k, turned ? k : n}}, added = added_shape(plan, m, n);
    add_input(plan, x->name);
    add_input(plan, floats(plan, &weight, 1 / sqrtf((float)k), 0));
    set_int(plan, "transA", turned_x);
    set_int(plan, "transB", turned);
    set_float(plan, "alpha", 0.5f);
    set_float(plan, "beta", random_plan_below(plan, 2) ? 2 : 1);
    if (random_plan_below(plan, 2))
        add_input(plan, floats(plan, &added, 1, 0));
    return "Gemm";
}

static const char *product(random_plan *plan, const rf_tensor *x)
{
    if (x->shape.rank < 2)
        return NULL;
    if (x->shape.rank == 2 && random_plan_below(plan, 2))
        return gemm(plan, x);
    int64_t k = x->shape.dims[x->shape.rank - 1];
    rf_shape weight = {.rank = 2, .dims = {k, 1 + random_plan_below(plan, 40)}};
    add_input(plan, x->name);
    add_input(plan, floats(plan, &weight, 1 / sqrtf((float)k), 0));
    return "MatMul";
}

static const char *square(random_plan *plan, const rf_tensor *x)
{
    const rf_tensor *y = same_shape_as(plan, x);
    if (!y || x->shape.rank < 2 || x->shape.dims[x->shape.rank - 1] != x->shape.dims[x->shape.rank - 2])
        return NULL;
    add_input(plan, x->name);
    add_input(plan, y->name);
    return "MatMul";
}

/* A product by one number for each channel of each image where there are such, else the mean that makes some. */
static const char *gate(random_plan *plan, const rf_tensor *x)
{
    if (x->shape.rank != 4)
        return NULL;
    add_input(plan, x->name);
    for (size_t i = plan->tensor_count; i-- > 0;) {
        const rf_shape *shape = &plan->tensors[i].shape;
        if (shape->rank != 4 || shape->dims[0] != x->shape.dims[0] || shape->dims[1] != x->shape.dims[1]
            || shape->dims[2] != 1 || shape->dims[3] != 1)
            continue;
        add_input(plan, plan->tensors[i].name);
        return "Mul";
    }
    return "GlobalAveragePool";
}

/* What gates most often lead to: one tap, all channels. */
static const char *pointwise(random_plan *plan, const rf_tensor *x)
{
    int64_t outputs = 1 + random_plan_below(plan, 40);
    rf_shape weight = {.rank = 4, .dims = {outputs, x->shape.dims[1], 1, 1}}, bias = RF_SHAPE(outputs);
    add_input(plan, x->name);
    add_input(plan, floats(plan, &weight, 1 / sqrtf((float)x->shape.dims[1]), 0));
    if (random_plan_below(plan, 2))
        add_input(plan, floats(plan, &bias, 1, 0));
    return "Conv";
}

static bool is_gated(const random_plan *plan, const rf_tensor *x)
{
    size_t l = at(plan);
    return x->shape.rank == 4 && l > 0 && strcmp(plan->layers[l - 1].type, "Mul") == 0
        && strcmp(plan->names[l - 1][0], x->name) == 0;
}

static const char *write_layer(random_plan *plan, const rf_tensor *x)
{
    if (is_gated(plan, x) && random_plan_below(plan, 2))
        return pointwise(plan, x);
    switch (random_plan_below(plan, 23)) {
    case 0: case 1: case 2: return convolution(plan, x, false);
    case 3: return convolution(plan, x, true);
    case 4: case 5: return pool(plan, x);
    case 6: case 7: return map(plan, x);
    case 8: case 9: return pair(plan, x);
    case 10: return normalization(plan, x);
    case 11: case 12: return concat(plan, x);
    case 13: return split(plan, x);
    case 14: return random_plan_below(plan, 2) ? slice(plan, x) : pad(plan, x);
    case 15: return transpose(plan, x);
    case 16: return reshape(plan, x);
    case 17: return random_plan_below(plan, 2) ? softmax(plan, x) : reduce(plan, x);
    case 18: return resize(plan, x);
    case 19: return pad(plan, x);
    case 20: case 21: return gate(plan, x);
    default: return random_plan_below(plan, 4) ? product(plan, x) : square(plan, x);
    }
}

/* ---- The network -------------------------------------------------------------------------- */

static void forget_layer(random_plan *plan, size_t constants)
{
    size_t l = at(plan);
    while (plan->network.constant_count > constants)
        free((void *)plan->constants[--plan->network.constant_count].data);
    memset(plan->inputs[l], 0, sizeof plan->inputs[l]);
    memset(plan->names[l], 0, sizeof plan->names[l]);
    memset(plan->attributes[l], 0, sizeof plan->attributes[l]);
}

static bool is_small(const rf_layer_analysis *layer)
{
    for (size_t o = 0; o < layer->output_count; o++)
        if (elements_of(&layer->outputs[o].shape) > 60000 || elements_of(&layer->outputs[o].shape) == 0)
            return false;
    return layer->dense.macs < 3000000;
}

/* Keeps the layer just written where the analysis accepts it. */
static bool accept(random_plan *plan)
{
    const rf_analysis *analysis;
    plan->network.layer_count++;
    bool kept = rf_analyze(&plan->network, NULL, &analysis, NULL) == RF_OK;
    const rf_layer_analysis *layer = kept ? &analysis->layers[analysis->layer_count - 1] : NULL;
    /* Layers are listed in an order in which they can run; the newest is found by its output. */
    for (size_t i = 0; kept && i < analysis->layer_count; i++)
        if (strcmp(analysis->layers[i].outputs[0].name, plan->names[plan->network.layer_count - 1][0]) == 0)
            layer = &analysis->layers[i];
    kept = kept && is_small(layer);
    for (size_t o = 0; kept && o < layer->output_count; o++) {
        plan->tensors[plan->tensor_count] = layer->outputs[o];
        plan->tensors[plan->tensor_count++].name = plan->names[plan->network.layer_count - 1][o];
    }
    rf_analysis_free(analysis);
    plan->network.layer_count -= !kept;
    return kept;
}

static void add_layer(random_plan *plan)
{
    size_t l = at(plan), constants = plan->network.constant_count;
    /* The newest tensors are read more often, so that networks grow deep. */
    int64_t back = random_plan_below(plan, 2) ? 1 : 1 + random_plan_below(plan, (int64_t)plan->tensor_count);
    const rf_tensor x = plan->tensors[plan->tensor_count - (size_t)back];
    if (x.shape.rank == 0)
        return;
    plan->names[l][0] = new_name(plan, "t");
    const char *type = write_layer(plan, &x);
    plan->layers[l] = (rf_layer){.type = type, .inputs = plan->inputs[l], .outputs = plan->names[l],
                                 .attributes = plan->attributes[l]};
    if (!type || !accept(plan))
        forget_layer(plan, constants);
}

static bool is_read(const random_plan *plan, const char *name)
{
    for (size_t l = 0; l < plan->network.layer_count; l++)
        for (size_t i = 0; plan->inputs[l][i]; i++)
            if (strcmp(plan->inputs[l][i], name) == 0)
                return true;
    return false;
}

static void choose_outputs(random_plan *plan)
{
    for (size_t t = 1; t < plan->tensor_count; t++)
        if (!is_read(plan, plan->tensors[t].name) || random_plan_below(plan, 6) == 0)
            plan->outputs[plan->network.output_count++] = (rf_tensor){
                .name = plan->tensors[t].name, .dtype = plan->tensors[t].dtype, .shape = plan->tensors[t].shape};
}

void random_plan_make(random_plan *plan, uint64_t seed)
{
    *plan = (random_plan){.state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
    int32_t rank = random_plan_below(plan, 5) ? 4 : 3 + (int32_t)random_plan_below(plan, 3);
    plan->input = (rf_tensor){.name = "x", .dtype = RF_FLOAT32, .shape = {.rank = rank}};
    plan->input.shape.dims[0] = 1 + random_plan_below(plan, 2);
    plan->input.shape.dims[1] = 1 + random_plan_below(plan, 24);
    for (int32_t k = 2; k < rank; k++)
        plan->input.shape.dims[k] = 1 + random_plan_below(plan, 14);
    plan->tensors[plan->tensor_count++] = plan->input;
    plan->network = (rf_network){.name = "random", .inputs = &plan->input, .input_count = 1, .outputs = plan->outputs,
                                 .constants = plan->constants, .layers = plan->layers, .opset = 13};
    for (int tries = 0; tries < 30 && plan->network.layer_count < PLAN_LAYERS && plan->text_count < 80
                        && plan->network.constant_count < PLAN_TENSORS - 8 && plan->tensor_count < 24; tries++)
        add_layer(plan);
    choose_outputs(plan);
}

/* What a Resize reads decides its shape. */
static bool decides_shape(const random_plan *plan, const char *name)
{
    bool decides = false;
    for (size_t l = 0; l < plan->network.layer_count; l++)
        for (size_t i = 0; plan->inputs[l][i]; i++)
            decides |= strcmp(plan->layers[l].type, "Resize") == 0 && strcmp(plan->inputs[l][i], name) == 0;
    return decides;
}

void random_plan_release(random_plan *plan, random_plan_inputs *to)
{
    size_t inputs = 1, constants = 0;
    to->inputs[0] = plan->input;
    for (size_t i = 0; i < plan->network.constant_count; i++) {
        const rf_tensor *constant = &plan->constants[i];
        if (constant->dtype != RF_FLOAT32 || random_plan_below(plan, 2) || decides_shape(plan, constant->name)) {
            to->constants[constants++] = *constant;
            continue;
        }
        to->data[inputs] = constant->data;
        to->inputs[inputs++] = (rf_tensor){.name = constant->name, .dtype = RF_FLOAT32, .shape = constant->shape};
    }
    plan->network.inputs = to->inputs;
    plan->network.input_count = inputs;
    plan->network.constants = to->constants;
    plan->network.constant_count = constants;
}

void random_plan_free(random_plan *plan)
{
    for (size_t i = 0; i < plan->network.constant_count; i++)
        free((void *)plan->constants[i].data);
}

void random_plan_print(const random_plan *plan)
{
    const rf_analysis *analysis;
    if (rf_analyze(&plan->network, NULL, &analysis, NULL) != RF_OK)
        return;
    for (size_t i = 0; i < analysis->layer_count; i++) {
        const rf_layer_analysis *layer = &analysis->layers[i];
        printf("  %s(", layer->type);
        for (size_t k = 0; k < layer->input_count; k++)
            printf("%s%s", k ? ", " : "", layer->inputs[k]);
        printf(") -> %s [", layer->outputs[0].name);
        for (int32_t k = 0; k < layer->outputs[0].shape.rank; k++)
            printf("%s%lld", k ? "," : "", (long long)layer->outputs[0].shape.dims[k]);
        printf("]\n");
    }
    rf_analysis_free(analysis);
}
