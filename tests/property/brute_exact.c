/* SPDX-License-Identifier: MIT */
#include "brute.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_ROOM = 4096 };

/* The elements that one output element reads: a product of lists, one an axis of the input. */
typedef struct reads {
    int count[RN_MAX_RANK];
    int *at[RN_MAX_RANK];
} reads;

static int element_count(const rn_tensor *tensor)
{
    int elements = 1;
    for (int a = 0; a < tensor->rank; a++)
        elements *= tensor->dims[a];
    return elements;
}

static int linear_index(const rn_tensor *tensor, const int *index)
{
    int linear = 0;
    for (int a = 0; a < tensor->rank; a++)
        linear = linear * tensor->dims[a] + index[a];
    return linear;
}

static void split_index(const rn_tensor *tensor, int linear, int *index)
{
    for (int a = tensor->rank - 1; a >= 0; a--) {
        index[a] = linear % tensor->dims[a];
        linear /= tensor->dims[a];
    }
}

bool brute_exact_init(brute_exact *brute, const rn_network *net)
{
    memset(brute, 0, sizeof *brute);
    brute->net = net;
    brute->lists = malloc(sizeof(int) * LIST_ROOM * RN_MAX_RANK);
    bool done = brute->lists != NULL;
    for (int t = 0; t < net->tensor_count; t++) {
        brute->elements[t] = element_count(&net->tensors[t]);
        brute->paths[t] = calloc((size_t)brute->elements[t], sizeof(double));
        done = done && brute->paths[t];
    }
    return done;
}

void brute_exact_release(brute_exact *brute)
{
    for (int t = 0; t < RN_MAX_TENSORS; t++)
        free(brute->paths[t]);
    free(brute->lists);
}

static void read_one(reads *r, const rn_tensor *in, int axis, int index)
{
    if (index >= 0 && index < in->dims[axis])
        r->at[axis][r->count[axis]++] = index;
}

static void read_all(reads *r, const rn_tensor *in, int axis)
{
    for (int i = 0; i < in->dims[axis]; i++)
        read_one(r, in, axis, i);
}

/* The channels of a group of a convolution. */
static void read_group(reads *r, const rn_node *node, const rn_tensor *in, int channel)
{
    int group = channel / (node->filters / node->groups);
    int each = in->dims[1] / node->groups;
    for (int c = group * each; c < (group + 1) * each; c++)
        read_one(r, in, 1, c);
}

static void read_window(reads *r, const rn_node *node, const rn_tensor *in, int axis, int out)
{
    int a = axis - 2;
    for (int tap = 0; tap < node->kernel[a]; tap++)
        read_one(r, in, axis,
                 out * node->stride[a] - node->pad_begin[a] + tap * node->dilation[a]);
}

static void read_transposed(reads *r, const rn_node *node, const rn_tensor *in, int axis, int out)
{
    int a = axis - 2;
    for (int i = 0; i < in->dims[axis]; i++)
        for (int tap = 0; tap < node->kernel[a]; tap++)
            if (i * node->stride[a] + tap * node->dilation[a] - node->pad_begin[a] == out)
                read_one(r, in, axis, i);
}

static void read_padded(reads *r, const rn_node *node, const rn_tensor *in, int axis, int out)
{
    int last = in->dims[axis] - 1, index = out - node->before[axis];
    if (node->border == RN_EDGE)
        index = index < 0 ? 0 : index > last ? last : index;
    if (node->border == RN_REFLECT)
        index = index < 0 ? -index : index > last ? 2 * last - index : index;
    read_one(r, in, axis, index);
}

/* Where input `k` of a Concat, or output `k` of a Split, begins. */
static int part_start(const rn_network *net, const int *tensors, int k, int axis)
{
    int start = 0;
    for (int before = 0; before < k; before++)
        start += net->tensors[tensors[before]].dims[axis];
    return start;
}

static void read_blocks(reads *r, const rn_node *node, const rn_tensor *in, const int *out)
{
    int b = node->block;
    if (node->kind == RN_SPACE_TO_DEPTH) {
        int channels = in->dims[1], corner = out[1] / channels;
        read_one(r, in, 1, out[1] % channels);
        read_one(r, in, 2, out[2] * b + corner / b);
        read_one(r, in, 3, out[3] * b + corner % b);
        return;
    }
    int channels = in->dims[1] / (b * b), corner = out[2] % b * b + out[3] % b;
    read_one(r, in, 1, node->column_major ? out[1] * b * b + corner : corner * channels + out[1]);
    read_one(r, in, 2, out[2] / b);
    read_one(r, in, 3, out[3] / b);
}

/* One axis of an operator whose axes do not depend on each other. */
static void read_axis(const rn_network *net, const rn_node *node, int output, int input, int axis,
                      const int *out, reads *r)
{
    const rn_tensor *in = &net->tensors[node->inputs[input]];
    const rn_tensor *whole = &net->tensors[node->outputs[output]];
    int i = out[axis];
    switch (node->kind) {
    case RN_CONV:
        axis == 1 ? read_group(r, node, in, i) : read_window(r, node, in, axis, i);
        break;
    case RN_CONV_TRANSPOSE:
        axis == 1 ? read_group(r, node, in, i) : read_transposed(r, node, in, axis, i);
        break;
    case RN_MAX_POOL:
    case RN_AVERAGE_POOL:
        axis == 1 ? read_one(r, in, 1, i) : read_window(r, node, in, axis, i);
        break;
    case RN_CONCAT:
        read_one(r, in, axis,
                 axis == node->axis ? i - part_start(net, node->inputs, input, axis) : i);
        break;
    case RN_SPLIT:
        read_one(r, in, axis,
                 axis == node->axis ? i + part_start(net, node->outputs, output, axis) : i);
        break;
    case RN_RESIZE: read_one(r, in, axis, i / node->scale[axis]); break;
    case RN_PAD: read_padded(r, node, in, axis, i); break;
    case RN_SLICE: read_one(r, in, axis, node->start[axis] + i * node->step[axis]); break;
    case RN_GLOBAL_POOL: axis == 1 ? read_one(r, in, 1, i) : read_all(r, in, axis); break;
    case RN_GEMM: read_all(r, in, axis); break;
    default: read_one(r, in, axis, in->dims[axis] == whole->dims[axis] ? i : 0); break;
    }
}

static void read_node(const rn_network *net, const rn_node *node, int output, int input,
                      const int *out, reads *r)
{
    const rn_tensor *in = &net->tensors[node->inputs[input]];
    int index[RN_MAX_RANK];
    memset(r->count, 0, sizeof r->count);
    switch (node->kind) {
    case RN_TRANSPOSE:
        for (int a = 0; a < in->rank; a++)
            read_one(r, in, node->permutation[a], out[a]);
        return;
    case RN_FLATTEN:
    case RN_RESHAPE:
        split_index(in, linear_index(&net->tensors[node->outputs[output]], out), index);
        for (int a = 0; a < in->rank; a++)
            read_one(r, in, a, index[a]);
        return;
    default: break;
    }
    read_one(r, in, 0, 0);
    if (node->kind == RN_DEPTH_TO_SPACE || node->kind == RN_SPACE_TO_DEPTH) {
        read_blocks(r, node, in, out);
        return;
    }
    for (int a = 1; a < in->rank; a++)
        read_axis(net, node, output, input, a, out, r);
}

static void add_product(brute_exact *brute, int tensor, const reads *r, int axis, int linear,
                        double paths)
{
    const rn_tensor *in = &brute->net->tensors[tensor];
    if (axis == in->rank) {
        brute->paths[tensor][linear] += paths;
        brute->reached[tensor] = true;
        brute->work++;
        return;
    }
    for (int k = 0; k < r->count[axis]; k++)
        add_product(brute, tensor, r, axis + 1, linear * in->dims[axis] + r->at[axis][k], paths);
}

static void walk_output(brute_exact *brute, const rn_node *node, int output)
{
    const rn_network *net = brute->net;
    int tensor = node->outputs[output], index[RN_MAX_RANK];
    reads r;
    for (int a = 0; a < RN_MAX_RANK; a++)
        r.at[a] = brute->lists + (size_t)a * LIST_ROOM;
    brute->work += (uint64_t)brute->elements[tensor] / 8;
    for (int e = 0; brute->reached[tensor] && e < brute->elements[tensor]; e++) {
        double paths = brute->paths[tensor][e];
        if (paths == 0)
            continue;
        split_index(&net->tensors[tensor], e, index);
        for (int k = 0; k < node->input_count; k++) {
            read_node(net, node, output, k, index, &r);
            add_product(brute, node->inputs[k], &r, 0, 0, paths);
        }
    }
}

static void clear(brute_exact *brute)
{
    for (int t = 0; t < brute->net->tensor_count; t++) {
        if (brute->reached[t])
            memset(brute->paths[t], 0, (size_t)brute->elements[t] * sizeof(double));
        brute->reached[t] = false;
    }
}

void brute_exact_walk(brute_exact *brute, const brute_point *point)
{
    const rn_tensor *tensor = &brute->net->tensors[point->tensor];
    int index[RN_MAX_RANK] = {0};
    clear(brute);
    for (int a = 2; a < tensor->rank; a++)
        index[a] = point->at[a - 2];
    for (int c = 0; c < tensor->dims[1]; c++) {
        index[1] = c;
        if (point->channel < 0 || point->channel == c)
            brute->paths[point->tensor][linear_index(tensor, index)] = 1;
    }
    brute->reached[point->tensor] = true;
    for (int n = tensor->producer; n >= 0; n--)
        for (int k = 0; k < brute->net->nodes[n].output_count; k++)
            walk_output(brute, &brute->net->nodes[n], k);
}

static void widen(rf_range *range, int index)
{
    range->first = index < range->first ? index : range->first;
    range->last = index > range->last ? index : range->last;
}

double brute_exact_paths(const brute_exact *brute, int input, const int *at)
{
    const rn_tensor *tensor = &brute->net->tensors[input];
    int index[RN_MAX_RANK] = {0};
    double paths = 0;
    for (int a = 2; a < tensor->rank; a++)
        index[a] = at[a - 2];
    for (index[1] = 0; index[1] < tensor->dims[1]; index[1]++)
        paths += brute->paths[input][linear_index(tensor, index)];
    return paths;
}

brute_exact_field brute_exact_answer(const brute_exact *brute, int input)
{
    static const rf_range nothing = {INT32_MAX, INT32_MIN};
    const rn_tensor *tensor = &brute->net->tensors[input];
    brute_exact_field field = {true, nothing, {nothing, nothing, nothing}, 0};
    int plane = brute->elements[input] / tensor->dims[1], index[RN_MAX_RANK];
    for (int e = 0; e < brute->elements[input]; e++) {
        if (brute->paths[input][e] == 0)
            continue;
        field.empty = false;
        split_index(tensor, e, index);
        widen(&field.channels, index[1]);
        for (int a = 2; a < tensor->rank; a++)
            widen(&field.axes[a - 2], index[a]);
    }
    for (int p = 0; p < plane; p++) {
        split_index(tensor, p, index);
        field.support += brute_exact_paths(brute, input, index + 2) > 0;
    }
    return field;
}
