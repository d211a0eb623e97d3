/* SPDX-License-Identifier: MIT */
/*
 * Trains a small convolutional network on Fashion-MNIST: 60,000 grey pictures of clothes, 28 by 28, and
 * 10,000 that are held out.
 *
 *     train_fashion_mnist [--epochs N] [--seed N] [--threads N] [--data FOLDER] [--output FILE.onnx]
 *
 * The folder holds the four files of the data set; the default is where Debian's dataset-fashion-mnist puts
 * them. Needs zlib.
 */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "training_loop.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, BATCH = 100, MOST_PICTURES = 1000000 };
enum { MAGIC_LABELS = 0x801, MAGIC_PICTURES = 0x803 };

static const rf_tensor inputs[] = {
    {.name = "pixels", .dtype = RF_FLOAT32, .shape = RF_SHAPE(RF_UNKNOWN_DIM, 1, SIDE, SIDE)},
};
static const rf_tensor outputs[] = {
    {.name = "scores", .dtype = RF_FLOAT32, .shape = RF_SHAPE(RF_UNKNOWN_DIM, CLASSES)},
};
static const rf_layer layers[] = {
    {.name = "conv1", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 32), RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "relu1", .type = "Relu"},
    {.name = "pool1", .type = "MaxPool", .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2))},
    {.name = "conv2", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 64), RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "relu2", .type = "Relu"},
    {.name = "pool2", .type = "MaxPool", .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2))},
    {.name = "flat", .type = "Flatten"},
    {.name = "dense", .type = "Gemm", .attributes = RF_ATTRIBUTES(RF_INT("filters", 128), RF_INT("transB", 1))},
    {.name = "relu3", .type = "Relu"},
    {.name = "scores", .type = "Gemm", .attributes = RF_ATTRIBUTES(RF_INT("filters", CLASSES), RF_INT("transB", 1))},
};
static const rf_network network = {
    .name = "fashion_mnist", .inputs = inputs, .input_count = 1, .outputs = outputs, .output_count = 1,
    .layers = layers, .layer_count = sizeof layers / sizeof *layers, .opset = 13,
};

/* ---- The data set's files ---------------------------------------------------------------- */

static bool read_number(gzFile file, uint32_t *number)
{
    uint8_t bytes[4];
    if (gzread(file, bytes, sizeof bytes) != (int)sizeof bytes)
        return false;
    *number = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return true;
}

static bool read_header(gzFile file, uint32_t magic, uint32_t *count)
{
    uint32_t found, height = SIDE, width = SIDE;
    if (!read_number(file, &found) || found != magic || !read_number(file, count))
        return false;
    if (magic == MAGIC_PICTURES && (!read_number(file, &height) || !read_number(file, &width)))
        return false;
    return height == SIDE && width == SIDE && *count >= BATCH && *count <= MOST_PICTURES;
}

/* `count` items of `item_bytes` each, to be freed; NULL, after a line on stderr, where that fails. */
static uint8_t *read_items(const char *folder, const char *name, uint32_t magic, size_t item_bytes, uint32_t *count)
{
    char path[1024];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    gzFile file = length < (int)sizeof path ? gzopen(path, "rb") : NULL;
    uint8_t *items = NULL;
    if (file && read_header(file, magic, count))
        items = malloc(*count * item_bytes);
    if (items && gzread(file, items, (unsigned)(*count * item_bytes)) != (int)(*count * item_bytes)) {
        free(items);
        items = NULL;
    }
    if (!items)
        fprintf(stderr, "%s/%s: cannot be read, or is not the idx file expected here\n", folder, name);
    if (file)
        gzclose(file);
    return items;
}

/* Pixels with mean 0 and deviation 1 over the pictures that are learnt from. */
static bool convert(labelled *made, const uint8_t *pictures, const uint8_t *labels, size_t count)
{
    const float mean = 0.2860f, deviation = 0.3530f;
    if (!labelled_make(made, count, PIXELS))
        return false;
    for (size_t i = 0; i < count * PIXELS; i++)
        made->pixels[i] = ((float)pictures[i] / 255 - mean) / deviation;
    for (size_t n = 0; n < count; n++)
        made->classes[n] = labels[n];
    return true;
}

static bool read_set(labelled *made, const char *folder, const char *pictures_name, const char *labels_name)
{
    uint32_t count = 0, label_count = 0;
    uint8_t *pictures = read_items(folder, pictures_name, MAGIC_PICTURES, PIXELS, &count);
    uint8_t *labels = read_items(folder, labels_name, MAGIC_LABELS, 1, &label_count);
    bool good = pictures && labels;
    if (good && count != label_count) {
        fprintf(stderr, "%s: %u pictures, but %u labels\n", folder, count, label_count);
        good = false;
    }
    good = good && convert(made, pictures, labels, count);
    free(pictures);
    free(labels);
    return good;
}

int main(int argc, char **argv)
{
    training it = {.network = &network, .shape = RF_SHAPE(BATCH, 1, SIDE, SIDE), .classes = CLASSES, .mirror_row = SIDE,
                   .rate = 0.05, .decay = 5e-4, .epochs = 8, .seed = 1, .threads = 2,
                   .data = "/usr/share/datasets/fashion-mnist"};
    if (!training_options(&it, argc, argv))
        return 2;
    bool ready = read_set(&it.learn, it.data, "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
              && read_set(&it.test, it.data, "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz");
    int status = ready ? training_run(&it) : 1;
    labelled_free(&it.learn);
    labelled_free(&it.test);
    return status;
}
