/* SPDX-License-Identifier: MIT */
#include "analysis/backtrack.h"

#include <string.h>

rf_status rf_backtrack_init(rf_backtrack *backtrack, const rf_graph *graph, rf_arena *memory, uint64_t steps)
{
    *backtrack = (rf_backtrack){.graph = graph, .memory = memory, .steps_left = steps};
    rf_arena_init(&backtrack->scratch, &graph->arena.allocator, 0);
    backtrack->sets = RF_TAKE(memory, rf_index_set *, graph->value_count);
    backtrack->touched = RF_TAKE(memory, uint32_t, graph->value_count);
    return backtrack->sets && backtrack->touched ? RF_OK : RF_ERROR_MEMORY;
}

void rf_backtrack_release(rf_backtrack *backtrack)
{
    rf_arena_release(&backtrack->scratch);
    while (backtrack->touched_count)
        backtrack->sets[backtrack->touched[--backtrack->touched_count]] = NULL;
}

static bool spend(rf_backtrack *backtrack, uint64_t steps)
{
    if (steps > backtrack->steps_left)
        return false;
    backtrack->steps_left -= steps;
    return true;
}

static void keep(rf_backtrack *backtrack, const rf_value *value, rf_index_set *sets)
{
    uint32_t number = (uint32_t)(value - backtrack->graph->values);
    backtrack->sets[number] = sets;
    backtrack->touched[backtrack->touched_count++] = number;
}

static bool is_empty(const rf_index_set *sets, int32_t rank)
{
    for (int32_t axis = 0; axis < rank; axis++)
        if (!sets[axis].count)
            return true;
    return false;
}

/* Joins what one output reads of one input to what is already known to be read of it. */
static rf_status step(rf_backtrack *backtrack, const rf_node *node, uint32_t output, uint32_t input)
{
    rf_link links[RF_MAX_RANK];
    rf_index_set read[RF_MAX_RANK];
    if (!rf_node_links(node, output, input, links))
        return RF_OK;
    const rf_value *from = node->outputs[output], *to = node->inputs[input];
    const rf_index_set *sets = backtrack->sets[from - backtrack->graph->values];
    int32_t rank = to->shape.rank;
    for (int32_t axis = 0; axis < rank; axis++) {
        if (!spend(backtrack, rf_set_work(&links[axis], sets)))
            return RF_ERROR_LIMIT;
        RF_TRY(rf_set_apply(&backtrack->scratch, &links[axis], sets, to->shape.dims[axis], &from->shape,
                            &read[axis]));
    }
    if (is_empty(read, rank))
        return RF_OK;
    rf_index_set *known = backtrack->sets[to - backtrack->graph->values];
    if (!known) {
        known = RF_TAKE(&backtrack->scratch, rf_index_set, rank > 0 ? (size_t)rank : 1);
        if (!known)
            return RF_ERROR_MEMORY;
        memcpy(known, read, (size_t)rank * sizeof *read);
        keep(backtrack, to, known);
        return RF_OK;
    }
    for (int32_t axis = 0; axis < rank; axis++) {
        if (!spend(backtrack, known[axis].count + read[axis].count))
            return RF_ERROR_LIMIT;
        RF_TRY(rf_set_union(&backtrack->scratch, &known[axis], &read[axis], &known[axis]));
    }
    return RF_OK;
}

static rf_status walk_back(rf_backtrack *backtrack, size_t node, uint32_t output, const rf_range *at)
{
    const rf_graph *graph = backtrack->graph;
    const rf_value *value = graph->nodes[node].outputs[output];
    int32_t rank = value->shape.rank;
    rf_index_set *start = RF_TAKE(&backtrack->scratch, rf_index_set, rank > 0 ? (size_t)rank : 1);
    if (!start)
        return RF_ERROR_MEMORY;
    for (int32_t axis = 0; axis < rank; axis++)
        RF_TRY(rf_set_range(&backtrack->scratch, at[axis].first, at[axis].last, &start[axis]));
    if (is_empty(start, rank))
        return RF_OK;
    keep(backtrack, value, start);
    if (!spend(backtrack, node + 1))
        return RF_ERROR_LIMIT;
    for (size_t n = node + 1; n-- > 0;)
        for (uint32_t o = 0; o < graph->nodes[n].output_count; o++) {
            const rf_value *out = graph->nodes[n].outputs[o];
            if (!out || !backtrack->sets[out - graph->values])
                continue;
            for (uint32_t i = 0; i < graph->nodes[n].input_count; i++)
                RF_TRY(step(backtrack, &graph->nodes[n], o, i));
        }
    return RF_OK;
}

rf_status rf_backtrack_from(rf_backtrack *backtrack, size_t node, uint32_t output, const rf_range *at)
{
    rf_backtrack_release(backtrack);
    backtrack->scratch.bytes_limit = backtrack->memory->bytes_limit - backtrack->memory->bytes_taken;
    rf_status status = walk_back(backtrack, node, output, at);
    return status == RF_ERROR_MEMORY && backtrack->scratch.limited ? RF_ERROR_LIMIT : status;
}
