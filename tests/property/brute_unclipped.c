/* SPDX-License-Identifier: MIT */
#include "brute.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BOXES = 128 };

/* How a set of output indices becomes a set of input indices along one axis. */
typedef struct rule {
    enum { FULL, STEPS, DIVIDED, SPREAD, PART } kind;
    int taps, stride, gap, shift; /* STEPS: stride * i + shift + gap * t; SPREAD: its inverse */
    int extent;                   /* FULL: 0 .. extent - 1; PART: kept within these */
} rule;

bool brute_unclipped_init(brute_unclipped *brute, const rn_network *net)
{
    memset(brute, 0, sizeof *brute);
    brute->net = net;
    bool done = true;
    for (int t = 0; t < net->tensor_count; t++) {
        brute->boxes[t] = malloc(MAX_BOXES * sizeof(brute_box));
        done = done && brute->boxes[t];
    }
    return done;
}

void brute_unclipped_release(brute_unclipped *brute)
{
    for (int t = 0; t < RN_MAX_TENSORS; t++)
        free(brute->boxes[t]);
}

/* ---- Sets --------------------------------------------------------------------------------- */

static void put(brute_unclipped *brute, brute_set *set, int index)
{
    if (index < -BRUTE_REACH || index >= BRUTE_REACH - 1) {
        brute->overflow = true;
        return;
    }
    unsigned bit = (unsigned)(index + BRUTE_REACH);
    set->bits[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* The first index of the set from `index` on, or BRUTE_REACH. */
static int next(const brute_set *set, int index)
{
    unsigned bit = (unsigned)(index + BRUTE_REACH);
    for (unsigned w = bit / 64; w < BRUTE_WORDS; w++) {
        uint64_t word = set->bits[w];
        if (w == bit / 64)
            word &= UINT64_MAX << (bit % 64);
        if (word)
            return (int)(w * 64) + __builtin_ctzll(word) - BRUTE_REACH;
    }
    return BRUTE_REACH;
}

static bool is_empty(const brute_set *set)
{
    return next(set, -BRUTE_REACH) == BRUTE_REACH;
}

static int floor_divide(int a, int b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static void apply(brute_unclipped *brute, const rule *r, int i, brute_set *to)
{
    switch (r->kind) {
    case STEPS:
        for (int t = 0; t < r->taps; t++)
            put(brute, to, r->stride * i + r->shift + r->gap * t);
        break;
    case SPREAD:
        for (int t = 0; t < r->taps; t++) {
            int scaled = i - r->shift - r->gap * t;
            if (floor_divide(scaled, r->stride) * r->stride == scaled)
                put(brute, to, scaled / r->stride);
        }
        break;
    case DIVIDED: put(brute, to, floor_divide(i, r->stride)); break;
    case PART:
        if (i + r->shift >= 0 && i + r->shift < r->extent)
            put(brute, to, i + r->shift);
        break;
    case FULL: break;
    }
}

static void map_axis(brute_unclipped *brute, const rule *r, const brute_set *from, brute_set *to)
{
    memset(to, 0, sizeof *to);
    if (r->kind == FULL) {
        for (int i = 0; i < r->extent; i++)
            put(brute, to, i);
        return;
    }
    for (int i = next(from, -BRUTE_REACH); i < BRUTE_REACH; i = next(from, i + 1))
        apply(brute, r, i, to);
}

/* ---- Lists of boxes ----------------------------------------------------------------------- */

/* Axes on which two boxes differ; *axis receives the last. */
static int difference(const brute_box *a, const brute_box *b, int rank, int *axis)
{
    int count = 0;
    for (int d = 0; d < rank; d++)
        if (memcmp(&a->axes[d], &b->axes[d], sizeof a->axes[d])) {
            count++;
            *axis = d;
        }
    return count;
}

/* Adds a box unless it is empty; unites it with one that differs from it on one axis only. */
static void add_box(brute_unclipped *brute, int tensor, const brute_box *box)
{
    int rank = brute->net->tensors[tensor].rank, axis = 0;
    for (int a = 0; a < rank; a++)
        if (is_empty(&box->axes[a]))
            return;
    for (int k = 0; k < brute->box_count[tensor]; k++) {
        brute_box *other = &brute->boxes[tensor][k];
        if (difference(box, other, rank, &axis) > 1)
            continue;
        for (int w = 0; w < BRUTE_WORDS; w++)
            other->axes[axis].bits[w] |= box->axes[axis].bits[w];
        return;
    }
    if (brute->box_count[tensor] == MAX_BOXES) {
        brute->overflow = true;
        return;
    }
    brute->boxes[tensor][brute->box_count[tensor]++] = *box;
}

/* ---- Operators ---------------------------------------------------------------------------- */

static rule shifted(int shift)
{
    return (rule){.kind = STEPS, .taps = 1, .stride = 1, .gap = 1, .shift = shift};
}

static rule everything(const rn_tensor *in, int axis)
{
    return (rule){.kind = FULL, .extent = in->dims[axis]};
}

static rule windowed(const rn_node *node, int axis)
{
    int a = axis - 2;
    return (rule){.kind = node->kind == RN_CONV_TRANSPOSE ? SPREAD : STEPS,
                  .taps = node->kernel[a],
                  .stride = node->stride[a],
                  .gap = node->dilation[a],
                  .shift = -node->pad_begin[a]};
}

static int extent_before(const rn_network *net, const int *tensors, int k, int axis)
{
    return k ? net->tensors[tensors[k - 1]].dims[axis] +
                   extent_before(net, tensors, k - 1, axis)
             : 0;
}

static rule rule_of(const rn_network *net, const rn_node *node, int output, int input, int axis)
{
    const rn_tensor *in = &net->tensors[node->inputs[input]];
    const rn_tensor *out = &net->tensors[node->outputs[output]];
    switch (node->kind) {
    case RN_CONV:
    case RN_CONV_TRANSPOSE:
    case RN_MAX_POOL:
    case RN_AVERAGE_POOL: return axis < 2 ? shifted(0) : windowed(node, axis);
    case RN_CONCAT:
        if (axis != node->axis)
            return shifted(0);
        return (rule){.kind = PART,
                      .shift = -extent_before(net, node->inputs, input, axis),
                      .extent = in->dims[axis]};
    case RN_SPLIT:
        return shifted(axis == node->axis ? extent_before(net, node->outputs, output, axis) : 0);
    case RN_RESIZE: return (rule){.kind = DIVIDED, .stride = node->scale[axis]};
    case RN_PAD: return shifted(-node->before[axis]);
    case RN_SLICE:
        return (rule){.kind = STEPS, .taps = 1, .stride = node->step[axis], .gap = 1,
                      .shift = node->start[axis]};
    case RN_GLOBAL_POOL: return axis < 2 ? shifted(0) : everything(in, axis);
    case RN_GEMM: return everything(in, axis);
    default: return in->dims[axis] == out->dims[axis] ? shifted(0) : everything(in, axis);
    }
}

/* A convolution's channels: those of every group that the set touches. */
static void map_groups(brute_unclipped *brute, const rn_node *node, const brute_set *from,
                       brute_set *to)
{
    int each = brute->net->tensors[node->inputs[0]].dims[1] / node->groups;
    memset(to, 0, sizeof *to);
    for (int c = 0; c < node->filters; c++)
        if (next(from, c) == c)
            for (int k = 0; k < each; k++)
                put(brute, to, c / (node->filters / node->groups) * each + k);
}

static void walk_plain(brute_unclipped *brute, const rn_node *node, int output, int input,
                       const brute_box *box)
{
    const rn_tensor *in = &brute->net->tensors[node->inputs[input]];
    brute_box result;
    for (int a = 0; a < in->rank; a++) {
        rule r = rule_of(brute->net, node, output, input, a);
        map_axis(brute, &r, &box->axes[a], &result.axes[a]);
    }
    if (node->kind == RN_CONV || node->kind == RN_CONV_TRANSPOSE)
        map_groups(brute, node, &box->axes[1], &result.axes[1]);
    add_box(brute, node->inputs[input], &result);
}

static void walk_transpose(brute_unclipped *brute, const rn_node *node, const brute_box *box)
{
    brute_box result;
    for (int a = 0; a < brute->net->tensors[node->inputs[0]].rank; a++)
        result.axes[node->permutation[a]] = box->axes[a];
    add_box(brute, node->inputs[0], &result);
}

/* Which axis an extent of 1 goes to in a reshape is anybody's guess: of padding along one there is
 * no plain answer. */
static void refuse_padding_of_ones(brute_unclipped *brute, const rn_tensor *out, int first,
                                   const brute_box *box)
{
    for (int a = first; a < out->rank; a++)
        if (out->dims[a] == 1 &&
            (next(&box->axes[a], -BRUTE_REACH) < 0 || next(&box->axes[a], 1) < BRUTE_REACH))
            brute->overflow = true;
}

/* Reshapes join the two axes after the batch, part the channels in two, or flatten. */
static void walk_join(brute_unclipped *brute, const rn_node *node, const brute_box *box)
{
    const rn_tensor *out = &brute->net->tensors[node->outputs[0]];
    brute_box result = {.axes = {[0] = box->axes[0]}};
    refuse_padding_of_ones(brute, out, 3, box);
    for (int g = 0; g < out->dims[1]; g++)
        for (int c = 0; c < out->dims[2]; c++)
            if (next(&box->axes[1], g) == g && next(&box->axes[2], c) == c)
                put(brute, &result.axes[1], g * out->dims[2] + c);
    for (int a = 3; a < out->rank; a++)
        result.axes[a - 1] = box->axes[a];
    add_box(brute, node->inputs[0], &result);
}

static void walk_part(brute_unclipped *brute, const rn_node *node, const brute_box *box)
{
    const rn_tensor *in = &brute->net->tensors[node->inputs[0]];
    refuse_padding_of_ones(brute, &brute->net->tensors[node->outputs[0]], 2, box);
    for (int c = 0; c < in->dims[1] * in->dims[2]; c++) {
        if (next(&box->axes[1], c) != c)
            continue;
        brute_box result = {.axes = {[0] = box->axes[0]}};
        put(brute, &result.axes[1], c / in->dims[2]);
        put(brute, &result.axes[2], c % in->dims[2]);
        for (int a = 3; a < in->rank; a++)
            result.axes[a] = box->axes[a - 1];
        add_box(brute, node->inputs[0], &result);
    }
}

static bool holds_all(const brute_set *set, int extent)
{
    int i = 0;
    while (i < extent && next(set, i) == i)
        i++;
    return i == extent;
}

static void walk_everything(brute_unclipped *brute, int tensor)
{
    const rn_tensor *in = &brute->net->tensors[tensor];
    brute_box result = {{{{0}}}};
    for (int a = 0; a < in->rank; a++)
        for (int i = 0; i < in->dims[a]; i++)
            put(brute, &result.axes[a], i);
    add_box(brute, tensor, &result);
}

static void walk_flatten(brute_unclipped *brute, const rn_node *node, const brute_box *box)
{
    const rn_tensor *in = &brute->net->tensors[node->inputs[0]];
    int features = brute->net->tensors[node->outputs[0]].dims[1];
    if (holds_all(&box->axes[1], features)) {
        walk_everything(brute, node->inputs[0]);
        return;
    }
    for (int f = 0; f < features; f++) {
        if (next(&box->axes[1], f) != f)
            continue;
        brute_box result = {.axes = {[0] = box->axes[0]}};
        for (int a = in->rank - 1, rest = f; a > 0; a--) {
            put(brute, &result.axes[a], rest % in->dims[a]);
            rest /= in->dims[a];
        }
        add_box(brute, node->inputs[0], &result);
    }
}

/* One box for each corner of the blocks, since channels depend on it. */
static void walk_depth_to_space(brute_unclipped *brute, const rn_node *node, const brute_box *box)
{
    const rn_tensor *out = &brute->net->tensors[node->outputs[0]];
    int b = node->block, channels = out->dims[1];
    for (int corner = 0; corner < b * b; corner++) {
        brute_box result = {.axes = {[0] = box->axes[0]}};
        for (int c = 0; c < channels; c++)
            if (next(&box->axes[1], c) == c)
                put(brute, &result.axes[1],
                    node->column_major ? c * b * b + corner : corner * channels + c);
        for (int a = 2; a < 4; a++)
            for (int i = next(&box->axes[a], -BRUTE_REACH); i < BRUTE_REACH;
                 i = next(&box->axes[a], i + 1))
                if (i - floor_divide(i, b) * b == (a == 2 ? corner / b : corner % b))
                    put(brute, &result.axes[a], floor_divide(i, b));
        add_box(brute, node->inputs[0], &result);
    }
}

static void walk_space_to_depth(brute_unclipped *brute, const rn_node *node, const brute_box *box)
{
    int b = node->block, channels = brute->net->tensors[node->inputs[0]].dims[1];
    for (int c = 0; c < channels * b * b; c++) {
        if (next(&box->axes[1], c) != c)
            continue;
        brute_box result = {.axes = {[0] = box->axes[0]}};
        put(brute, &result.axes[1], c % channels);
        for (int a = 2; a < 4; a++) {
            int corner = c / channels;
            rule r = {.kind = STEPS, .taps = 1, .stride = b, .gap = 1,
                      .shift = a == 2 ? corner / b : corner % b};
            map_axis(brute, &r, &box->axes[a], &result.axes[a]);
        }
        add_box(brute, node->inputs[0], &result);
    }
}

static void walk_box(brute_unclipped *brute, const rn_node *node, int output, const brute_box *box)
{
    const rn_network *net = brute->net;
    switch (node->kind) {
    case RN_TRANSPOSE: walk_transpose(brute, node, box); return;
    case RN_FLATTEN: walk_flatten(brute, node, box); return;
    case RN_DEPTH_TO_SPACE: walk_depth_to_space(brute, node, box); return;
    case RN_SPACE_TO_DEPTH: walk_space_to_depth(brute, node, box); return;
    case RN_RESHAPE:
        if (net->tensors[node->inputs[0]].rank < net->tensors[node->outputs[0]].rank)
            walk_join(brute, node, box);
        else
            walk_part(brute, node, box);
        return;
    default: break;
    }
    for (int k = 0; k < node->input_count; k++)
        walk_plain(brute, node, output, k, box);
}

bool brute_unclipped_walk(brute_unclipped *brute, const brute_point *point)
{
    const rn_network *net = brute->net;
    const rn_tensor *tensor = &net->tensors[point->tensor];
    memset(brute->box_count, 0, sizeof brute->box_count);
    brute->overflow = false;
    brute_box first = {{{{0}}}};
    put(brute, &first.axes[0], 0);
    for (int c = 0; c < tensor->dims[1]; c++)
        if (point->channel < 0 || point->channel == c)
            put(brute, &first.axes[1], c);
    for (int a = 2; a < tensor->rank; a++)
        put(brute, &first.axes[a], point->at[a - 2]);
    add_box(brute, point->tensor, &first);
    for (int n = tensor->producer; n >= 0 && !brute->overflow; n--) {
        const rn_node *node = &net->nodes[n];
        for (int k = 0; k < node->output_count; k++)
            for (int i = 0; i < brute->box_count[node->outputs[k]]; i++, brute->work++)
                walk_box(brute, node, k, &brute->boxes[node->outputs[k]][i]);
    }
    return !brute->overflow;
}

rf_range brute_unclipped_answer(const brute_unclipped *brute, int input, int axis, int *count)
{
    brute_set all = {{0}};
    rf_range hull = {0, -1};
    *count = 0;
    for (int k = 0; k < brute->box_count[input]; k++)
        for (int w = 0; w < BRUTE_WORDS; w++)
            all.bits[w] |= brute->boxes[input][k].axes[axis + 2].bits[w];
    for (int i = next(&all, -BRUTE_REACH); i < BRUTE_REACH; i = next(&all, i + 1)) {
        hull.first = *count ? hull.first : i;
        hull.last = i;
        ++*count;
    }
    return hull;
}
