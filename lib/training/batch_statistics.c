/* SPDX-License-Identifier: MIT */
/*
 * Batch normalisation that measures its input (Ioffe and Szegedy, 2015), as
 * layers that have kernels and gradients of their own.
 */
#include <stdio.h>
#include <string.h>

#include "training/draft.h"

static const char *measured_name(rf_draft *draft, const rf_value *statistic)
{
    size_t bytes = strlen(statistic->name) + sizeof RF_MEASURED_SUFFIX;
    char *name = rf_arena_take(draft->arena, bytes, 1);
    if (!name)
        return NULL;
    snprintf(name, bytes, "%s%s", statistic->name, RF_MEASURED_SUFFIX);
    return name;
}

static double epsilon_of(const rf_node *node)
{
    for (const rf_attribute *a = node->layer->attributes; a && a->name; a++)
        if (strcmp(a->name, "epsilon") == 0)
            return (double)a->value.f;
    return 1e-5;
}

/* A mean over everything but the channels, [1, C, 1, ...]. */
static const char *mean_of(rf_draft *draft, const char *of, int32_t rank)
{
    static const rf_attribute keep[] = {RF_INT("keepdims", 1), {.name = NULL}};
    int64_t axes[RF_MAX_RANK];
    size_t count = 0;
    for (int32_t k = 0; k < rank; k++)
        if (k != 1)
            axes[count++] = k;
    const char *list = rf_draft_ints(draft, axes, count);
    return of && list ? rf_draft_layer(draft, "ReduceMean", RF_NAMES(of, list), keep, NULL) : NULL;
}

static const char *two(rf_draft *draft, const char *type, const char *a, const char *b, const char *output)
{
    return a && b ? rf_draft_layer(draft, type, RF_NAMES(a, b), NULL, output) : NULL;
}

static const char *one(rf_draft *draft, const char *type, const char *a)
{
    return a ? rf_draft_layer(draft, type, RF_NAMES(a), NULL, NULL) : NULL;
}

static const char *reshaped(rf_draft *draft, const char *of, const int64_t *dims, size_t rank, const char *output)
{
    return two(draft, "Reshape", of, rf_draft_ints(draft, dims, rank), output);
}

static rf_status check_name(const rf_draft *draft, const rf_node *node, const rf_value *statistic, const char *name)
{
    if (rf_names_find(&draft->graph->names, name) != RF_NO_NUMBER)
        return rf_node_fail(node, RF_ERROR_GRAPH, "the network has a tensor '%.80s' of its own", name);
    for (size_t i = 0; i < draft->statistics.count; i++)
        if (strcmp(draft->statistics.at[i], name) == 0)
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "a statistic '%.80s' of two batches can't be measured",
                                statistic->name);
    return RF_OK;
}

static rf_status note(rf_draft *draft, const rf_node *node, uint32_t input, const char *of)
{
    const rf_value *statistic = node->inputs[input];
    const char *name = measured_name(draft, statistic);
    if (!name)
        return rf_draft_no_memory(draft);
    RF_TRY(check_name(draft, node, statistic, name));
    draft->statistics.at[draft->statistics.count++] = name;
    return reshaped(draft, of, statistic->shape.dims, (size_t)statistic->shape.rank, name)
               ? RF_OK : rf_draft_no_memory(draft);
}

/* Of the population that n elements are a sample of. */
static const char *unbiased(rf_draft *draft, const char *variance, const rf_shape *x)
{
    double n = (double)rf_elements(x) / (double)(x->dims[1] > 0 ? x->dims[1] : 1);
    return n > 1 ? two(draft, "Mul", variance, rf_draft_number(draft, n / (n - 1)), NULL) : variance;
}

rf_status rf_draft_measure(rf_draft *draft, const rf_node *node)
{
    const rf_shape *x = &node->inputs[0]->shape;
    if (x->rank < 2 || node->input_count < 5)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "a batch can be measured of [N, C, ...] with weights");
    int64_t wide[RF_MAX_RANK];
    for (int32_t k = 0; k < x->rank; k++)
        wide[k] = k == 1 ? x->dims[1] : 1;
    const size_t rank = (size_t)x->rank;
    const char *mean = mean_of(draft, node->inputs[0]->name, x->rank);
    const char *centred = two(draft, "Sub", node->inputs[0]->name, mean, NULL);
    const char *variance = mean_of(draft, two(draft, "Mul", centred, centred, NULL), x->rank);
    const char *deviation = one(draft, "Sqrt", two(draft, "Add", variance,
                                                   rf_draft_number(draft, epsilon_of(node)), NULL));
    const char *scale = reshaped(draft, node->inputs[1]->name, wide, rank, NULL);
    const char *shift = reshaped(draft, node->inputs[2]->name, wide, rank, NULL);
    const char *factor = two(draft, "Div", scale, deviation, NULL);
    const char *scaled = two(draft, "Mul", centred, factor, NULL);
    if (!two(draft, "Add", scaled, shift, node->outputs[0]->name))
        return rf_draft_no_memory(draft);
    RF_TRY(note(draft, node, 3, mean));
    return note(draft, node, 4, unbiased(draft, variance, x));
}
