/* SPDX-License-Identifier: MIT */
#include "bench_networks.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_ATTRIBUTES = 6 };

typedef struct bench_layer {
    char name[16];
    const char *inputs[3];
    int64_t kernel[2], strides[2], pads[4];
    rf_attribute attributes[MOST_ATTRIBUTES]; /* the last stays unnamed */
} bench_layer;

void bench_network_free(bench_network *described)
{
    if (!described)
        return;
    free(described->layers);
    free(described->parts);
    free(described);
}

static bench_network *make(const char *name, const rf_tensor *input, size_t room)
{
    bench_network *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->input = *input;
    made->layers = calloc(room, sizeof *made->layers);
    made->parts = calloc(room, sizeof *made->parts);
    if (!made->layers || !made->parts) {
        bench_network_free(made);
        return NULL;
    }
    made->network = (rf_network){.name = name, .inputs = &made->input, .input_count = 1, .layers = made->layers};
    return made;
}

static bench_layer *add_part(bench_network *made, const char *type, const char *first, const char *second)
{
    size_t at = made->network.layer_count++;
    bench_layer *part = &made->parts[at];
    snprintf(part->name, sizeof part->name, "t%zu", at);
    part->inputs[0] = first;
    part->inputs[1] = second;
    made->layers[at] = (rf_layer){.name = part->name, .type = type, .inputs = part->inputs,
                                  .attributes = part->attributes};
    return part;
}

/* Each of these returns the name of what the layer puts out. */

static const char *add(bench_network *made, const char *type, const char *input)
{
    return add_part(made, type, input, NULL)->name;
}

static bench_layer *add_window(bench_network *made, const char *type, const char *input, int64_t kernel,
                               int64_t stride)
{
    bench_layer *part = add_part(made, type, input, NULL);
    for (size_t axis = 0; axis < 2; axis++) {
        part->kernel[axis] = kernel;
        part->strides[axis] = stride;
        part->pads[axis] = part->pads[axis + 2] = kernel / 2;
    }
    const rf_attribute_type ints = RF_ATTRIBUTE_INTS;
    part->attributes[0] = (rf_attribute){"kernel_shape", ints, 2, {.ints = part->kernel}};
    part->attributes[1] = (rf_attribute){"strides", ints, 2, {.ints = part->strides}};
    part->attributes[2] = (rf_attribute){"pads", ints, 4, {.ints = part->pads}};
    return part;
}

static const char *add_pool(bench_network *made, const char *input, int64_t kernel, int64_t stride)
{
    return add_window(made, "MaxPool", input, kernel, stride)->name;
}

static const char *add_convolution(bench_network *made, const char *input, int64_t filters, int64_t kernel,
                                   int64_t stride)
{
    bench_layer *part = add_window(made, "Conv", input, kernel, stride);
    part->attributes[3] = (rf_attribute)RF_INT("filters", filters);
    part->attributes[4] = (rf_attribute)RF_INT("bias", 0);
    return part->name;
}

static const char *add_normalized(bench_network *made, const char *input, int64_t filters, int64_t kernel,
                                  int64_t stride)
{
    return add(made, "BatchNormalization", add_convolution(made, input, filters, kernel, stride));
}

static const char *add_bottleneck(bench_network *made, const char *input, int64_t width, int64_t stride,
                                  bool projected)
{
    const char *inner = add(made, "Relu", add_normalized(made, input, width, 1, 1));
    inner = add(made, "Relu", add_normalized(made, inner, width, 3, stride));
    inner = add_normalized(made, inner, 4 * width, 1, 1);
    const char *shortcut = projected ? add_normalized(made, input, 4 * width, 1, stride) : input;
    return add(made, "Relu", add_part(made, "Add", inner, shortcut)->name);
}

bench_network *bench_resnet152(void)
{
    static const int64_t depths[4] = {3, 8, 36, 3};
    static const rf_tensor input = {.name = "image", .shape = RF_SHAPE(1, 3, 224, 224)};
    bench_network *made = make("ResNet-152", &input, 520);
    if (!made)
        return NULL;
    const char *last = add(made, "Relu", add_normalized(made, "image", 64, 7, 2));
    last = add_pool(made, last, 3, 2);
    for (int64_t stage = 0; stage < 4; stage++)
        for (int64_t block = 0; block < depths[stage]; block++)
            last = add_bottleneck(made, last, INT64_C(64) << stage, stage > 0 && block == 0 ? 2 : 1, block == 0);
    last = add(made, "Flatten", add(made, "GlobalAveragePool", last));
    add_part(made, "Gemm", last, NULL)->attributes[0] = (rf_attribute)RF_INT("filters", 1000);
    return made;
}

bench_network *bench_chain(size_t layers)
{
    static const rf_tensor input = {.name = "image", .shape = RF_SHAPE(1, 16, 64, 64)};
    bench_network *made = make("chain", &input, layers);
    const char *last = input.name;
    for (size_t i = 0; made && i < layers; i++)
        last = i % 2 ? add(made, "Relu", last) : add_convolution(made, last, 16, 3, 1);
    return made;
}
