/* SPDX-License-Identifier: MIT */
/*
 * Lesson 5: kernels on your own buffers, checked against the analysis. With an input and weights of
 * ones, every convolution output is the number of taps that fell on the input; so the outputs add up
 * to what the analysis calls valid multiply-accumulates.
 */
#include <inttypes.h>
#include <stdio.h>

#include <rfield/rfield.h>

enum { CHANNELS = 3, SIDE = 9, FILTERS = 4, KERNEL = 3, OUTPUT = 5, POOLED = 2 };

static const rf_tensor image = {.name = "image", .shape = RF_SHAPE(1, CHANNELS, SIDE, SIDE)};
static const rf_layer layers[] = {
    {.name = "conv", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", FILTERS), RF_INT("bias", 0),
                                 RF_INTS("kernel_shape", KERNEL, KERNEL), RF_INTS("strides", 2, 2),
                                 RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "relu", .type = "Relu"},
    {.name = "pool", .type = "MaxPool",
     .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2))},
};
static const rf_network network = {.inputs = &image, .input_count = 1, .layers = layers,
                                   .layer_count = sizeof layers / sizeof *layers};

static float input[CHANNELS * SIDE * SIDE], weights[FILTERS * CHANNELS * KERNEL * KERNEL];
static float convolved[FILTERS * OUTPUT * OUTPUT], pooled[FILTERS * POOLED * POOLED];

static void fill(float *buffer, size_t count, float value)
{
    for (size_t k = 0; k < count; k++)
        buffer[k] = value;
}

static uint64_t sum(const float *buffer, size_t count)
{
    uint64_t total = 0;
    for (size_t k = 0; k < count; k++)
        total += (uint64_t)buffer[k];
    return total;
}

static rf_status run(rf_error *error)
{
    rf_conv2d_desc conv = RF_CONV2D_DEFAULT;
    conv.input_channels = CHANNELS;
    conv.input_height = conv.input_width = SIDE;
    conv.output_channels = FILTERS;
    conv.kernel[0] = conv.kernel[1] = KERNEL;
    conv.strides[0] = conv.strides[1] = 2;
    conv.pads[0] = conv.pads[1] = conv.pads[2] = conv.pads[3] = 1;
    rf_pool2d_desc pool = RF_POOL2D_DEFAULT;
    pool.channels = FILTERS;
    pool.input_height = pool.input_width = OUTPUT;
    pool.kernel[0] = pool.kernel[1] = 2;
    pool.strides[0] = pool.strides[1] = 2;

    rf_status status = rf_conv2d(&conv, input, weights, NULL, convolved, error);
    if (status == RF_OK)
        status = rf_relu(convolved, convolved, sizeof convolved / sizeof *convolved, error);
    if (status == RF_OK)
        status = rf_max_pool2d(&pool, convolved, pooled, error);
    return status;
}

int main(void)
{
    const rf_analysis *analysis;
    rf_error error;
    fill(input, sizeof input / sizeof *input, 1);
    fill(weights, sizeof weights / sizeof *weights, 1);
    if (run(&error) != RF_OK || rf_analyze(&network, NULL, &analysis, &error) != RF_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    uint64_t counted = analysis->layers[0].valid.macs;
    uint64_t ran = sum(convolved, sizeof convolved / sizeof *convolved);
    printf("MACs on the input: %" PRIu64 " counted, %" PRIu64 " run; with padding %" PRIu64 "\n",
           counted, ran, analysis->layers[0].dense.macs);
    printf("largest window sum in the first pool: %g\n", (double)pooled[0]);
    rf_analysis_free(analysis);
    return counted != ran;
}
