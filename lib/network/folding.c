/* SPDX-License-Identifier: MIT */
#include "network/folding.h"

#include "ops/task.h"

/* Elements that shapes need, and what is not worth asking whether there is room for it. */
enum { FEW = 1024 };

rf_folding rf_folding_start(bool floats)
{
    if (floats)
        return (rf_folding){.budget = UINT64_C(1) << 29, .most_floats = UINT64_MAX, .defers = true};
    return (rf_folding){.budget = UINT64_C(1) << 26, .most_floats = FEW};
}

static bool is_known(const rf_node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] && !node->inputs[i]->data && !node->inputs[i]->deferred)
            return false;
    return true;
}

static bool is_done(const rf_node *node)
{
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] && node->outputs[i]->data)
            return true;
    return false;
}

static bool is_foldable(const rf_folding *folding, const rf_node *node, const rf_value *value)
{
    uint64_t elements = rf_elements(&value->shape), most = node->limits->folded_elements;
    if (rf_dtype_is_float(value->dtype) && folding->most_floats < most)
        most = folding->most_floats;
    return elements <= most && rf_dtype_bits(value->dtype) >= 8;
}

/* Operations, about: a product of matrices takes many more than it has elements. */
static bool count_work(const rf_node *node, uint64_t *work)
{
    rf_cost cost = {.window_taps = 0};
    if (!node->op->cost)
        return true;
    if (!node->op->cost(node, &cost))
        return false;
    const rf_counts *counts = &cost.dense;
    const uint64_t kinds[] = {counts->multiplications, counts->additions, counts->activations, counts->comparisons,
                              counts->divisions, counts->exponentials, counts->square_roots};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!rf_checked_add(*work, kinds[i], work))
            return false;
    return true;
}

/* Where elements decide how many there will be, each may be compared with all of the input. */
static bool count_ragged(const rf_node *node, uint64_t *work)
{
    const rf_value *in = rf_input(node, 0), *out = rf_output(node, 0);
    return !in || !out || !out->ragged || rf_add_product(work, rf_elements(&in->shape), rf_elements(&out->shape));
}

/* Whether what is computed leaves half of the memory to others; without, a file of a few bytes could fill
 * it, and computing when running takes less. */
static bool leaves_room(const rf_folding *folding, const rf_node *node)
{
    uint64_t bytes = folding->deferred, own;
    if (node->op->scratch && (!node->op->scratch(node, &own) || !rf_checked_add(bytes, own, &bytes)))
        return false;
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] && !rf_checked_add(bytes, node->outputs[i]->bytes, &bytes))
            return false;
    uint64_t half = node->arena->bytes_limit / 2, taken = node->arena->bytes_taken;
    return taken <= half && bytes <= half - taken;
}

/* Whether the elements of all inputs and outputs are few enough, and what it takes to compute them;
 * that is then taken off the budget. */
static bool affordable(rf_folding *folding, const rf_node *node)
{
    uint64_t elements = 1;
    for (uint32_t i = 0; i < node->input_count + node->output_count; i++) {
        const rf_value *value = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
        if (!value)
            continue;
        if (!is_foldable(folding, node, value))
            return false;
        elements += rf_elements(&value->shape);
    }
    if (elements > FEW && !leaves_room(folding, node))
        return false;
    if (!count_work(node, &elements) || !count_ragged(node, &elements) || elements > folding->budget)
        return false;
    folding->budget -= elements;
    return true;
}

static void forget(const rf_node *node)
{
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i]) {
            node->outputs[i]->data = NULL;
            node->outputs[i]->data_bytes = 0;
        }
}

/* What the row cannot compute now stays unknown, which is no failure. */
static rf_status evaluate(rf_node *node)
{
    rf_error *error = node->error, own = {.status = RF_OK};
    uint64_t bytes = 0;
    if (node->op->scratch && !node->op->scratch(node, &bytes))
        return RF_OK;
    node->scratch = bytes ? rf_arena_take(node->arena, 1, bytes) : NULL;
    if (bytes && !node->scratch)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory to compute it");
    node->error = &own;
    rf_status status = node->op->evaluate(node);
    node->error = error;
    node->scratch = NULL;
    if (status == RF_ERROR_UNSUPPORTED) {
        forget(node);
        return RF_OK;
    }
    if (status != RF_OK && error)
        *error = own;
    return status;
}

static rf_status compute(rf_node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            RF_TRY(rf_folding_settle(node->inputs[i]));
    for (uint32_t i = 0; i < node->output_count; i++) {
        void *data;
        if (node->outputs[i])
            RF_TRY(rf_node_take_data(node, node->outputs[i], &data));
    }
    return evaluate(node);
}

rf_status rf_folding_settle(rf_value *value)
{
    rf_node *node = value->deferred;
    value->deferred = NULL;
    return node ? compute(node) : RF_OK;
}

/* Floats take four times the memory of the integers that they are made of, which are all that some layers read. */
static bool is_expansion(const rf_node *node)
{
    rf_task task;
    if (!node->op->lower || !node->op->lower(node, &task) || task.kind != RF_TASK_LEVELS || task.as.levels.paired)
        return false;
    return task.as.levels.inputs[0].dtype != RF_FLOAT32 && task.as.levels.output.dtype == RF_FLOAT32
        && rf_elements(&node->outputs[0]->shape) > FEW;
}

rf_status rf_folding_node(rf_folding *folding, rf_node *node)
{
    if (!node->op->evaluate || !is_known(node) || is_done(node) || !affordable(folding, node))
        return RF_OK;
    if (!folding->defers || !is_expansion(node))
        return compute(node);
    node->outputs[0]->deferred = node;
    folding->deferred += node->outputs[0]->bytes;
    return RF_OK;
}
