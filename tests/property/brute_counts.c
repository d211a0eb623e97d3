/* SPDX-License-Identifier: MIT */
#include "brute.h"

#include <stdlib.h>
#include <string.h>

/* One operator looked at as a loop over the taps of each window. */
typedef struct window_loop {
    const rn_node *node;
    const rn_tensor *in, *out;
    int axes;
    int taps; /* of one channel */
} window_loop;

static window_loop loop_of(const rn_network *net, const rn_node *node)
{
    window_loop loop = {.node = node,
                        .in = &net->tensors[node->inputs[0]],
                        .out = &net->tensors[node->outputs[0]],
                        .axes = net->spatial,
                        .taps = 1};
    for (int a = 0; a < loop.axes; a++)
        loop.taps *= node->kernel[a];
    return loop;
}

static int positions(const window_loop *loop, const rn_tensor *tensor)
{
    int count = 1;
    for (int a = 0; a < loop->axes; a++)
        count *= tensor->dims[a + 2];
    return count;
}

/* Whether tap `tap` at position `at` of `from` falls on `onto`. */
static bool falls_on(const window_loop *loop, const rn_tensor *from, const rn_tensor *onto, int at,
                     int tap)
{
    const rn_node *node = loop->node;
    for (int a = loop->axes - 1; a >= 0; a--) {
        int i = at % from->dims[a + 2], t = tap % node->kernel[a];
        int index = i * node->stride[a] - node->pad_begin[a] + t * node->dilation[a];
        if (index < 0 || index >= onto->dims[a + 2])
            return false;
        at /= from->dims[a + 2];
        tap /= node->kernel[a];
    }
    return true;
}

static int valid_taps(const window_loop *loop, int at)
{
    int valid = 0;
    for (int tap = 0; tap < loop->taps; tap++)
        valid += falls_on(loop, loop->out, loop->in, at, tap);
    return valid;
}

static void count_conv(const window_loop *loop, brute_counts *counts)
{
    const rn_node *node = loop->node;
    int depth = loop->in->dims[1] / node->groups, bias = node->bias;
    for (int f = 0; f < node->filters; f++)
        for (int at = 0; at < positions(loop, loop->out); at++) {
            int valid = valid_taps(loop, at) * depth, all = loop->taps * depth;
            counts->dense.multiplications += (uint64_t)all;
            counts->dense.additions += (uint64_t)(all - 1 + bias);
            counts->valid.multiplications += (uint64_t)valid;
            counts->valid.additions += (uint64_t)(valid ? valid - 1 + bias : 0);
        }
    counts->parameters = (uint64_t)(node->filters * (depth * loop->taps + bias));
}

/* Products that reach each position of a transposed convolution's output before the pads crop it. */
typedef struct landing {
    int extents[RN_MAX_SPATIAL], count;
    uint64_t *products;
} landing;

static landing landing_of(const window_loop *loop)
{
    const rn_node *node = loop->node;
    landing l = {.count = 1};
    for (int a = 0; a < loop->axes; a++) {
        l.extents[a] = node->stride[a] * (loop->in->dims[a + 2] - 1) +
                       node->dilation[a] * (node->kernel[a] - 1) + 1;
        l.count *= l.extents[a];
    }
    l.products = calloc((size_t)l.count, sizeof *l.products);
    return l;
}

static void land(const window_loop *loop, landing *l, int at, int tap)
{
    const rn_node *node = loop->node;
    int linear = 0, place = 1;
    for (int a = loop->axes - 1; a >= 0; a--) {
        int i = at % loop->in->dims[a + 2], t = tap % node->kernel[a];
        linear += place * (i * node->stride[a] + t * node->dilation[a]);
        place *= l->extents[a];
        at /= loop->in->dims[a + 2];
        tap /= node->kernel[a];
    }
    l->products[linear]++;
}

static bool is_kept(const window_loop *loop, const landing *l, int linear)
{
    for (int a = loop->axes - 1; a >= 0; a--) {
        int o = linear % l->extents[a] - loop->node->pad_begin[a];
        if (o < 0 || o >= loop->out->dims[a + 2])
            return false;
        linear /= l->extents[a];
    }
    return true;
}

/* The first product to reach an element is stored and the others are added to it; with a bias the
 * first is added too. */
static void count_conv_transpose(const window_loop *loop, brute_counts *counts)
{
    const rn_node *node = loop->node;
    uint64_t depth = (uint64_t)(loop->in->dims[1] / node->groups);
    uint64_t filters = (uint64_t)node->filters;
    landing l = landing_of(loop);
    for (int at = 0; at < positions(loop, loop->in); at++)
        for (int tap = 0; tap < loop->taps; tap++)
            land(loop, &l, at, tap);
    for (int k = 0; k < l.count; k++) {
        uint64_t products = l.products[k] * depth;
        counts->dense.multiplications += filters * products;
        counts->dense.additions += products ? filters * (products - 1) : 0;
        if (!is_kept(loop, &l, k))
            continue;
        counts->valid.multiplications += filters * products;
        counts->valid.additions += products ? filters * (products - 1 + node->bias) : 0;
    }
    free(l.products);
    if (node->bias)
        counts->dense.additions += filters * (uint64_t)positions(loop, loop->out);
    counts->parameters =
        (uint64_t)loop->in->dims[1] * (filters / (uint64_t)node->groups) * (uint64_t)loop->taps +
        (node->bias ? filters : 0);
}

static void count_pool(const window_loop *loop, brute_counts *counts)
{
    bool average = loop->node->kind == RN_AVERAGE_POOL;
    for (int c = 0; c < loop->in->dims[1]; c++)
        for (int at = 0; at < positions(loop, loop->out); at++) {
            int valid = valid_taps(loop, at);
            uint64_t fewer = (uint64_t)(valid ? valid - 1 : 0), all = (uint64_t)(loop->taps - 1);
            *(average ? &counts->dense.additions : &counts->dense.comparisons) += all;
            *(average ? &counts->valid.additions : &counts->valid.comparisons) += fewer;
            counts->dense.divisions += average;
            counts->valid.divisions += average && valid;
        }
}

static void count_global(const window_loop *loop, brute_counts *counts)
{
    for (int c = 0; c < loop->in->dims[1]; c++) {
        counts->dense.additions += (uint64_t)(positions(loop, loop->in) - 1);
        counts->dense.divisions++;
    }
    counts->valid = counts->dense;
}

static void count_gemm(const window_loop *loop, brute_counts *counts)
{
    int features = loop->in->dims[1], bias = loop->node->bias;
    for (int f = 0; f < loop->node->filters; f++) {
        counts->dense.multiplications += (uint64_t)features;
        counts->dense.additions += (uint64_t)(features - 1 + bias);
    }
    counts->valid = counts->dense;
    counts->parameters = (uint64_t)(loop->node->filters * (features + bias));
}

static void count_elements(const window_loop *loop, brute_counts *counts)
{
    uint64_t elements = 1;
    for (int a = 0; a < loop->out->rank; a++)
        elements *= (uint64_t)loop->out->dims[a];
    switch (loop->node->kind) {
    case RN_RELU: counts->dense.activations = elements; break;
    case RN_ADD: counts->dense.additions = elements; break;
    case RN_MUL: counts->dense.multiplications = elements; break;
    default: break; /* moves data */
    }
    counts->valid = counts->dense;
}

void brute_count(const rn_network *net, int node, brute_counts *counts)
{
    window_loop loop = loop_of(net, &net->nodes[node]);
    memset(counts, 0, sizeof *counts);
    switch (loop.node->kind) {
    case RN_CONV: count_conv(&loop, counts); break;
    case RN_CONV_TRANSPOSE: count_conv_transpose(&loop, counts); break;
    case RN_MAX_POOL:
    case RN_AVERAGE_POOL: count_pool(&loop, counts); break;
    case RN_GLOBAL_POOL: count_global(&loop, counts); break;
    case RN_GEMM: count_gemm(&loop, counts); break;
    default: count_elements(&loop, counts); break;
    }
    if (loop.node->kind != RN_MUL) {
        counts->dense.macs = counts->dense.multiplications;
        counts->valid.macs = counts->valid.multiplications;
    }
}
