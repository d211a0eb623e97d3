/* SPDX-License-Identifier: MIT */
/*
 * Weights of a quantised network: 8-bit integers, and floats that dequantising
 * makes of them. A sum of products between layers of integers reads the integers;
 * only for other layers are the floats worth their memory and the time to make them.
 */
#include "network/folding.h"
#include "plan/plan.h"

/* How many times a value is read, as an output of the network too, and the last node to do so. */
typedef struct reader {
    uint32_t count;
    const rf_node *node;
} reader;

static const reader *reader_of(const rf_plan *plan, const reader *readers, const rf_value *value)
{
    return &readers[value - plan->graph->values];
}

static reader *find_readers(const rf_plan *plan)
{
    const rf_graph *graph = plan->graph;
    reader *readers = RF_TAKE(plan->arena, reader, graph->value_count);
    if (!readers)
        return NULL;
    for (size_t n = 0; n < graph->node_count; n++)
        for (uint32_t i = 0; i < graph->nodes[n].input_count; i++) {
            const rf_value *value = graph->nodes[n].inputs[i];
            if (!value)
                continue;
            readers[value - graph->values].node = &graph->nodes[n];
            readers[value - graph->values].count++;
        }
    for (size_t o = 0; o < graph->output_count; o++)
        readers[graph->outputs[o] - graph->values].count++;
    return readers;
}

static rf_task_kind task_of(const rf_node *node, rf_task *task)
{
    if (!node || !node->op || !node->op->lower || !node->op->lower(node, task))
        return RF_TASK_NONE;
    return task->kind;
}

static bool is_dequantized(const rf_plan *plan, const rf_value *value)
{
    rf_task task;
    return value->producer >= 0 && task_of(&plan->graph->nodes[value->producer], &task) == RF_TASK_LEVELS
        && task.as.levels.inputs[0].dtype != RF_FLOAT32;
}

/* Whether a value's only reader quantises it, or that of the function that is the only reader. */
static bool is_quantized(const rf_plan *plan, const reader *readers, const rf_value *value)
{
    for (int functions = 0; functions <= 1; functions++) {
        const reader *by = reader_of(plan, readers, value);
        rf_task task;
        rf_task_kind kind = by->count == 1 ? task_of(by->node, &task) : RF_TASK_NONE;
        if (kind == RF_TASK_LEVELS)
            return rf_plan_is_eight_bits(task.as.levels.output.dtype);
        if (kind != RF_TASK_MAP)
            return false;
        value = by->node->outputs[0];
    }
    return false;
}

/* Whether a node will probably read input `i` as integers: rf_plan_fuse_levels() then decides. */
static bool reads_integers(const rf_plan *plan, const reader *readers, const rf_node *node, uint32_t i)
{
    rf_task task;
    if (plan->exact || plan->reference || i != 1)
        return false;
    rf_task_kind kind = task_of(node, &task);
    return (kind == RF_TASK_CONVOLUTION || kind == RF_TASK_MATMUL) && node->outputs[0] && is_dequantized(plan, node->inputs[0])
        && is_quantized(plan, readers, node->outputs[0]);
}

rf_status rf_plan_settle_floats(rf_plan *plan)
{
    const rf_graph *graph = plan->graph;
    const reader *readers = find_readers(plan);
    if (!readers)
        return rf_plan_no_memory(plan);
    for (size_t n = 0; n < graph->node_count; n++)
        for (uint32_t i = 0; i < graph->nodes[n].input_count; i++) {
            rf_value *value = graph->nodes[n].inputs[i];
            if (value && value->deferred && !reads_integers(plan, readers, &graph->nodes[n], i))
                RF_TRY(rf_folding_settle(value));
        }
    for (size_t o = 0; o < graph->output_count; o++)
        RF_TRY(rf_folding_settle(graph->outputs[o]));
    return RF_OK;
}

rf_status rf_plan_settle_read(rf_plan *plan)
{
    for (size_t v = 0; v < plan->graph->value_count; v++)
        if (plan->values[v].readers)
            RF_TRY(rf_folding_settle(&plan->graph->values[v]));
    return RF_OK;
}
