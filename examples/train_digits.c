/* SPDX-License-Identifier: MIT */
/*
 * Trains a small convolutional network on 1,797 handwritten digits of 8 by 8 pixels, every fifth of which is
 * held out.
 *
 *     train_digits [--epochs N] [--seed N] [--threads N] [--data FILE] [--output FILE.onnx]
 *
 * The file holds a line for each digit: 64 numbers from 0 to 16 and the class, with commas between them; packed
 * by gzip or not. The default is where Debian's python3-sklearn puts it. Needs zlib.
 */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "training_loop.h"

enum { SIDE = 8, PIXELS = SIDE * SIDE, CLASSES = 10, BATCH = 32, MOST_DIGITS = 100000, LARGEST = 16, HELD_OUT = 5 };

static const rf_tensor inputs[] = {
    {.name = "pixels", .dtype = RF_FLOAT32, .shape = RF_SHAPE(RF_UNKNOWN_DIM, 1, SIDE, SIDE)},
};
static const rf_tensor outputs[] = {
    {.name = "scores", .dtype = RF_FLOAT32, .shape = RF_SHAPE(RF_UNKNOWN_DIM, CLASSES)},
};
static const rf_layer layers[] = {
    {.name = "conv1", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 16), RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1),
                                 RF_INT("bias", 0))},
    {.name = "norm1", .type = "BatchNormalization"},
    {.name = "relu1", .type = "Relu"},
    {.name = "conv2", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 32), RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1),
                                 RF_INT("bias", 0))},
    {.name = "norm2", .type = "BatchNormalization"},
    {.name = "relu2", .type = "Relu"},
    {.name = "pool", .type = "MaxPool", .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2))},
    {.name = "flat", .type = "Flatten"},
    {.name = "scores", .type = "Gemm", .attributes = RF_ATTRIBUTES(RF_INT("filters", CLASSES), RF_INT("transB", 1))},
};
static const rf_network network = {
    .name = "digits", .inputs = inputs, .input_count = 1, .outputs = outputs, .output_count = 1,
    .layers = layers, .layer_count = sizeof layers / sizeof *layers, .opset = 13,
};

/* One line; false at the end of the file or where it is something else. */
static bool read_digit(gzFile file, float *pixels, int64_t *class)
{
    char line[1024], *at = line;
    if (!gzgets(file, line, sizeof line))
        return false;
    for (int i = 0; i <= PIXELS; i++) {
        char *end;
        double number = strtod(at, &end);
        if (end == at || (i < PIXELS ? *end != ',' || !(number >= 0 && number <= LARGEST)
                                     : !(number >= 0 && number < CLASSES)))
            return false;
        if (i < PIXELS)
            pixels[i] = (float)number / LARGEST;
        else
            *class = (int64_t)number;
        at = end + 1;
    }
    return true;
}

static bool read_all(gzFile file, labelled *learn, labelled *test)
{
    float pixels[PIXELS];
    int64_t class = 0;
    size_t count = 0;
    learn->count = test->count = 0;
    for (; count < MOST_DIGITS && read_digit(file, pixels, &class); count++) {
        labelled *to = count % HELD_OUT ? learn : test;
        for (size_t i = 0; i < PIXELS; i++)
            to->pixels[to->count * PIXELS + i] = pixels[i];
        to->classes[to->count++] = class;
    }
    return gzeof(file) && learn->count >= BATCH && test->count > 0;
}

static bool read_sets(const char *path, labelled *learn, labelled *test)
{
    gzFile file = gzopen(path, "rb");
    bool good = file && labelled_make(learn, MOST_DIGITS, PIXELS) && labelled_make(test, MOST_DIGITS, PIXELS)
             && read_all(file, learn, test);
    if (!good)
        fprintf(stderr, "%s: cannot be read, or holds something else than lines of 64 numbers and a class\n", path);
    if (file)
        gzclose(file);
    return good;
}

int main(int argc, char **argv)
{
    training it = {.network = &network, .shape = RF_SHAPE(BATCH, 1, SIDE, SIDE), .classes = CLASSES, .rate = 0.05,
                   .decay = 1e-3, .epochs = 20, .seed = 1, .threads = 1,
                   .data = "/usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz"};
    if (!training_options(&it, argc, argv))
        return 2;
    int status = read_sets(it.data, &it.learn, &it.test) ? training_run(&it) : 1;
    labelled_free(&it.learn);
    labelled_free(&it.test);
    return status;
}
