/* SPDX-License-Identifier: MIT */
/*
 * Lesson 1: a network is plain data. Describe one in static arrays, analyse it, and print what each
 * layer sees and costs.
 */
#include <inttypes.h>
#include <stdio.h>

#include <rfield/rfield.h>

static const rf_tensor image = {.name = "image", .shape = RF_SHAPE(1, 3, 224, 224)};

/* Operators and attributes have ONNX's names. A layer that names no inputs reads what the layer
 * before it puts out; `filters` stands for a weight tensor that nobody has to provide. */
static const rf_layer layers[] = {
    {.name = "conv1", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 64), RF_INTS("kernel_shape", 3, 3),
                                 RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "y1", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 64), RF_INTS("kernel_shape", 3, 3),
                                 RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "y2", .type = "MaxPool",
     .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2))},
    {.name = "conv3", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 128), RF_INTS("kernel_shape", 3, 3),
                                 RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "conv4", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 128), RF_INTS("kernel_shape", 3, 3),
                                 RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "y3", .type = "MaxPool",
     .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2))},
};

static const rf_network network = {
    .name = "two blocks", .inputs = &image, .input_count = 1,
    .layers = layers, .layer_count = sizeof layers / sizeof *layers,
};

int main(void)
{
    const rf_analysis *analysis;
    rf_error error;
    if (rf_analyze(&network, NULL, &analysis, &error) != RF_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    for (size_t n = 0; n < analysis->layer_count; n++) {
        const rf_layer_analysis *layer = &analysis->layers[n];
        const rf_field_axis *rows = &layer->fields[0].axes[0];
        printf("%-6s row i sees %" PRId64 "i%+" PRId64 " .. %" PRId64 "i%+" PRId64 ", %" PRIu64 " MACs\n",
               layer->name, rows->stride, rows->u0, rows->stride, rows->v0, layer->dense.macs);
    }
    printf("total: %" PRIu64 " parameters, %" PRIu64 " MACs\n", analysis->parameters,
           analysis->dense.macs);
    rf_analysis_free(analysis);
    return 0;
}
