/* SPDX-License-Identifier: MIT */
#include "plan/plan.h"

rf_status rf_plan_no_memory(const rf_plan *plan)
{
    return rf_arena_fail(plan->arena, plan->error, "a model");
}

bool rf_plan_follows_axis(const rf_value *value, const rf_shape *output, int32_t axis)
{
    if (!value->data || value->shape.rank > output->rank)
        return false;
    int32_t shift = output->rank - value->shape.rank;
    for (int32_t k = 0; k < value->shape.rank; k++)
        if (value->shape.dims[k] != 1 && k + shift != axis)
            return false;
    return true;
}

bool rf_plan_has_constants(const rf_job *job)
{
    const rf_value *weight = job->inputs[1], *bias = job->input_count > 2 ? job->inputs[2] : NULL;
    return weight->data && (!bias || bias->data);
}

/* Whether the elements of all outputs are known, though they may still be deferred. */
static bool is_folded(const rf_node *node)
{
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] && !node->outputs[i]->data && !node->outputs[i]->deferred)
            return false;
    return true;
}

/* The axes of a reduction are an input that says how, and no operand. */
static bool is_float(const rf_node *node, rf_task_kind kind)
{
    uint32_t operands = kind == RF_TASK_REDUCE ? 1 : node->input_count;
    for (uint32_t i = 0; i < operands; i++)
        if (node->inputs[i] && node->inputs[i]->dtype != RF_FLOAT32)
            return false;
    return rf_output(node, 0) && rf_output(node, 0)->dtype == RF_FLOAT32;
}

static bool puts_out_one(const rf_node *node)
{
    for (uint32_t i = 1; i < node->output_count; i++)
        if (node->outputs[i])
            return false;
    return rf_output(node, 0);
}

/* Tasks that compute do so in float32, or on integers. All but one of them have one output. */
static bool is_lowered(const rf_node *node, rf_task *task)
{
    if (!node->op->lower || !node->op->lower(node, task))
        return false;
    if (task->kind != RF_TASK_SPLIT && !puts_out_one(node))
        return false;
    if (task->kind >= RF_TASK_VIEW)
        return true;
    if (task->kind == RF_TASK_LEVELS)
        return task->as.levels.axis < 0;
    if (task->kind == RF_TASK_POOL && rf_plan_is_eight_bits(node->inputs[0]->dtype))
        return true;
    if (task->kind == RF_TASK_INTEGER_SUM)
        return rf_plan_knows_integer_sum(&task->as.integer_sum);
    return is_float(node, task->kind);
}

static rf_value *first_output(const rf_node *node)
{
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            return node->outputs[i];
    return NULL;
}

static void start_job(const rf_plan *plan, const rf_node *node, rf_job *job)
{
    job->node = node;
    job->inputs = node->inputs;
    job->input_count = node->input_count;
    job->output = first_output(node);
    job->fused = "";
    if (plan->reference || !is_lowered(node, &job->task))
        job->task = (rf_task){.kind = RF_TASK_NONE};
    if (job->task.kind == RF_TASK_MAP)
        job->map = job->task.as.map;
}

static void note_producers(rf_plan *plan, const rf_job *job)
{
    for (uint32_t i = 0; i < job->node->output_count; i++)
        if (job->node->outputs[i])
            rf_plan_value_of(plan, job->node->outputs[i])->job = (int32_t)(job - plan->jobs);
}

static bool is_read(const rf_plan *plan, const rf_job *job)
{
    if (rf_plan_value_of(plan, job->output)->readers)
        return true;
    for (uint32_t i = 1; i < job->node->output_count; i++)
        if (job->node->outputs[i] && rf_plan_value_of(plan, job->node->outputs[i])->readers)
            return true;
    return false;
}

static void count_read(rf_plan *plan, const rf_value *value)
{
    if (value)
        rf_plan_value_of(plan, value)->readers++;
}

void rf_plan_count_readers(rf_plan *plan)
{
    for (size_t v = 0; v < plan->graph->value_count; v++)
        plan->values[v].readers = 0;
    for (size_t o = 0; o < plan->graph->output_count; o++)
        count_read(plan, plan->graph->outputs[o]);
    for (size_t j = plan->job_count; j-- > 0;) {
        rf_job *job = &plan->jobs[j];
        job->dead |= !is_read(plan, job);
        if (job->dead)
            continue;
        for (uint32_t i = 0; i < job->input_count; i++)
            count_read(plan, job->inputs[i]);
        count_read(plan, job->residual);
        count_read(plan, job->factors);
    }
}

static rf_status check_known(const rf_plan *plan)
{
    const rf_graph *graph = plan->graph;
    for (size_t v = graph->input_count; v < graph->value_count; v++) {
        const rf_value *value = &graph->values[v];
        if (plan->values[v].readers && value->producer < 0 && !value->data)
            return rf_fail(plan->error, RF_ERROR_GRAPH, value->name,
                           "constant '%.100s' has no elements; a network without weights can only be analysed",
                           value->name);
    }
    for (size_t j = 0; j < plan->job_count; j++)
        if (!plan->jobs[j].dead && plan->jobs[j].node->implied)
            return rf_fail(plan->error, RF_ERROR_GRAPH, plan->jobs[j].node->name,
                           "layer '%.80s' (%.40s) has no weights; a network without weights can only be analysed",
                           plan->jobs[j].node->name, plan->jobs[j].node->layer->type);
    return RF_OK;
}

rf_status rf_plan_make_jobs(rf_plan *plan)
{
    const rf_graph *graph = plan->graph;
    plan->values = RF_TAKE(plan->arena, rf_plan_value, graph->value_count);
    plan->jobs = RF_TAKE(plan->arena, rf_job, graph->node_count);
    if (!plan->values || !plan->jobs)
        return rf_plan_no_memory(plan);
    for (size_t v = 0; v < graph->value_count; v++)
        plan->values[v].job = plan->values[v].output = -1;
    for (size_t o = graph->output_count; o-- > 0;)
        rf_plan_value_of(plan, graph->outputs[o])->output = (int32_t)o;
    for (size_t n = 0; n < graph->node_count; n++) {
        if (!first_output(&graph->nodes[n]) || is_folded(&graph->nodes[n]))
            continue;
        rf_job *job = &plan->jobs[plan->job_count++];
        start_job(plan, &graph->nodes[n], job);
        note_producers(plan, job);
    }
    rf_plan_count_readers(plan);
    return check_known(plan);
}
