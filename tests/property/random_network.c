/* SPDX-License-Identifier: MIT */
#include "random_network.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ELEMENTS = 4000, MAX_CHANNELS = 8, MAX_FEATURES = 900 };

int rn_random(rn_network *net, int bound)
{
    net->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = net->state;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (int)((x ^ (x >> 31)) % (uint64_t)bound);
}

static int between(rn_network *net, int low, int high)
{
    return low + rn_random(net, high - low + 1);
}

static bool chance(rn_network *net, int percent)
{
    return rn_random(net, 100) < percent;
}

/* ---- Building blocks ---------------------------------------------------------------------- */

static rn_node node_of(rn_kind kind, int input)
{
    rn_node node = {.kind = kind, .inputs = {input}, .input_count = 1, .groups = 1};
    for (int a = 0; a < RN_MAX_SPATIAL; a++)
        node.kernel[a] = node.stride[a] = node.dilation[a] = 1;
    for (int a = 0; a < RN_MAX_RANK; a++)
        node.step[a] = node.scale[a] = 1;
    return node;
}

static bool shape_fits(const int *dims, int rank)
{
    int elements = 1;
    for (int a = 0; a < rank; a++) {
        if (dims[a] < 1 || dims[a] > MAX_ELEMENTS)
            return false;
        elements *= dims[a];
        if (elements > MAX_ELEMENTS)
            return false;
    }
    return true;
}

static int add_tensor(rn_network *net, int producer, int rank, const int *dims)
{
    int index = net->tensor_count++;
    rn_tensor *tensor = &net->tensors[index];
    snprintf(tensor->name, sizeof tensor->name, "t%d", index);
    tensor->rank = rank;
    tensor->producer = producer;
    memcpy(tensor->dims, dims, (size_t)rank * sizeof *dims);
    return index;
}

/* Adds a node with one output. Returns the output's tensor, or -1 if its shape does not do. */
static int add_node(rn_network *net, const rn_node *node, int rank, const int *dims)
{
    if (net->node_count + 4 > RN_MAX_NODES || !shape_fits(dims, rank))
        return -1;
    int index = net->node_count++;
    rn_node *added = &net->nodes[index];
    *added = *node;
    added->outputs[0] = add_tensor(net, index, rank, dims);
    added->output_count = 1;
    return added->outputs[0];
}

static int add_same(rn_network *net, const rn_node *node)
{
    rn_tensor input = net->tensors[node->inputs[0]];
    return add_node(net, node, input.rank, input.dims);
}

/* Another tensor whose shape agrees with that of `x` but, perhaps, on `axis`; -1 for none. */
static int find_like(rn_network *net, int x, int axis)
{
    int first = rn_random(net, net->tensor_count);
    for (int k = 0; k < net->tensor_count; k++) {
        int y = (first + k) % net->tensor_count;
        const rn_tensor *a = &net->tensors[x], *b = &net->tensors[y];
        bool same = a->rank == b->rank && y != x;
        for (int d = 0; same && d < a->rank; d++)
            same = d == axis || a->dims[d] == b->dims[d];
        if (same)
            return y;
    }
    return -1;
}

/* ---- Windows ------------------------------------------------------------------------------ */

static void random_window(rn_network *net, rn_node *node, int axis)
{
    node->kernel[axis] = between(net, 1, 5);
    node->stride[axis] = chance(net, 60) ? 1 : between(net, 1, 3);
    node->dilation[axis] = chance(net, 70) ? 1 : between(net, 1, 3);
    if (chance(net, 40)) { /* as most networks have it */
        node->pad_begin[axis] = node->pad_end[axis] = (node->kernel[axis] - 1) / 2;
        return;
    }
    node->pad_begin[axis] = chance(net, 40) ? 0 : between(net, 0, 3);
    node->pad_end[axis] = chance(net, 40) ? 0 : between(net, 0, 3);
}

static void random_windows(rn_network *net, rn_node *node, int axes)
{
    bool square = chance(net, 50);
    for (int a = 0; a < axes; a++) {
        random_window(net, node, a);
        if (square && a > 0) {
            node->kernel[a] = node->kernel[0];
            node->stride[a] = node->stride[0];
            node->dilation[a] = node->dilation[0];
            node->pad_begin[a] = node->pad_begin[0];
            node->pad_end[a] = node->pad_end[0];
        }
    }
}

static int window_extent(const rn_node *node, int axis, int input)
{
    int reach = node->dilation[axis] * (node->kernel[axis] - 1) + 1;
    int room = input + node->pad_begin[axis] + node->pad_end[axis] - reach;
    if (room < 0)
        return 0;
    int output = room / node->stride[axis] + 1;
    if (!node->ceil_mode || room % node->stride[axis] == 0)
        return output;
    /* One more window, unless it would begin in the padding at the end. */
    return output * node->stride[axis] < input + node->pad_begin[axis] ? output + 1 : output;
}

static int random_groups(rn_network *net, int channels)
{
    if (chance(net, 60))
        return 1;
    if (chance(net, 50))
        return channels;
    int groups = between(net, 1, channels);
    return channels % groups ? 1 : groups;
}

static int add_conv(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(RN_CONV, x);
    random_windows(net, &node, input.rank - 2);
    node.groups = random_groups(net, input.dims[1]);
    node.filters = node.groups * between(net, 1, chance(net, 50) ? 2 : 4);
    node.bias = chance(net, 60);
    if (node.filters > MAX_CHANNELS)
        return -1;
    int dims[RN_MAX_RANK] = {1, node.filters};
    for (int a = 0; a + 2 < input.rank; a++)
        dims[a + 2] = window_extent(&node, a, input.dims[a + 2]);
    return add_node(net, &node, input.rank, dims);
}

static int add_conv_transpose(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(RN_CONV_TRANSPOSE, x);
    random_windows(net, &node, input.rank - 2);
    node.groups = random_groups(net, input.dims[1]);
    node.filters = node.groups * between(net, 1, 2);
    node.bias = chance(net, 60);
    int dims[RN_MAX_RANK] = {1, node.filters};
    for (int a = 0; a + 2 < input.rank; a++) {
        int most = node.stride[a] > node.dilation[a] ? node.stride[a] : node.dilation[a];
        node.output_padding[a] = chance(net, 60) ? 0 : rn_random(net, most);
        dims[a + 2] = node.stride[a] * (input.dims[a + 2] - 1) + node.output_padding[a] +
                      node.dilation[a] * (node.kernel[a] - 1) + 1 - node.pad_begin[a] -
                      node.pad_end[a];
    }
    return add_node(net, &node, input.rank, dims);
}

static int add_pool(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(chance(net, 50) ? RN_MAX_POOL : RN_AVERAGE_POOL, x);
    random_windows(net, &node, input.rank - 2);
    node.ceil_mode = chance(net, 30);
    int dims[RN_MAX_RANK] = {1, input.dims[1]};
    for (int a = 0; a + 2 < input.rank; a++) {
        int reach = node.kernel[a];
        node.pad_begin[a] = node.pad_begin[a] < reach ? node.pad_begin[a] : reach - 1;
        node.pad_end[a] = node.pad_end[a] < reach ? node.pad_end[a] : reach - 1;
        dims[a + 2] = window_extent(&node, a, input.dims[a + 2]);
    }
    return add_node(net, &node, input.rank, dims);
}

/* ---- Element-wise and joins --------------------------------------------------------------- */

static int add_relu(rn_network *net, int x)
{
    rn_node node = node_of(RN_RELU, x);
    return add_same(net, &node);
}

static int add_sum(rn_network *net, int x)
{
    rn_node node = node_of(RN_ADD, x);
    node.inputs[node.input_count++] = find_like(net, x, -1);
    return node.inputs[1] < 0 ? -1 : add_same(net, &node);
}

static int add_concat(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(RN_CONCAT, x);
    node.axis = chance(net, 60) ? 1 : between(net, 2, input.rank - 1);
    int count = between(net, 1, 2);
    int total = input.dims[node.axis];
    for (int k = 0; k < count; k++) {
        int y = find_like(net, x, node.axis);
        if (y < 0)
            return -1;
        node.inputs[node.input_count++] = y;
        total += net->tensors[y].dims[node.axis];
    }
    if (node.axis == 1 && total > 2 * MAX_CHANNELS)
        return -1;
    input.dims[node.axis] = total;
    return add_node(net, &node, input.rank, input.dims);
}

/* Two or three convolutions that keep the extents, side by side, joined. */
static int add_block(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    rn_node join = node_of(chance(net, 50) ? RN_ADD : RN_CONCAT, x);
    join.axis = 1;
    join.input_count = 0;
    int branches = join.kind == RN_ADD ? 2 : between(net, 2, 3);
    int filters = between(net, 1, 2);
    for (int b = 0; b < branches; b++) {
        rn_node node = node_of(RN_CONV, x);
        node.filters = filters;
        node.bias = chance(net, 50);
        int dims[RN_MAX_RANK] = {1, filters};
        for (int a = 0; a + 2 < input.rank; a++) {
            int pads = node.kernel[a] = between(net, 1, 4);
            node.pad_begin[a] = chance(net, 70) ? (pads - 1) / 2 : rn_random(net, pads);
            node.pad_end[a] = pads - 1 - node.pad_begin[a];
            dims[a + 2] = input.dims[a + 2];
        }
        int y = add_node(net, &node, input.rank, dims);
        if (y < 0)
            return -1;
        join.inputs[join.input_count++] = y;
    }
    rn_tensor out = net->tensors[join.inputs[0]];
    out.dims[1] = join.kind == RN_ADD ? filters : filters * branches;
    return add_node(net, &join, out.rank, out.dims);
}

/* ---- Whole-input operators ---------------------------------------------------------------- */

static int add_global_pool(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(RN_GLOBAL_POOL, x);
    for (int a = 2; a < input.rank; a++)
        input.dims[a] = 1;
    return add_node(net, &node, input.rank, input.dims);
}

/* Squeeze and excite: the input times its own channel averages. */
static int add_excitation(rn_network *net, int x)
{
    int pooled = add_global_pool(net, x);
    if (pooled < 0)
        return -1;
    rn_node node = node_of(RN_MUL, x);
    node.inputs[node.input_count++] = pooled;
    return add_same(net, &node);
}

static int add_classifier(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    int features = 1;
    for (int a = 1; a < input.rank; a++)
        features *= input.dims[a];
    if (features > MAX_FEATURES)
        return -1;
    rn_node flatten = node_of(RN_FLATTEN, x);
    int flat = add_node(net, &flatten, 2, (const int[]){1, features});
    if (flat < 0)
        return -1;
    rn_node gemm = node_of(RN_GEMM, flat);
    gemm.filters = between(net, 1, 5);
    gemm.bias = chance(net, 60);
    return add_node(net, &gemm, 2, (const int[]){1, gemm.filters});
}

/* ---- Operators that move data ------------------------------------------------------------- */

static int add_resize(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(RN_RESIZE, x);
    for (int a = 2; a < input.rank; a++) {
        node.scale[a] = chance(net, 80) ? 2 : between(net, 1, 3);
        input.dims[a] *= node.scale[a];
    }
    return add_node(net, &node, input.rank, input.dims);
}

static int add_pad(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(RN_PAD, x);
    node.border = (rn_border)rn_random(net, 3);
    for (int a = 2; a < input.rank; a++) {
        int most = node.border == RN_REFLECT && input.dims[a] < 4 ? input.dims[a] - 1 : 3;
        int least = node.border == RN_CONSTANT && chance(net, 15) ? -1 : 0;
        node.before[a] = between(net, least, most);
        node.after[a] = between(net, least, most);
        input.dims[a] += node.before[a] + node.after[a];
    }
    return add_node(net, &node, input.rank, input.dims);
}

static int add_slice(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(RN_SLICE, x);
    int axis = chance(net, 15) ? 1 : between(net, 2, input.rank - 1);
    int extent = input.dims[axis];
    node.step[axis] = chance(net, 70) ? 1 : between(net, -2, 2);
    if (node.step[axis] == 0)
        return -1;
    node.start[axis] = rn_random(net, extent);
    int room = node.step[axis] > 0 ? extent - 1 - node.start[axis] : node.start[axis];
    input.dims[axis] = 1 + rn_random(net, room / abs(node.step[axis]) + 1);
    if (input.dims[axis] == 1)
        node.step[axis] = 1; /* a single element has no step to the next */
    return add_node(net, &node, input.rank, input.dims);
}

static int add_split(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x], second = input;
    rn_node node = node_of(RN_SPLIT, x);
    node.axis = between(net, 1, input.rank - 1);
    if (input.dims[node.axis] < 2)
        return -1;
    input.dims[node.axis] = between(net, 1, input.dims[node.axis] - 1);
    second.dims[node.axis] -= input.dims[node.axis];
    int first = add_node(net, &node, input.rank, input.dims);
    if (first < 0)
        return -1;
    int index = net->tensors[first].producer;
    net->nodes[index].outputs[1] = add_tensor(net, index, second.rank, second.dims);
    net->nodes[index].output_count = 2;
    return first;
}

static int add_transpose(rn_network *net, int x)
{
    rn_tensor input = net->tensors[x];
    if (input.rank < 4)
        return -1;
    rn_node node = node_of(RN_TRANSPOSE, x);
    int dims[RN_MAX_RANK];
    for (int a = 0; a < input.rank; a++)
        node.permutation[a] = a;
    int a = between(net, 2, input.rank - 1), b = between(net, 2, input.rank - 1);
    node.permutation[a] = b;
    node.permutation[b] = a;
    for (int k = 0; k < input.rank; k++)
        dims[k] = input.dims[node.permutation[k]];
    return add_node(net, &node, input.rank, dims);
}

static int add_pointwise(rn_network *net, int x, int filters)
{
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(RN_CONV, x);
    node.filters = input.dims[1] = filters;
    if (filters % 2 == 0 && net->tensors[x].dims[1] % 2 == 0 && chance(net, 50))
        node.groups = 2;
    return add_node(net, &node, input.rank, input.dims);
}

static int add_depth_to_space(rn_network *net, int x)
{
    if (net->tensors[x].rank != 4)
        return -1;
    bool back = chance(net, 40);
    if (back ? net->tensors[x].dims[1] > 2 : net->tensors[x].dims[1] % 4)
        x = add_pointwise(net, x, back ? 2 : 4 * between(net, 1, 2));
    if (x < 0)
        return -1;
    rn_tensor input = net->tensors[x];
    rn_node node = node_of(back ? RN_SPACE_TO_DEPTH : RN_DEPTH_TO_SPACE, x);
    node.block = 2;
    node.column_major = !back && chance(net, 40);
    if (back ? input.dims[2] % 2 || input.dims[3] % 2 || input.dims[1] > 2 : input.dims[1] % 4)
        return -1;
    input.dims[1] = back ? input.dims[1] * 4 : input.dims[1] / 4;
    input.dims[2] = back ? input.dims[2] / 2 : input.dims[2] * 2;
    input.dims[3] = back ? input.dims[3] / 2 : input.dims[3] * 2;
    return add_node(net, &node, input.rank, input.dims);
}

static int add_reshape(rn_network *net, int x, int rank, const int *dims)
{
    rn_node node = node_of(RN_RESHAPE, x);
    return add_node(net, &node, rank, dims);
}

/* ShuffleNet's channel shuffle. */
static int add_shuffle(rn_network *net, int x)
{
    int groups = between(net, 2, 4);
    if (net->tensors[x].dims[1] % groups || net->tensors[x].dims[1] == groups)
        x = add_pointwise(net, x, 2 * groups);
    if (x < 0)
        return -1;
    rn_tensor input = net->tensors[x];
    int dims[RN_MAX_RANK] = {1, groups, input.dims[1] / groups};
    memcpy(dims + 3, input.dims + 2, (size_t)(input.rank - 2) * sizeof *dims);
    int wide = add_reshape(net, x, input.rank + 1, dims);
    if (wide < 0)
        return -1;
    rn_node turn = node_of(RN_TRANSPOSE, wide);
    for (int a = 0; a <= input.rank; a++)
        turn.permutation[a] = a;
    turn.permutation[1] = 2;
    turn.permutation[2] = 1;
    dims[1] = input.dims[1] / groups;
    dims[2] = groups;
    int turned = add_node(net, &turn, input.rank + 1, dims);
    return turned < 0 ? -1 : add_reshape(net, turned, input.rank, input.dims);
}

/* ---- Whole networks ----------------------------------------------------------------------- */

typedef struct rn_choice {
    int weight;
    int (*add)(rn_network *net, int x);
} rn_choice;

static const rn_choice choices[] = {
    {28, add_conv},   {10, add_conv_transpose}, {12, add_pool},      {4, add_relu},
    {8, add_sum},     {8, add_concat},          {8, add_block},      {1, add_global_pool},
    {2, add_excitation}, {5, add_resize},       {5, add_pad},        {5, add_slice},
    {3, add_split},   {4, add_transpose},       {4, add_depth_to_space}, {3, add_shuffle},
};

static int add_any(rn_network *net, int x)
{
    int total = 0;
    for (size_t k = 0; k < sizeof choices / sizeof *choices; k++)
        total += choices[k].weight;
    int pick = rn_random(net, total);
    const rn_choice *choice = choices;
    for (; pick >= choice->weight; choice++)
        pick -= choice->weight;
    return choice->add(net, x);
}

static void add_inputs(rn_network *net)
{
    static const int most[RN_MAX_SPATIAL] = {24, 12, 6};
    net->spatial = chance(net, 75) ? 2 : chance(net, 50) ? 1 : 3;
    int dims[RN_MAX_RANK] = {1};
    int extents = chance(net, 8) ? 24 : most[net->spatial - 1];
    for (int a = 0; a < net->spatial; a++)
        dims[a + 2] = between(net, 1, net->spatial == 3 ? 6 : extents);
    net->input_count = chance(net, 80) ? 1 : 2;
    for (int k = 0; k < net->input_count; k++) {
        dims[1] = between(net, 1, 4);
        add_tensor(net, -1, net->spatial + 2, dims);
    }
}

static int pick_tensor(rn_network *net)
{
    int last = net->tensor_count - 1;
    int x = chance(net, 65) ? last : rn_random(net, net->tensor_count);
    return net->tensors[x].rank == net->spatial + 2 ? x : -1;
}

void rn_make(rn_network *net, uint64_t seed)
{
    memset(net, 0, sizeof *net);
    net->seed = seed;
    net->state = seed * UINT64_C(0xd1342543de82ef95) + 1;
    add_inputs(net);
    int target = between(net, 1, 12);
    for (int attempt = 0; attempt < 200 && net->node_count < target; attempt++) {
        int x = pick_tensor(net);
        if (x >= 0)
            add_any(net, x);
    }
    if (net->node_count == 0)
        add_relu(net, 0);
    int x = pick_tensor(net);
    if (x >= 0 && chance(net, 25))
        add_classifier(net, x);
}
