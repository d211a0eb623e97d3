/* SPDX-License-Identifier: MIT */
#include "brute.h"

#include <string.h>

enum { MAX_PATHS = 2000 };

/* One axis of the tensor that a path has come to: stride * i + u .. stride * i + v, i along `axis`
 * of the point's tensor. */
typedef struct stretch {
    int axis, stride, u, v;
} stretch;

typedef struct path {
    stretch axes[RN_MAX_RANK];
} path;

typedef struct search {
    const rn_network *net;
    int input, count;
    path first;
    bool agree, unclear;
} search;

static stretch step(stretch s, int stride, int shift, int reach)
{
    int a = stride * s.u + shift, b = stride * s.v + shift;
    s.stride *= stride;
    s.u = a < b ? a : b;
    s.v = (a < b ? b : a) + reach;
    return s;
}

static bool step_axis(const rn_network *net, const rn_node *node, int output, int axis, stretch *s)
{
    int a = axis - 2;
    switch (node->kind) {
    case RN_CONV:
    case RN_MAX_POOL:
    case RN_AVERAGE_POOL:
        *s = step(*s, node->stride[a], -node->pad_begin[a],
                  node->dilation[a] * (node->kernel[a] - 1));
        return true;
    case RN_PAD: *s = step(*s, 1, -node->before[axis], 0); return true;
    case RN_SLICE: *s = step(*s, node->step[axis], node->start[axis], 0); return true;
    case RN_SPLIT:
        if (node->axis == axis && output == 1)
            *s = step(*s, 1, net->tensors[node->outputs[0]].dims[axis], 0);
        return true;
    case RN_CONCAT: return node->axis != axis;
    case RN_RELU:
    case RN_ADD: return true;
    default: return false;
    }
}

/* Along a path no channel may be left out, or whether the path exists would depend on channels. */
static bool keeps_channels(const rn_network *net, const rn_node *node)
{
    if (node->kind != RN_SLICE && node->kind != RN_SPLIT)
        return true;
    return net->tensors[node->inputs[0]].dims[1] == net->tensors[node->outputs[0]].dims[1];
}

static bool step_path(const rn_network *net, const rn_node *node, int output, const path *from,
                      path *to)
{
    int rank = net->tensors[node->inputs[0]].rank;
    *to = *from;
    if (node->kind == RN_TRANSPOSE && rank == net->spatial + 2) {
        for (int a = 0; a < rank; a++)
            to->axes[node->permutation[a]] = from->axes[a];
        return true;
    }
    bool clear = keeps_channels(net, node);
    for (int a = 2; clear && a < rank; a++)
        clear = step_axis(net, node, output, a, &to->axes[a]);
    return clear;
}

static void arrive(search *s, const path *p)
{
    if (s->count++ == 0)
        s->first = *p;
    for (int a = 2; a < s->net->spatial + 2; a++) {
        const stretch *x = &s->first.axes[a], *y = &p->axes[a];
        s->agree = s->agree && x->axis == y->axis && x->stride == y->stride &&
                   x->u + x->v == y->u + y->v;
    }
}

static void follow(search *s, int tensor, const path *p)
{
    const rn_network *net = s->net;
    int producer = net->tensors[tensor].producer;
    if (s->count > MAX_PATHS)
        s->unclear = true;
    if (tensor == s->input)
        arrive(s, p);
    if (producer < 0 || s->unclear)
        return;
    const rn_node *node = &net->nodes[producer];
    for (int k = 0; k < node->input_count; k++) {
        path longer;
        if (!brute_depends(net, s->input, node->inputs[k]))
            continue;
        if (step_path(net, node, tensor == node->outputs[0] ? 0 : 1, p, &longer))
            follow(s, node->inputs[k], &longer);
        else
            s->unclear = true;
    }
}

int brute_aligned(const rn_network *net, int input, int tensor)
{
    search s = {.net = net, .input = input, .agree = true};
    path start;
    if (net->tensors[tensor].rank != net->spatial + 2)
        return -1;
    for (int a = 0; a < RN_MAX_RANK; a++)
        start.axes[a] = (stretch){.axis = a, .stride = 1};
    follow(&s, tensor, &start);
    return s.unclear || s.count == 0 ? -1 : s.agree;
}

static bool leaves_gaps(const rn_network *net, const rn_node *node)
{
    if (node->kind == RN_CONCAT && node->axis >= 2)
        return true;
    if (!keeps_channels(net, node))
        return true;
    if (node->kind != RN_CONV_TRANSPOSE)
        return false;
    for (int a = 0; a < net->spatial; a++) {
        bool met[8] = {false};
        int residues = 0;
        for (int t = 0; t < node->kernel[a]; t++) {
            int residue = t * node->dilation[a] % node->stride[a];
            residues += !met[residue];
            met[residue] = true;
        }
        if (residues < node->stride[a])
            return true;
    }
    return false;
}

/* Marks the tensor and all that it is made from. */
static void mark_sources(const rn_network *net, int tensor, bool *marked)
{
    memset(marked, 0, RN_MAX_TENSORS * sizeof *marked);
    marked[tensor] = true;
    for (int n = net->node_count - 1; n >= 0; n--) {
        const rn_node *node = &net->nodes[n];
        for (int o = 0; o < node->output_count; o++)
            for (int k = 0; marked[node->outputs[o]] && k < node->input_count; k++)
                marked[node->inputs[k]] = true;
    }
}

/* Whether channels of the output may differ in what they see along the spatial axes. */
static bool parts_channels(const rn_network *net, const rn_node *node)
{
    return node->groups > 1 || node->kind == RN_CONCAT || !keeps_channels(net, node);
}

bool brute_axes_depend(const rn_network *net, int tensor)
{
    bool marked[RN_MAX_TENSORS], parts = false;
    int blocks = 0;
    mark_sources(net, tensor, marked);
    for (int n = 0; n < net->node_count; n++) {
        const rn_node *node = &net->nodes[n];
        bool counts = false;
        for (int o = 0; o < node->output_count; o++)
            counts = counts || marked[node->outputs[o]];
        if (counts && leaves_gaps(net, node))
            return true;
        parts = parts || (counts && parts_channels(net, node));
        blocks += counts && (node->kind == RN_DEPTH_TO_SPACE || node->kind == RN_SPACE_TO_DEPTH);
    }
    return blocks > 1 || (blocks && parts);
}

bool brute_depends(const rn_network *net, int input, int tensor)
{
    bool marked[RN_MAX_TENSORS];
    mark_sources(net, tensor, marked);
    return marked[input];
}
