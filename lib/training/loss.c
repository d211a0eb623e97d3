/* SPDX-License-Identifier: MIT */
/* Losses, as layers behind a network. */
#include "training/draft.h"

static void add_target(rf_draft *draft, rf_dtype dtype, const rf_shape *shape)
{
    rf_network *network = &draft->network;
    rf_tensor *inputs = (rf_tensor *)(uintptr_t)network->inputs;
    inputs[network->input_count++] = (rf_tensor){.name = RF_TARGET, .dtype = dtype, .shape = *shape};
}

/* The sum of all elements, times a factor. */
static rf_status add_sum(rf_draft *draft, const char *of, double factor)
{
    const rf_attribute whole[] = {RF_INT("keepdims", 0), {.name = NULL}};
    const char *sum = of ? rf_draft_layer(draft, "ReduceSum", RF_NAMES(of), whole, factor == 1 ? RF_LOSS : NULL) : NULL;
    if (sum && factor != 1) {
        const char *number = rf_draft_number(draft, factor);
        sum = number ? rf_draft_layer(draft, "Mul", RF_NAMES(sum, number), NULL, RF_LOSS) : NULL;
    }
    return sum ? RF_OK : rf_draft_no_memory(draft);
}

static rf_status add_weighted_sum(rf_draft *draft, const rf_value *output)
{
    add_target(draft, RF_FLOAT32, &output->shape);
    return add_sum(draft, rf_draft_layer(draft, "Mul", RF_NAMES(output->name, RF_TARGET), NULL, NULL), 1);
}

static rf_status add_squared_error(rf_draft *draft, const rf_value *output)
{
    int64_t batch = output->shape.rank ? output->shape.dims[0] : 1;
    add_target(draft, RF_FLOAT32, &output->shape);
    const char *difference = rf_draft_layer(draft, "Sub", RF_NAMES(output->name, RF_TARGET), NULL, NULL);
    const char *square = difference ? rf_draft_layer(draft, "Mul", RF_NAMES(difference, difference), NULL, NULL) : NULL;
    return add_sum(draft, square, 0.5 / (double)(batch > 0 ? batch : 1));
}

static rf_status add_cross_entropy(rf_draft *draft, const rf_value *output)
{
    rf_shape classes = {.rank = 0};
    if (output->shape.rank < 2)
        return rf_fail(draft->error, RF_ERROR_SHAPE, output->name,
                       "tensor '%.100s' has shape %s, but a cross entropy needs scores [N, C, ...]", output->name,
                       rf_shape_print(&output->shape).text);
    for (int32_t k = 0; k < output->shape.rank; k++)
        if (k != 1)
            classes.dims[classes.rank++] = output->shape.dims[k];
    add_target(draft, RF_INT64, &classes);
    return rf_draft_layer(draft, "SoftmaxCrossEntropyLoss", RF_NAMES(output->name, RF_TARGET), NULL, RF_LOSS)
               ? RF_OK : rf_draft_no_memory(draft);
}

static rf_status check_names(const rf_draft *draft)
{
    static const char *const own[] = {RF_TARGET, RF_LOSS};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (rf_names_find(&draft->graph->names, own[i]) != RF_NO_NUMBER)
            return rf_fail(draft->error, RF_ERROR_GRAPH, own[i], "the network has a tensor '%s' of its own", own[i]);
    return RF_OK;
}

rf_status rf_draft_loss(rf_draft *draft, const rf_value *output)
{
    RF_TRY(check_names(draft));
    switch (draft->options->loss) {
    case RF_LOSS_WEIGHTED_SUM: return add_weighted_sum(draft, output);
    case RF_LOSS_CROSS_ENTROPY: return add_cross_entropy(draft, output);
    case RF_LOSS_SQUARED_ERROR: return add_squared_error(draft, output);
    }
    return rf_fail(draft->error, RF_ERROR_ARGUMENT, "loss", "loss is %d, which is no rf_loss", (int)draft->options->loss);
}
