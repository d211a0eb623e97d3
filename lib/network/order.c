/* SPDX-License-Identifier: MIT */
#include "network/order.h"

static bool in_order(const rf_graph *graph)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        const rf_node *node = &graph->nodes[n];
        for (uint32_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] && node->inputs[i]->producer >= (int32_t)n)
                return false;
    }
    return true;
}

/* A depth-first search's path: which layer, and its next input to look at. */
typedef struct visit {
    uint32_t node, next_input;
} visit;

enum { UNSEEN, ON_PATH, PLACED };

typedef struct search {
    rf_graph *graph;
    visit *path;
    uint8_t *state;
    uint32_t *order;
    size_t placed;
} search;

/* Places `root` after everything that it needs. False on a cycle, *culprit then being on it. */
static bool place(search *walk, uint32_t root, uint32_t *culprit)
{
    size_t depth = 0;
    walk->path[depth++] = (visit){root, 0};
    walk->state[root] = ON_PATH;
    while (depth) {
        visit *top = &walk->path[depth - 1];
        const rf_node *node = &walk->graph->nodes[top->node];
        if (top->next_input == node->input_count) {
            walk->state[top->node] = PLACED;
            walk->order[walk->placed++] = top->node;
            depth--;
            continue;
        }
        const rf_value *value = node->inputs[top->next_input++];
        if (!value || value->producer < 0 || walk->state[value->producer] == PLACED)
            continue;
        if (walk->state[value->producer] == ON_PATH) {
            *culprit = (uint32_t)value->producer;
            return false;
        }
        walk->state[value->producer] = ON_PATH;
        walk->path[depth++] = (visit){(uint32_t)value->producer, 0};
    }
    return true;
}

static void rearrange(rf_graph *graph, const uint32_t *order, rf_node *sorted)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        sorted[n] = graph->nodes[order[n]];
        for (uint32_t i = 0; i < sorted[n].output_count; i++)
            if (sorted[n].outputs[i])
                sorted[n].outputs[i]->producer = (int32_t)n;
    }
    graph->nodes = sorted;
}

rf_status rf_graph_order(rf_graph *graph, rf_error *error)
{
    if (in_order(graph))
        return RF_OK;
    size_t count = graph->node_count;
    search walk = {
        .graph = graph,
        .path = RF_TAKE(&graph->arena, visit, count),
        .state = RF_TAKE(&graph->arena, uint8_t, count),
        .order = RF_TAKE(&graph->arena, uint32_t, count),
    };
    rf_node *sorted = RF_TAKE(&graph->arena, rf_node, count);
    if (!walk.path || !walk.state || !walk.order || !sorted)
        return rf_arena_fail(&graph->arena, error, "the order of layers");
    for (uint32_t n = 0; n < count; n++) {
        uint32_t culprit;
        if (walk.state[n] == UNSEEN && !place(&walk, n, &culprit))
            return rf_node_fail(&graph->nodes[culprit], RF_ERROR_GRAPH,
                                "it depends on its own output: layers must not form a cycle");
    }
    rearrange(graph, walk.order, sorted);
    return RF_OK;
}
