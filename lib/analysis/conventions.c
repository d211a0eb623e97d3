/* SPDX-License-Identifier: MIT */
/* How published tools count, as one table of weights. docs/counting.md gives the sources. */
#include <rfield/analysis.h>

#include <string.h>

#include "analysis/analysis_owner.h"

/* What a tool counts for a pool. */
typedef enum pool_rule {
    POOL_NOTHING,
    POOL_INPUT,          /* each element of the input */
    POOL_TAPS,           /* k * k for each output */
    POOL_TAPS_LESS_ONE,  /* k * k - 1 for each output */
    POOL_TAPS_AND_ONE    /* k * k + 1 for each output */
} pool_rule;

typedef struct weights {
    uint8_t mac;              /* for each multiply-accumulate */
    bool valid_only;          /* taps on padding left out */
    uint8_t bias;             /* for each bias addition */
    uint8_t batch_norm;       /* for each element */
    uint8_t batch_norm_parameters; /* for each parameter and image of the batch */
    uint8_t relu;             /* for each element of an activation */
    uint8_t elementwise;      /* for each element of an addition, product ... */
    pool_rule max_pool, average_pool;
} weights;

static const rf_convention conventions[] = {
    {"torchvision", "FLOPs", "multiply-accumulates of convolutions, dense layers and matrix products"},
    {"fvcore", "FLOPs", "multiply-accumulates; 2 per batch-norm element; inputs of global average pools"},
    {"thop", "MACs", "multiply-accumulates; 4 per batch-norm element; average pools k*k + 1 per output"},
    {"ptflops", "MACs", "multiply-accumulates and biases; 2 per batch-norm element; 1 per activation; pool inputs"},
    {"calflops", "FLOPs", "2 per multiply-accumulate, biases; 2 per batch-norm element; 1 per activation; pool inputs"},
    {"torchinfo", "mult-adds", "weights and biases times output positions; batch-norm parameters times batch"},
    {"tf-profiler", "float operations", "2 per multiply-accumulate, biases; 1 per batch-norm element; max pools k*k"},
    {"torchstat-madd", "MAdd", "2 per multiply-accumulate; 4 per batch-norm element; 1 per activation"},
    {"torchstat-flops", "Flops", "multiply-accumulates and biases; 2 per batch-norm element; 1 per activation"},
    {"pnnx", "FLOPs", "2 per multiply-accumulate, biases; 4 per batch-norm element; 1 per activation; max pools k*k - 1"},
    {"xla", "flops", "2 per multiply-accumulate on real elements, biases; 1 per element-wise result"},
};

static const weights table[] = {
    {.mac = 1},
    {.mac = 1, .batch_norm = 2, .average_pool = POOL_INPUT},
    {.mac = 1, .batch_norm = 4, .average_pool = POOL_TAPS_AND_ONE},
    {.mac = 1, .bias = 1, .batch_norm = 2, .relu = 1, .max_pool = POOL_INPUT, .average_pool = POOL_INPUT},
    {.mac = 2, .bias = 1, .batch_norm = 2, .relu = 1, .max_pool = POOL_INPUT, .average_pool = POOL_INPUT},
    {.mac = 1, .bias = 1, .batch_norm_parameters = 1},
    {.mac = 2, .bias = 1, .batch_norm = 1, .max_pool = POOL_TAPS, .average_pool = POOL_TAPS},
    {.mac = 2, .batch_norm = 4, .relu = 1, .max_pool = POOL_TAPS_LESS_ONE, .average_pool = POOL_TAPS},
    {.mac = 1, .bias = 1, .batch_norm = 2, .relu = 1, .max_pool = POOL_TAPS, .average_pool = POOL_INPUT},
    {.mac = 2, .bias = 1, .batch_norm = 4, .relu = 1, .max_pool = POOL_TAPS_LESS_ONE, .average_pool = POOL_TAPS},
    {.mac = 2, .valid_only = true, .bias = 1, .batch_norm = 2, .relu = 1, .elementwise = 1,
     .max_pool = POOL_TAPS_LESS_ONE, .average_pool = POOL_TAPS},
};

enum { CONVENTIONS = sizeof conventions / sizeof *conventions };
_Static_assert(sizeof table / sizeof *table == CONVENTIONS, "one row of weights for each convention");

const rf_convention *rf_conventions(size_t *count)
{
    *count = CONVENTIONS;
    return conventions;
}

static bool add_pool(uint64_t *total, pool_rule rule, uint64_t inputs, uint64_t outputs, uint64_t taps)
{
    switch (rule) {
    case POOL_INPUT:
        return rf_checked_add(*total, inputs, total);
    case POOL_TAPS:
        return rf_add_product(total, outputs, taps);
    case POOL_TAPS_LESS_ONE:
        return rf_add_product(total, outputs, taps ? taps - 1 : 0);
    case POOL_TAPS_AND_ONE:
        return rf_add_product(total, outputs, taps + 1);
    default:
        return true;
    }
}

static bool count_layer(const rf_analysis_owner *owner, const weights *w, size_t n, uint64_t *total)
{
    const rf_node *node = &owner->graph->nodes[n];
    rf_cost cost = {.window_taps = 0};
    const rf_layer_analysis *layer = &owner->layers[n];
    if (layer->folded || !node->op || !rf_output(node, 0))
        return true;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape);
    uint64_t inputs = rf_input(node, 0) ? rf_elements(&node->inputs[0]->shape) : 0;
    uint64_t batch = node->outputs[0]->shape.rank > 0 ? (uint64_t)node->outputs[0]->shape.dims[0] : 1;
    if ((node->op->cost && !node->op->cost(node, &cost))
        || !rf_add_product(total, w->mac, w->valid_only ? cost.valid.macs : cost.dense.macs)
        || !rf_add_product(total, w->bias, cost.bias_additions))
        return false;
    switch (node->op->class) {
    case RF_CLASS_BATCH_NORM:
        return rf_add_product(total, w->batch_norm, outputs)
            && rf_add_product(total, w->batch_norm_parameters * batch, layer->parameters);
    case RF_CLASS_ACTIVATION:
        return rf_add_product(total, w->relu, outputs);
    case RF_CLASS_ELEMENTWISE:
        return rf_add_product(total, w->elementwise, outputs);
    case RF_CLASS_MAX_POOL:
        return add_pool(total, w->max_pool, inputs, outputs, cost.window_taps);
    case RF_CLASS_AVERAGE_POOL:
        return add_pool(total, w->average_pool, inputs, outputs, cost.window_taps);
    default:
        return true;
    }
}

rf_status rf_convention_count(const rf_analysis *analysis, const char *convention, size_t layer,
                              uint64_t *count, rf_error *error)
{
    size_t row = 0;
    if (!analysis || !convention || !count)
        return rf_fail(error, RF_ERROR_ARGUMENT, NULL, "analysis, convention and count must not be NULL");
    while (row < CONVENTIONS && strcmp(conventions[row].name, convention) != 0)
        row++;
    if (row == CONVENTIONS)
        return rf_fail(error, RF_ERROR_NOT_FOUND, convention, "there is no convention '%.60s'", convention);
    if (layer > analysis->layer_count)
        return rf_fail(error, RF_ERROR_NOT_FOUND, "layer", "layer %zu does not exist: there are %zu", layer,
                       analysis->layer_count);
    const rf_analysis_owner *owner = rf_analysis_owner_of(analysis);
    size_t first = layer == analysis->layer_count ? 0 : layer;
    size_t end = layer == analysis->layer_count ? layer : layer + 1;
    uint64_t total = 0;
    for (size_t n = first; n < end; n++)
        if (!count_layer(owner, &table[row], n, &total))
            return rf_fail(error, RF_ERROR_OVERFLOW, analysis->layers[n].name,
                           "layer '%.100s': the count exceeds 64 bits", analysis->layers[n].name);
    *count = total;
    return RF_OK;
}
