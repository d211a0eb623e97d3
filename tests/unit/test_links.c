/* SPDX-License-Identifier: MIT */
/*
 * The links of operators that move or join elements, against brute force.
 *
 * Each case draws a shape and an operator's setting, works out element by
 * element which inputs each output is made of, and asks the same of the links.
 * Where elements only move, a constant input of distinct integers is folded
 * through the operator too. RF_SEED in the environment repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "network/graph.h"

enum { ROUNDS = 400, MOST_ELEMENTS = 256, MOST_INPUTS = 4, MOST_OUTPUTS = 4 };

/* ---- Random numbers and shapes ---------------------------------------------------------- */

static int64_t draw(uint64_t *seed, int64_t low, int64_t high)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (int64_t)((*seed >> 33) % (uint64_t)(high - low + 1));
}

static rf_shape draw_shape(uint64_t *seed, int32_t rank)
{
    rf_shape shape = {.rank = rank};
    int64_t room = MOST_ELEMENTS;
    for (int32_t axis = 0; axis < rank; axis++) {
        shape.dims[axis] = draw(seed, 1, rf_min(6, room));
        room /= shape.dims[axis];
    }
    return shape;
}

static void unravel(const rf_shape *shape, int64_t flat, int64_t *index)
{
    for (int32_t axis = shape->rank - 1; axis >= 0; axis--) {
        index[axis] = flat % shape->dims[axis];
        flat /= shape->dims[axis];
    }
}

static int64_t ravel(const rf_shape *shape, const int64_t *index)
{
    int64_t flat = 0;
    for (int32_t axis = 0; axis < shape->rank; axis++)
        flat = flat * shape->dims[axis] + index[axis];
    return flat;
}

/* ---- One operator on constants ---------------------------------------------------------- */

/* `data` tensors hold distinct integers, each its own place; `lists` follow them as inputs. */
typedef struct link_case {
    const char *type;
    int32_t opset;
    size_t data_count, list_count, output_count;
    rf_shape data[MOST_INPUTS];
    int64_t lists[MOST_INPUTS][MOST_ELEMENTS];
    rf_shape list_shapes[MOST_INPUTS];
    rf_attribute attributes[4]; /* ended by a NULL name */
    rf_graph *graph;
    int64_t numbers[MOST_INPUTS][MOST_ELEMENTS];
} link_case;

static void add_list(link_case *scene, const int64_t *list, int64_t count)
{
    rf_shape shape = RF_SHAPE(0);
    shape.dims[0] = count;
    memcpy(scene->lists[scene->list_count], list, (size_t)count * sizeof *list);
    scene->list_shapes[scene->list_count++] = shape;
}

static void make_graph(link_case *scene)
{
    static const char *const inputs[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    static const char *const outputs[] = {"o", "p", "q", "r"};
    const char *in[2 * MOST_INPUTS + 1] = {NULL}, *out[MOST_OUTPUTS + 1] = {NULL};
    rf_tensor constants[2 * MOST_INPUTS];
    size_t count = 0;
    for (size_t k = 0; k < scene->data_count; k++) {
        int64_t elements = (int64_t)rf_elements(&scene->data[k]);
        for (int64_t i = 0; i < elements; i++)
            scene->numbers[k][i] = i;
        constants[count++] = (rf_tensor){.dtype = RF_INT64, .shape = scene->data[k],
                                         .data = scene->numbers[k], .data_bytes = (size_t)elements * 8};
    }
    for (size_t k = 0; k < scene->list_count; k++)
        constants[count++] = (rf_tensor){.dtype = RF_INT64, .shape = scene->list_shapes[k], .data = scene->lists[k],
                                         .data_bytes = (size_t)rf_elements(&scene->list_shapes[k]) * 8};
    for (size_t k = 0; k < count; k++)
        in[k] = constants[k].name = inputs[k];
    for (size_t k = 0; k < scene->output_count; k++)
        out[k] = outputs[k];
    rf_layer layer = {.name = "layer", .type = scene->type, .inputs = in, .outputs = out,
                      .attributes = scene->attributes};
    rf_network network = {.constants = constants, .constant_count = count, .layers = &layer, .layer_count = 1,
                          .opset = scene->opset};
    rf_graph_options options = {.limits = RF_LIMITS_DEFAULT};
    rf_error error = {.status = RF_OK};
    if (rf_graph_make(&network, &options, &scene->graph, &error) != RF_OK)
        fail_msg("%s", error.message);
}

/* ---- What links say --------------------------------------------------------------------- */

static bool digits_hold(const rf_link *link, const int64_t *out, int64_t index)
{
    int64_t sum = 0;
    for (int32_t k = 0; k < link->term_count; k++) {
        const rf_link_term *term = &link->terms[k];
        sum += term->weight * (out[term->axis] / term->divisor % term->modulus);
    }
    return sum / link->divisor % link->modulus == index;
}

/* Whether the output element at `out` reads index `index` of the link's axis. */
static bool link_holds(const rf_link *link, const int64_t *out, int64_t index)
{
    int64_t i;
    switch (link->kind) {
    case RF_LINK_NOTHING:
        return false;
    case RF_LINK_ALL:
        return true;
    case RF_LINK_RANGE:
        return link->first <= index && index <= link->last;
    case RF_LINK_WINDOW:
        assert_int_equal(link->kernel, 1);
        assert_int_equal(link->border, RF_BORDER_PADDING);
        return link->stride * out[link->axis] - link->pad == index;
    case RF_LINK_BLOCK:
        i = out[link->axis] / link->out_block * link->in_block;
        return i <= index && index < i + link->in_block;
    case RF_LINK_TABLE:
        return link->table_first[out[link->axis]] <= index && index <= link->table_last[out[link->axis]];
    case RF_LINK_PART:
        return out[link->axis] - link->pad == index;
    case RF_LINK_DIGITS:
        return digits_hold(link, out, index);
    default:
        fail_msg("no operator here makes a link of kind %d", (int)link->kind);
        return false;
    }
}

/* Whether output element `to` is made of element `from`, as the test knows it. */
typedef bool (*link_truth)(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                      uint32_t input, const int64_t *from);

static void ask_links(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    memset(links, 0xa5, RF_MAX_RANK * sizeof *links); /* members left unset must not matter */
    if (node->op->link)
        node->op->link(node, output, input, links);
    else
        rf_link_broadcast(node, output, input, links);
}

static void check_pair(const link_case *scene, const rf_node *node, uint32_t output, uint32_t input, link_truth truth)
{
    const rf_shape *in = &scene->data[input], *out = &node->outputs[output]->shape;
    int64_t outs = (int64_t)rf_elements(out), ins = (int64_t)rf_elements(in);
    int64_t to[RF_MAX_RANK], from[RF_MAX_RANK];
    rf_link links[RF_MAX_RANK];
    ask_links(node, output, input, links);
    for (int64_t o = 0; o < outs; o++)
        for (int64_t i = 0; i < ins; i++) {
            unravel(out, o, to);
            unravel(in, i, from);
            bool linked = true;
            for (int32_t axis = 0; axis < in->rank; axis++)
                linked = linked && link_holds(&links[axis], to, from[axis]);
            if (linked != truth(scene, output, out, to, input, from))
                fail_msg("%s: output %u of %s, element %d, input %u of %s, element %d: the link says %d",
                         scene->type, output, rf_shape_print(out).text, (int)o, input,
                         rf_shape_print(in).text, (int)i, linked);
        }
}

/* An output that was folded holds, for each element, the place of the one it came from. */
static void check_folded(const link_case *scene, const rf_node *node, uint32_t output, link_truth truth)
{
    const rf_value *value = node->outputs[output];
    int64_t to[RF_MAX_RANK], from[RF_MAX_RANK];
    for (int64_t o = 0; value->data && o < (int64_t)rf_elements(&value->shape); o++) {
        bool found = false;
        unravel(&value->shape, o, to);
        for (uint32_t input = 0; input < scene->data_count && !found; input++) {
            if (rf_value_int(value, (uint64_t)o) >= (int64_t)rf_elements(&scene->data[input]))
                continue;
            unravel(&scene->data[input], rf_value_int(value, (uint64_t)o), from);
            found = truth(scene, output, &value->shape, to, input, from);
        }
        if (!found)
            fail_msg("%s: element %d of output %u was folded wrongly", scene->type, (int)o, output);
    }
}

static void check_lists(const link_case *scene, const rf_node *node)
{
    rf_link links[RF_MAX_RANK];
    for (uint32_t k = 0; k < scene->list_count && strcmp(scene->type, "Gather") != 0; k++) {
        ask_links(node, 0, (uint32_t)scene->data_count + k, links);
        assert_int_equal(links[0].kind, RF_LINK_NOTHING);
    }
}

static void check(link_case *scene, bool moves, link_truth truth)
{
    make_graph(scene);
    const rf_node *node = &scene->graph->nodes[0];
    for (uint32_t output = 0; output < scene->output_count; output++) {
        for (uint32_t input = 0; input < scene->data_count; input++)
            check_pair(scene, node, output, input, truth);
        if (moves)
            check_folded(scene, node, output, truth);
    }
    check_lists(scene, node);
    rf_graph_free(scene->graph);
}

/* ---- Reshape, Flatten, Squeeze, Unsqueeze ----------------------------------------------- */

static bool same_place(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                       uint32_t input, const int64_t *from)
{
    (void)output;
    return ravel(out, to) == ravel(&scene->data[input], from);
}

/* Another shape of as many elements, made by moving prime factors at random. */
static rf_shape draw_reshape(uint64_t *seed, const rf_shape *from)
{
    rf_shape to = {.rank = (int32_t)draw(seed, 1, 6)};
    int64_t rest = (int64_t)rf_elements(from);
    int32_t axis = 0;
    for (int32_t k = 0; k < to.rank; k++)
        to.dims[k] = 1;
    for (int64_t factor = 2; rest > 1; factor++)
        for (; rest % factor == 0; rest /= factor) {
            axis = draw(seed, 0, 2) ? axis : (int32_t)draw(seed, 0, to.rank - 1);
            to.dims[axis] *= factor;
        }
    return to;
}

static void reshape(uint64_t *seed)
{
    link_case scene = {.type = "Reshape", .data_count = 1, .output_count = 1};
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 1, 6));
    rf_shape to = draw_reshape(seed, &scene.data[0]);
    int64_t open = draw(seed, -1, to.rank - 1);
    if (open >= 0)
        to.dims[open] = -1;
    add_list(&scene, to.dims, to.rank);
    check(&scene, true, same_place);
}

static void flatten(uint64_t *seed)
{
    link_case scene = {.type = "Flatten", .data_count = 1, .output_count = 1};
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 0, 6));
    int64_t rank = scene.data[0].rank;
    scene.attributes[0] = (rf_attribute)RF_INT("axis", draw(seed, -rank, rank));
    check(&scene, true, same_place);
}

static void squeeze(uint64_t *seed)
{
    link_case scene = {.type = "Squeeze", .data_count = 1, .output_count = 1};
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 1, 5));
    int64_t axis = draw(seed, 0, scene.data[0].rank - 1);
    if (draw(seed, 0, 1)) {
        scene.data[0].dims[axis] = 1;
        add_list(&scene, &axis, 1);
    }
    check(&scene, true, same_place);
}

static void unsqueeze(uint64_t *seed)
{
    link_case scene = {.type = "Unsqueeze", .data_count = 1, .output_count = 1};
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 0, 4));
    int64_t axes[] = {draw(seed, 0, scene.data[0].rank + 1), -1};
    add_list(&scene, axes, axes[0] == scene.data[0].rank + 1 ? 1 : 2);
    if (scene.list_shapes[0].dims[0] == 1)
        scene.lists[0][0]--;
    check(&scene, true, same_place);
}

/* ---- Transpose, DepthToSpace, SpaceToDepth ---------------------------------------------- */

static bool transposed(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                       uint32_t input, const int64_t *from)
{
    const rf_attribute *perm = &scene->attributes[0];
    (void)output;
    (void)input;
    for (int32_t k = 0; k < out->rank; k++)
        if (to[k] != from[perm->name ? perm->value.ints[k] : out->rank - 1 - k])
            return false;
    return true;
}

static void transpose(uint64_t *seed)
{
    link_case scene = {.type = "Transpose", .data_count = 1, .output_count = 1};
    int64_t perm[RF_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    int32_t rank = (int32_t)draw(seed, 1, 5);
    scene.data[0] = draw_shape(seed, rank);
    for (int32_t k = rank - 1; k > 0; k--) {
        int64_t other = draw(seed, 0, k), kept = perm[k];
        perm[k] = perm[other];
        perm[other] = kept;
    }
    if (draw(seed, 0, 3))
        scene.attributes[0] = (rf_attribute){.name = "perm", .type = RF_ATTRIBUTE_INTS,
                                             .count = (size_t)rank, .value = {.ints = perm}};
    check(&scene, true, transposed);
}

/* Pixel (y, x) of `shallow` lies in block (y / b, x / b) of `deep`, at place (y % b, x % b). */
static bool in_block(int64_t block, bool depth_first, const rf_shape *shallow, const int64_t *at,
                     const int64_t *deep_at)
{
    int64_t place = at[2] % block * block + at[3] % block, channels = shallow->dims[1];
    int64_t channel = depth_first ? at[1] * block * block + place : place * channels + at[1];
    return deep_at[0] == at[0] && deep_at[1] == channel && deep_at[2] == at[2] / block
        && deep_at[3] == at[3] / block;
}

static bool to_space(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                     uint32_t input, const int64_t *from)
{
    (void)output;
    (void)input;
    bool crd = scene->attributes[1].name && strcmp(scene->attributes[1].value.s, "CRD") == 0;
    return in_block(scene->attributes[0].value.i, crd, out, to, from);
}

static void depth_to_space(uint64_t *seed)
{
    link_case scene = {.type = "DepthToSpace", .data_count = 1, .output_count = 1};
    int64_t block = draw(seed, 1, 3);
    scene.data[0] = (rf_shape)RF_SHAPE(draw(seed, 1, 2), draw(seed, 1, 2) * block * block, draw(seed, 1, 3),
                                       draw(seed, 1, 2));
    scene.attributes[0] = (rf_attribute)RF_INT("blocksize", block);
    if (draw(seed, 0, 1))
        scene.attributes[1] = (rf_attribute)RF_TEXT("mode", "CRD");
    else if (draw(seed, 0, 1))
        scene.attributes[1] = (rf_attribute)RF_TEXT("mode", "DCR");
    check(&scene, false, to_space);
}

static bool to_depth(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                     uint32_t input, const int64_t *from)
{
    (void)output;
    (void)out;
    return in_block(scene->attributes[0].value.i, false, &scene->data[input], from, to);
}

static void space_to_depth(uint64_t *seed)
{
    link_case scene = {.type = "SpaceToDepth", .data_count = 1, .output_count = 1};
    int64_t block = draw(seed, 1, 3);
    scene.data[0] = (rf_shape)RF_SHAPE(draw(seed, 1, 2), draw(seed, 1, 3), draw(seed, 1, 2) * block,
                                       draw(seed, 1, 2) * block);
    scene.attributes[0] = (rf_attribute)RF_INT("blocksize", block);
    check(&scene, false, to_depth);
}

/* ---- Tile, Expand ----------------------------------------------------------------------- */

static bool tiled(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                  uint32_t input, const int64_t *from)
{
    const rf_shape *in = &scene->data[input];
    (void)output;
    for (int32_t axis = 0; axis < in->rank; axis++)
        if (to[axis + out->rank - in->rank] % in->dims[axis] != from[axis])
            return false;
    return true;
}

static void tile(uint64_t *seed)
{
    link_case scene = {.type = "Tile", .data_count = 1, .output_count = 1};
    int64_t repeats[RF_MAX_RANK];
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 1, 3));
    for (int32_t axis = 0; axis < scene.data[0].rank; axis++)
        repeats[axis] = draw(seed, draw(seed, 0, 9) ? 1 : 0, 3);
    add_list(&scene, repeats, scene.data[0].rank);
    check(&scene, true, tiled);
}

static void expand(uint64_t *seed)
{
    link_case scene = {.type = "Expand", .data_count = 1, .output_count = 1};
    rf_shape to = draw_shape(seed, (int32_t)draw(seed, 1, 4));
    rf_shape *from = &scene.data[0];
    from->rank = (int32_t)draw(seed, 0, to.rank);
    for (int32_t axis = 0; axis < from->rank; axis++) {
        int64_t *wanted = &to.dims[axis + to.rank - from->rank];
        from->dims[axis] = draw(seed, 0, 1) ? *wanted : 1;
        if (!draw(seed, 0, 3))
            *wanted = 1;
    }
    add_list(&scene, to.dims, to.rank);
    check(&scene, true, tiled);
}

/* ---- Slice, Gather ---------------------------------------------------------------------- */

static bool sliced(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                   uint32_t input, const int64_t *from)
{
    (void)output;
    for (int32_t axis = 0; axis < out->rank; axis++) {
        int64_t start = 0, step = 1, extent = scene->data[input].dims[axis];
        for (int64_t k = 0; k < scene->list_shapes[0].dims[0]; k++)
            if (scene->lists[2][k] == axis) {
                step = scene->lists[3][k];
                start = scene->lists[0][k] + (scene->lists[0][k] < 0 ? extent : 0);
                start = start < 0 ? 0 : start;
                start = step < 0 && start > extent - 1 ? extent - 1 : start;
            }
        if (start + step * to[axis] != from[axis])
            return false;
    }
    return true;
}

static void slice(uint64_t *seed)
{
    link_case scene = {.type = "Slice", .data_count = 1, .output_count = 1};
    int64_t starts[2], ends[2], axes[2], steps[2];
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 2, 4));
    int64_t count = draw(seed, 1, 2);
    for (int64_t k = 0; k < count; k++) {
        axes[k] = k;
        steps[k] = draw(seed, 0, 1) ? draw(seed, 1, 3) : draw(seed, -3, -1);
        starts[k] = draw(seed, -8, 8);
        ends[k] = draw(seed, 0, 4) ? draw(seed, -8, 8) : (steps[k] < 0 ? INT64_MIN : INT64_MAX);
    }
    add_list(&scene, starts, count);
    add_list(&scene, ends, count);
    add_list(&scene, axes, count);
    add_list(&scene, steps, count);
    check(&scene, true, sliced);
}

static bool gathered(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                     uint32_t input, const int64_t *from)
{
    const rf_shape *in = &scene->data[input], *indices = &scene->list_shapes[0];
    int32_t axis = (int32_t)scene->attributes[0].value.i, out_axis = 0;
    int64_t expected[RF_MAX_RANK], flat = 0;
    (void)output;
    (void)out;
    for (int32_t k = 0; k < in->rank; k++) {
        if (k != axis) {
            expected[k] = to[out_axis++];
            continue;
        }
        for (int32_t j = 0; j < indices->rank; j++)
            flat = flat * indices->dims[j] + to[out_axis++];
        expected[k] = scene->lists[0][flat] + (scene->lists[0][flat] < 0 ? in->dims[k] : 0);
    }
    return memcmp(expected, from, (size_t)in->rank * sizeof *from) == 0;
}

static void gather(uint64_t *seed)
{
    link_case scene = {.type = "Gather", .data_count = 1, .output_count = 1};
    int64_t indices[4];
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 1, 3));
    int64_t axis = draw(seed, 0, scene.data[0].rank - 1), count = draw(seed, 1, 4);
    for (int64_t k = 0; k < count; k++)
        indices[k] = draw(seed, -scene.data[0].dims[axis], scene.data[0].dims[axis] - 1);
    scene.attributes[0] = (rf_attribute)RF_INT("axis", axis);
    add_list(&scene, indices, count);
    if (draw(seed, 0, 1)) {
        scene.list_shapes[0] = (rf_shape)RF_SHAPE(1, 0, 1);
        scene.list_shapes[0].dims[1] = count;
    } else if (count == 1 && draw(seed, 0, 1)) {
        scene.list_shapes[0].rank = 0;
    }
    check(&scene, true, gathered);
}

/* ---- Concat, Split ---------------------------------------------------------------------- */

static bool joined(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                   uint32_t input, const int64_t *from)
{
    int64_t axis = scene->attributes[0].value.i, begin = 0;
    (void)output;
    for (uint32_t k = 0; k < input; k++)
        begin += scene->data[k].dims[axis];
    for (int32_t k = 0; k < out->rank; k++)
        if (to[k] != from[k] + (k == axis ? begin : 0))
            return false;
    return true;
}

static void concat(uint64_t *seed)
{
    link_case scene = {.type = "Concat", .output_count = 1};
    scene.data_count = (size_t)draw(seed, 1, MOST_INPUTS);
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 1, 4));
    int64_t axis = draw(seed, 0, scene.data[0].rank - 1);
    for (size_t k = 1; k < scene.data_count; k++) {
        scene.data[k] = scene.data[0];
        scene.data[k].dims[axis] = draw(seed, 0, scene.data[0].dims[axis]);
    }
    scene.attributes[0] = (rf_attribute)RF_INT("axis", axis);
    check(&scene, true, joined);
}

static bool split_off(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                      uint32_t input, const int64_t *from)
{
    int64_t axis = scene->attributes[0].value.i, begin = 0;
    (void)input;
    for (uint32_t k = 0; k < output; k++)
        begin += scene->graph->nodes[0].outputs[k]->shape.dims[axis];
    for (int32_t k = 0; k < out->rank; k++)
        if (from[k] != to[k] + (k == axis ? begin : 0))
            return false;
    return true;
}

static void split(uint64_t *seed)
{
    link_case scene = {.type = "Split", .data_count = 1};
    int64_t sizes[MOST_OUTPUTS];
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 1, 4));
    scene.output_count = (size_t)draw(seed, 1, MOST_OUTPUTS);
    int64_t axis = draw(seed, 0, scene.data[0].rank - 1), sum = 0;
    bool even = draw(seed, 0, 1);
    for (size_t k = 0; k < scene.output_count; k++) {
        sizes[k] = even && k ? sizes[0] : draw(seed, 0, 2);
        sum += sizes[k];
    }
    scene.data[0].dims[axis] = sum;
    scene.attributes[0] = (rf_attribute)RF_INT("axis", axis);
    if (!even)
        add_list(&scene, sizes, (int64_t)scene.output_count);
    if (rf_elements(&scene.data[0]) <= MOST_ELEMENTS)
        check(&scene, true, split_off);
}

/* ---- Reductions, Softmax, broadcasting -------------------------------------------------- */

static bool reduced(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                    uint32_t input, const int64_t *from)
{
    const rf_attribute *axes = &scene->attributes[0];
    bool keepdims = scene->attributes[1].value.i;
    int32_t out_axis = 0;
    (void)output;
    (void)out;
    for (int32_t k = 0; k < scene->data[input].rank; k++) {
        bool gone = false;
        for (size_t j = 0; j < axes->count; j++)
            gone |= axes->value.ints[j] == k;
        if (!gone && to[out_axis] != from[k])
            return false;
        out_axis += !gone || keepdims;
    }
    return true;
}

static void reduce(uint64_t *seed)
{
    link_case scene = {.type = "ReduceSum", .opset = 11, .data_count = 1, .output_count = 1};
    int64_t axes[RF_MAX_RANK];
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 1, 4));
    size_t count = 0;
    for (int32_t axis = 0; axis < scene.data[0].rank; axis++)
        if (draw(seed, 0, 1) || (count == 0 && axis == scene.data[0].rank - 1))
            axes[count++] = axis;
    scene.attributes[0] = (rf_attribute){.name = "axes", .type = RF_ATTRIBUTE_INTS, .count = count,
                                         .value = {.ints = axes}};
    scene.attributes[1] = (rf_attribute)RF_INT("keepdims", draw(seed, 0, 1));
    check(&scene, false, reduced);
}

static bool in_group(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                     uint32_t input, const int64_t *from)
{
    int64_t axis = scene->attributes[0].value.i;
    (void)output;
    (void)input;
    for (int32_t k = 0; k < out->rank; k++)
        if (to[k] != from[k] && !(scene->opset < 13 ? k >= axis : k == axis))
            return false;
    return true;
}

static void softmax(uint64_t *seed)
{
    link_case scene = {.type = "Softmax", .data_count = 1, .output_count = 1};
    scene.opset = (int32_t)draw(seed, 11, 14);
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 1, 4));
    scene.attributes[0] = (rf_attribute)RF_INT("axis", draw(seed, 0, scene.data[0].rank - 1));
    check(&scene, false, in_group);
}

static bool along_axis(const link_case *scene, uint32_t output, const rf_shape *out, const int64_t *to,
                       uint32_t input, const int64_t *from)
{
    const rf_shape *in = &scene->data[input];
    int64_t shift = input == 0 ? 0 : scene->attributes[1].value.i;
    (void)output;
    (void)out;
    for (int32_t k = 0; k < in->rank; k++)
        if (from[k] != (in->dims[k] == 1 ? 0 : to[k + shift]))
            return false;
    return true;
}

static void old_broadcast(uint64_t *seed)
{
    link_case scene = {.type = "Add", .opset = 6, .data_count = 2, .output_count = 1};
    scene.data[0] = draw_shape(seed, (int32_t)draw(seed, 1, 4));
    scene.data[1].rank = (int32_t)draw(seed, 1, scene.data[0].rank);
    int64_t axis = draw(seed, 0, scene.data[0].rank - scene.data[1].rank);
    for (int32_t k = 0; k < scene.data[1].rank; k++)
        scene.data[1].dims[k] = scene.data[0].dims[k + axis];
    scene.attributes[0] = (rf_attribute)RF_INT("broadcast", 1);
    scene.attributes[1] = (rf_attribute)RF_INT("axis", axis);
    check(&scene, false, along_axis);
}

/* ---- All of them ------------------------------------------------------------------------ */

static void run_rounds(void (*round)(uint64_t *seed))
{
    const char *given = getenv("RF_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 20240229;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < ROUNDS; i++)
        round(&seed);
}

#define ROUND_TEST(name)                    \
    static void test_##name(void **state)   \
    {                                       \
        (void)state;                        \
        run_rounds(name);                   \
    }

ROUND_TEST(reshape)
ROUND_TEST(flatten)
ROUND_TEST(squeeze)
ROUND_TEST(unsqueeze)
ROUND_TEST(transpose)
ROUND_TEST(depth_to_space)
ROUND_TEST(space_to_depth)
ROUND_TEST(tile)
ROUND_TEST(expand)
ROUND_TEST(slice)
ROUND_TEST(gather)
ROUND_TEST(concat)
ROUND_TEST(split)
ROUND_TEST(reduce)
ROUND_TEST(softmax)
ROUND_TEST(old_broadcast)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reshape),        cmocka_unit_test(test_flatten),
        cmocka_unit_test(test_squeeze),        cmocka_unit_test(test_unsqueeze),
        cmocka_unit_test(test_transpose),      cmocka_unit_test(test_depth_to_space),
        cmocka_unit_test(test_space_to_depth), cmocka_unit_test(test_tile),
        cmocka_unit_test(test_expand),         cmocka_unit_test(test_slice),
        cmocka_unit_test(test_gather),         cmocka_unit_test(test_concat),
        cmocka_unit_test(test_split),          cmocka_unit_test(test_reduce),
        cmocka_unit_test(test_softmax),        cmocka_unit_test(test_old_broadcast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
