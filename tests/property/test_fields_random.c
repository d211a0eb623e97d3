/* SPDX-License-Identifier: MIT */
/*
 * Fields of random networks against brute force. RF_SEED and RF_CASES choose the networks: case k
 * is that of seed RF_SEED + k, so that a failure is repeated with the seed printed and one case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <rfield/analysis.h>

#include "brute.h"

enum {
    DEFAULT_CASES = 400,
    SHOWN_FAILURES = 20,
    UNCLIPPED_BUDGET = 2500, /* boxes moved for one layer */
    EXACT_BUDGET = 60000     /* elements read for one layer */
};

/* One case, and what is being looked at, for the text of a failure. */
typedef struct trial {
    rn_network net;
    rn_description *description;
    const rf_analysis *analysis;
    brute_exact exact;
    brute_unclipped unclipped;
    int node;
    int failures;
    uint64_t pixels, skipped;
} trial;

static void say(trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(trial *t, const char *format, ...)
{
    va_list arguments;
    if (t->failures++)
        return; /* one a network is enough */
    rn_print(&t->net, t->node, stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

#define SAY_UNLESS(trial_, condition_, ...) \
    do {                                    \
        if (!(condition_))                  \
            say(trial_, __VA_ARGS__);       \
    } while (0)

/* ---- One output element --------------------------------------------------------------------- */

static bool same_range(rf_range a, rf_range b)
{
    return (a.first == b.first && a.last == b.last) || (a.last < a.first && b.last < b.first);
}

static bool within(rf_range inner, rf_range outer)
{
    return inner.last < inner.first || (outer.first <= inner.first && outer.last >= inner.last);
}

static rf_range clip(rf_range range, int extent)
{
    rf_range clipped = {range.first < 0 ? 0 : range.first,
                        range.last > extent - 1 ? extent - 1 : range.last};
    return range.last < range.first ? range : clipped;
}

static void say_range(trial *t, const brute_point *p, int input, const char *what, int axis,
                      rf_range expected, rf_range got)
{
    SAY_UNLESS(t, same_range(expected, got),
               "%s of t%d channel %d at %d,%d,%d in input t%d axis %d: expected %" PRId64 "..%" PRId64
               ", got %" PRId64 "..%" PRId64,
               what, p->tensor, p->channel, p->at[0], p->at[1], p->at[2], input, axis,
               expected.first, expected.last, got.first, got.last);
}

static void check_unclipped(trial *t, const brute_point *p, int input,
                            const rf_field_at_result *result)
{
    bool loose = brute_axes_depend(&t->net, p->tensor);
    for (int a = 0; a < t->net.spatial; a++) {
        int count;
        rf_range hull = brute_unclipped_answer(&t->unclipped, input, a, &count);
        int extent = t->net.tensors[input].dims[a + 2];
        if (loose && within(hull, result->axes[a]))
            hull = result->axes[a];
        say_range(t, p, input, "unclipped field", a, hull, result->axes[a]);
        say_range(t, p, input, "clipped field", a, clip(hull, extent), result->clipped[a]);
    }
}

static void check_exact(trial *t, const brute_point *p, int input, const rf_field_at_result *result)
{
    brute_exact_field field = brute_exact_answer(&t->exact, input);
    say_range(t, p, input, "channels", -1, field.channels, result->channels);
    for (int a = 0; a < t->net.spatial; a++)
        say_range(t, p, input, "exact field", a, field.axes[a], result->exact[a]);
    SAY_UNLESS(t, field.support == result->support,
               "support of t%d channel %d at %d,%d,%d in input t%d: expected %" PRIu64
               ", got %" PRIu64,
               p->tensor, p->channel, p->at[0], p->at[1], p->at[2], input, field.support,
               result->support);
}

static bool same_paths(double expected, double got)
{
    if (expected < 0x1p53)
        return expected == got;
    return fabs(expected - got) <= expected * 1e-9;
}

static void check_map(trial *t, const brute_point *p, int input, const rf_field_query *query)
{
    const rf_field_map *map = NULL;
    rf_error error = {.message = ""};
    rf_status status = rf_field_map_make(t->analysis, query, &map, &error);
    SAY_UNLESS(t, status == RF_OK, "rf_field_map_make: %s", error.message);
    if (status != RF_OK)
        return;
    brute_exact_field field = brute_exact_answer(&t->exact, input);
    size_t count = 1;
    for (int a = 0; a < t->net.spatial; a++) {
        say_range(t, p, input, "box of the map", a, field.axes[a], map->axes[a]);
        count *= field.empty ? 0 : (size_t)(field.axes[a].last - field.axes[a].first + 1);
    }
    SAY_UNLESS(t, map->count == count, "positions of the map of t%d at %d,%d,%d: %zu, not %zu",
               p->tensor, p->at[0], p->at[1], p->at[2], map->count, count);
    for (size_t k = 0; !t->failures && k < count; k++) {
        int at[RN_MAX_SPATIAL] = {0};
        size_t rest = k;
        for (int a = t->net.spatial - 1; a >= 0; a--) {
            size_t extent = (size_t)(field.axes[a].last - field.axes[a].first + 1);
            at[a] = (int)field.axes[a].first + (int)(rest % extent);
            rest /= extent;
        }
        double expected = brute_exact_paths(&t->exact, input, at);
        SAY_UNLESS(t, same_paths(expected, map->paths[k]),
                   "paths of t%d channel %d at %d,%d,%d to %d,%d,%d: expected %.0f, got %.0f",
                   p->tensor, p->channel, p->at[0], p->at[1], p->at[2], at[0], at[1], at[2],
                   expected, map->paths[k]);
    }
    rf_field_map_free(map);
}

/* What to compare at a point. */
typedef struct comparison {
    bool unclipped, exact, map;
} comparison;

static void check_point(trial *t, size_t layer, int output, const brute_point *p,
                        const comparison *todo)
{
    int64_t at[RN_MAX_SPATIAL] = {p->at[0], p->at[1], p->at[2]};
    for (int input = 0; input < t->net.input_count && !t->failures; input++) {
        rf_field_query query = {.layer = layer,
                                .output = (size_t)output,
                                .input = (size_t)input,
                                .channel = p->channel,
                                .at = at,
                                .at_count = (size_t)t->net.tensors[p->tensor].rank - 2};
        rf_field_at_result result;
        rf_error error = {.message = ""};
        bool depends = brute_depends(&t->net, input, p->tensor);
        rf_status status = rf_field_at(t->analysis, &query, &result, &error);
        SAY_UNLESS(t, status == (depends ? RF_OK : RF_ERROR_NOT_FOUND),
                   "rf_field_at of t%d in t%d at %d,%d,%d: %s %s", p->tensor, input, p->at[0],
                   p->at[1], p->at[2], rf_status_name(status), error.message);
        if (status != RF_OK)
            continue;
        if (todo->unclipped)
            check_unclipped(t, p, input, &result);
        if (todo->exact)
            check_exact(t, p, input, &result);
        if (todo->map)
            check_map(t, p, input, &query);
    }
}

/* ---- A layer's closed form ------------------------------------------------------------------ */

/* What the outputs looked at so far see along one axis. */
typedef struct seen {
    int64_t size_min, size_max;
    rf_range all;
} seen;

static const rf_field *field_of(const rf_layer_analysis *layer, int input)
{
    for (size_t k = 0; k < layer->field_count; k++)
        if (layer->fields[k].input == (size_t)input)
            return &layer->fields[k];
    return NULL;
}

/* Whether forms for each axis alone can only bound what is seen. Of a Flatten, which mixes all
 * axes into one, no more is asked either. */
static bool is_loose(const rn_network *net, int tensor)
{
    int producer = net->tensors[tensor].producer;
    return brute_axes_depend(net, tensor) ||
           (producer >= 0 && net->nodes[producer].kind == RN_FLATTEN);
}

static void check_affine(trial *t, const brute_point *p, const rf_field_axis *form, rf_range hull,
                         int axis, bool loose)
{
    int64_t i = form->output_axis < 0 ? 0 : form->output_axis == 1 ? p->channel
                                                                    : p->at[form->output_axis - 2];
    rf_range expected = {form->stride * i + form->u0, form->stride * i + form->v0};
    if (!loose || !within(hull, expected))
        say_range(t, p, 0, "closed form (got) against brute force (expected)", axis, hull, expected);
}

static void check_form(trial *t, const brute_point *p, int input, const rf_field_axis *form,
                       int axis, seen *so_far)
{
    int count, extent = t->net.tensors[input].dims[axis + 2];
    bool loose = is_loose(&t->net, p->tensor);
    rf_range hull = brute_unclipped_answer(&t->unclipped, input, axis, &count);
    int64_t size = count ? hull.last - hull.first + 1 : 0;
    so_far->size_min = size < so_far->size_min ? size : so_far->size_min;
    so_far->size_max = size > so_far->size_max ? size : so_far->size_max;
    if (count) {
        so_far->all.first = hull.first < so_far->all.first ? hull.first : so_far->all.first;
        so_far->all.last = hull.last > so_far->all.last ? hull.last : so_far->all.last;
    }
    if (form->kind == RF_AXIS_AFFINE)
        check_affine(t, p, form, hull, axis, loose);
    if (form->kind == RF_AXIS_WHOLE && !loose)
        SAY_UNLESS(t, count && hull.first <= 0 && hull.last >= extent - 1,
                   "t%d at %d,%d,%d input t%d axis %d: said to see the whole input, sees %" PRId64
                   "..%" PRId64,
                   p->tensor, p->at[0], p->at[1], p->at[2], input, axis, hull.first, hull.last);
    if (form->kind == RF_AXIS_AFFINE && !loose && (p->at[0] | p->at[1] | p->at[2]) == 0)
        SAY_UNLESS(t, form->support == count,
                   "t%d input t%d axis %d: support of the closed form %" PRId64 ", expected %d",
                   p->tensor, input, axis, form->support, count);
}

static void check_members(trial *t, int tensor, int input, int axis, const rf_field_axis *form)
{
    int extent = t->net.tensors[input].dims[axis + 2];
    bool right = true;
    if (form->kind == RF_AXIS_AFFINE)
        right = form->size == form->v0 - form->u0 + 1 && form->padding == -form->u0 &&
                form->size_min == form->size && form->size_max == form->size;
    if (form->kind == RF_AXIS_WHOLE)
        right = form->u0 == 0 && form->v0 == extent - 1 && form->size == extent &&
                form->stride == 0 && form->padding == 0;
    SAY_UNLESS(t, right,
               "t%d input t%d axis %d: members disagree: kind %d stride %" PRId64 " u0 %" PRId64
               " v0 %" PRId64 " size %" PRId64 " min %" PRId64 " max %" PRId64 " padding %" PRId64,
               tensor, input, axis, (int)form->kind, form->stride, form->u0, form->v0, form->size,
               form->size_min, form->size_max, form->padding);
}

static void check_interval(trial *t, int tensor, int input, int axis, const rf_field_axis *form,
                           const seen *all)
{
    if (form->kind != RF_AXIS_INTERVAL)
        return;
    bool loose = is_loose(&t->net, tensor);
    bool sizes = loose ? form->size_min <= form->size_max && form->size_max >= all->size_max
                       : form->size_min == all->size_min && form->size_max == all->size_max;
    bool bounds = loose ? form->u0 <= all->all.first && form->v0 >= all->all.last
                        : form->u0 == all->all.first && form->v0 == all->all.last;
    SAY_UNLESS(t, sizes,
               "t%d input t%d axis %d: sizes expected %" PRId64 "..%" PRId64 ", got %" PRId64
               "..%" PRId64,
               tensor, input, axis, all->size_min, all->size_max, form->size_min, form->size_max);
    SAY_UNLESS(t, bounds,
               "t%d input t%d axis %d: bounds of all outputs expected %" PRId64 "..%" PRId64
               ", got %" PRId64 "..%" PRId64,
               tensor, input, axis, all->all.first, all->all.last, form->u0, form->v0);
}

static void check_aligned(trial *t, int tensor, int input, const rf_field *field)
{
    int expected = brute_aligned(&t->net, input, tensor);
    SAY_UNLESS(t, expected < 0 || expected == field->aligned,
               "t%d input t%d: aligned %d, expected %d", tensor, input, field->aligned, expected);
}

/* ---- A layer -------------------------------------------------------------------------------- */

static int pixel_count(const rn_tensor *tensor)
{
    int count = 1;
    for (int a = 2; a < tensor->rank; a++)
        count *= tensor->dims[a];
    return count;
}

/* Pixel `k` in an order that jumps about, so that a budget spends itself all over the output. */
static brute_point pixel(const rn_network *net, int tensor, int k)
{
    const rn_tensor *out = &net->tensors[tensor];
    int count = pixel_count(out);
    int linear = (int)((int64_t)k * 7919 % count);
    brute_point p = {.tensor = tensor, .channel = -1};
    for (int a = out->rank - 1; a >= 2; a--) {
        p.at[a - 2] = linear % out->dims[a];
        linear /= out->dims[a];
    }
    return p;
}

static void check_forms_at(trial *t, const rf_layer_analysis *layer, const brute_point *p,
                           seen table[][RN_MAX_SPATIAL])
{
    for (int input = 0; input < t->net.input_count; input++) {
        const rf_field *field = field_of(layer, input);
        for (int a = 0; field && a < t->net.spatial && !t->failures; a++)
            check_form(t, p, input, &field->axes[a], a, &table[input][a]);
    }
}

static void check_forms(trial *t, const rf_layer_analysis *layer, int tensor, bool complete,
                        seen table[][RN_MAX_SPATIAL])
{
    for (int input = 0; input < t->net.input_count; input++) {
        const rf_field *field = field_of(layer, input);
        SAY_UNLESS(t, !field == !brute_depends(&t->net, input, tensor),
                   "t%d: field of input t%d is %s", tensor, input, field ? "there" : "missing");
        if (!field)
            continue;
        SAY_UNLESS(t, field->axis_count == t->net.spatial, "axis_count %d", field->axis_count);
        check_aligned(t, tensor, input, field);
        for (int a = 0; a < t->net.spatial; a++) {
            check_members(t, tensor, input, a, &field->axes[a]);
            if (complete)
                check_interval(t, tensor, input, a, &field->axes[a], &table[input][a]);
        }
    }
}

/* One pixel against the closed forms: all its channels at once, or where there are no pixels each
 * feature. False where the reference could not say. */
static bool check_formed(trial *t, const rf_layer_analysis *layer, brute_point p,
                         seen table[][RN_MAX_SPATIAL])
{
    const rn_tensor *out = &t->net.tensors[p.tensor];
    int count = out->rank == 2 ? out->dims[1] : 1;
    for (int c = 0; c < count; c++) {
        p.channel = out->rank == 2 ? c : -1;
        if (!brute_unclipped_walk(&t->unclipped, &p))
            return false;
        if (layer->output_count == 1)
            check_forms_at(t, layer, &p, table);
    }
    return true;
}

/* One pixel against the closed forms; then it, or one channel of it, asked about alone. */
static bool check_pixel(trial *t, size_t layer, int output, brute_point p, comparison todo,
                        seen table[][RN_MAX_SPATIAL])
{
    int channels = t->net.tensors[p.tensor].dims[1];
    if (todo.unclipped && !check_formed(t, &t->analysis->layers[layer], p, table)) {
        todo.unclipped = false;
        t->skipped++;
    }
    if (rn_random(&t->net, 3) == 0)
        p.channel = rn_random(&t->net, channels);
    if (todo.unclipped)
        brute_unclipped_walk(&t->unclipped, &p);
    if (todo.exact)
        brute_exact_walk(&t->exact, &p);
    if (todo.exact || todo.unclipped)
        check_point(t, layer, output, &p, &todo);
    t->pixels += todo.exact || todo.unclipped;
    return todo.unclipped;
}

static void check_output(trial *t, size_t layer, int output)
{
    const rn_node *node = &t->net.nodes[t->node];
    int tensor = node->outputs[output], count = pixel_count(&t->net.tensors[tensor]);
    seen table[RN_MAX_NODE_INPUTS][RN_MAX_SPATIAL];
    for (int input = 0; input < RN_MAX_NODE_INPUTS; input++)
        for (int a = 0; a < RN_MAX_SPATIAL; a++)
            table[input][a] = (seen){INT64_MAX, INT64_MIN, {INT64_MAX, INT64_MIN}};
    uint64_t unclipped = t->unclipped.work + UNCLIPPED_BUDGET;
    uint64_t exact = t->exact.work + EXACT_BUDGET;
    bool complete = true;
    for (int k = 0; k < count && !t->failures; k++) {
        comparison todo = {.unclipped = t->unclipped.work < unclipped,
                           .exact = t->exact.work < exact,
                           .map = t->exact.work < exact && k < 3};
        brute_point p = pixel(&t->net, tensor, k);
        complete = check_pixel(t, layer, output, p, todo, table) && complete;
    }
    if (node->output_count == 1 && !t->failures)
        check_forms(t, &t->analysis->layers[layer], tensor, complete, table);
}

static void check_shape(trial *t, const rf_layer_analysis *layer, int output)
{
    const rn_tensor *expected = &t->net.tensors[t->net.nodes[t->node].outputs[output]];
    const rf_tensor *got = &layer->outputs[output];
    bool same = got->shape.rank == expected->rank && strcmp(got->name, expected->name) == 0;
    for (int a = 0; same && a < expected->rank; a++)
        same = got->shape.dims[a] == expected->dims[a];
    SAY_UNLESS(t, same, "shape of %s: got %s of rank %d [%d,%d,%d,%d]", expected->name, got->name,
               got->shape.rank, (int)got->shape.dims[0], (int)got->shape.dims[1],
               (int)got->shape.dims[2], (int)got->shape.dims[3]);
}

static void check_node(trial *t, int index)
{
    const rn_node *node = &t->net.nodes[index];
    t->node = index;
    for (int k = 0; k < node->output_count && !t->failures; k++) {
        const rn_tensor *out = &t->net.tensors[node->outputs[k]];
        size_t layer = rf_analysis_find_layer(t->analysis, out->name);
        SAY_UNLESS(t, layer < t->analysis->layer_count, "no layer for %s", out->name);
        if (t->failures)
            return;
        check_shape(t, &t->analysis->layers[layer], k);
        if (!t->failures && (out->rank == 2 || out->rank == t->net.spatial + 2))
            check_output(t, layer, k);
    }
}

/* ---- The run -------------------------------------------------------------------------------- */

static void check_case(trial *t, uint64_t seed)
{
    rf_error error = {.message = ""};
    rn_make(&t->net, seed);
    t->failures = 0;
    t->node = t->net.node_count - 1;
    t->description = rn_describe(&t->net);
    assert_non_null(t->description);
    assert_true(brute_exact_init(&t->exact, &t->net));
    assert_true(brute_unclipped_init(&t->unclipped, &t->net));
    rf_status status = rf_analyze(rn_description_network(t->description), NULL, &t->analysis, &error);
    if (status != RF_OK)
        say(t, "rf_analyze: %s: %s", rf_status_name(status), error.message);
    for (int n = 0; status == RF_OK && n < t->net.node_count && !t->failures; n++)
        check_node(t, n);
    rf_analysis_free(t->analysis);
    brute_exact_release(&t->exact);
    brute_unclipped_release(&t->unclipped);
    rn_description_free(t->description);
}

static void fields_agree_with_brute_force(void **state)
{
    (void)state;
    uint64_t seed = rn_environment("RF_SEED", 1), cases = rn_environment("RF_CASES", DEFAULT_CASES);
    trial *t = calloc(1, sizeof *t);
    assert_non_null(t);
    int failed = 0;
    for (uint64_t k = 0; k < cases && failed < SHOWN_FAILURES; k++) {
        check_case(t, seed + k);
        failed += t->failures > 0;
    }
    print_message("RF_SEED=%" PRIu64 " RF_CASES=%" PRIu64 ": %" PRIu64
                  " output elements compared, %" PRIu64 " too large\n",
                  seed, cases, t->pixels, t->skipped);
    free(t);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields_agree_with_brute_force)};
    return cmocka_run_group_tests_name("fields_random", tests, NULL, NULL);
}
