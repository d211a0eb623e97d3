/* SPDX-License-Identifier: MIT */
/*
 * Lesson 3: branches. An Inception module on 256 channels of 32x32, with and without bottlenecks:
 * layers name what they read, and Concat joins the branches.
 */
#include <inttypes.h>
#include <stdio.h>

#include <rfield/rfield.h>

#define CONV(name_, from_, filters_, kernel_, pad_)                                                \
    {.name = (name_), .type = "Conv", .inputs = RF_NAMES(from_),                                   \
     .attributes = RF_ATTRIBUTES(RF_INT("filters", filters_),                                      \
                                 RF_INTS("kernel_shape", kernel_, kernel_),                        \
                                 RF_INTS("pads", pad_, pad_, pad_, pad_))}
#define RELU(name_) {.name = (name_), .type = "Relu"}
#define POOL(name_, from_)                                                                         \
    {.name = (name_), .type = "MaxPool", .inputs = RF_NAMES(from_),                                \
     .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1))}
#define CONCAT(name_, ...)                                                                         \
    {.name = (name_), .type = "Concat", .inputs = RF_NAMES(__VA_ARGS__),                           \
     .attributes = RF_ATTRIBUTES(RF_INT("axis", 1))}

static const rf_tensor x = {.name = "x", .shape = RF_SHAPE(1, 256, 32, 32)};

static const rf_layer naive[] = {
    CONV("conv1", "x", 128, 1, 0), RELU("relu1"),
    CONV("conv3", "x", 192, 3, 1), RELU("relu3"),
    CONV("conv5", "x", 96, 5, 2),  RELU("relu5"),
    POOL("pool", "x"),
    CONCAT("out", "relu1", "relu3", "relu5", "pool"),
};

static const rf_layer bottleneck[] = {
    CONV("conv1", "x", 128, 1, 0),       RELU("relu1"),
    CONV("reduce3", "x", 64, 1, 0),      RELU("reduced3"),
    CONV("conv3", "reduced3", 192, 3, 1), RELU("relu3"),
    CONV("reduce5", "x", 64, 1, 0),      RELU("reduced5"),
    CONV("conv5", "reduced5", 96, 5, 2), RELU("relu5"),
    POOL("pool", "x"),
    CONV("project", "pool", 64, 1, 0),   RELU("projected"),
    CONCAT("out", "relu1", "relu3", "relu5", "projected"),
};

/* What was worked out by hand (docs/counting.md). */
typedef struct expectation {
    uint64_t parameters, multiplications, activations;
} expectation;

static int account(const char *name, const rf_layer *layers, size_t count, expectation by_hand)
{
    rf_network network = {.name = name, .inputs = &x, .input_count = 1,
                          .layers = layers, .layer_count = count};
    const rf_analysis *analysis;
    rf_error error;
    if (rf_analyze(&network, NULL, &analysis, &error) != RF_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    const rf_field *field = &analysis->layers[count - 1].fields[0];
    printf("%-10s %8" PRIu64 " parameters, %10" PRIu64 " multiplications, %6" PRIu64
           " activations; sees %" PRId64 "x%" PRId64 "\n",
           name, analysis->parameters, analysis->dense.multiplications, analysis->dense.activations,
           field->axes[0].size, field->axes[1].size);
    int wrong = analysis->parameters != by_hand.parameters
        || analysis->dense.multiplications != by_hand.multiplications
        || analysis->dense.additions != by_hand.multiplications
        || analysis->dense.activations != by_hand.activations;
    rf_analysis_free(analysis);
    return wrong;
}

int main(void)
{
    int wrong = account("naive", naive, sizeof naive / sizeof *naive,
                        (expectation){1089952, 1115684864, 425984});
    wrong |= account("bottleneck", bottleneck, sizeof bottleneck / sizeof *bottleneck,
                     (expectation){346720, 354418688, 622592});
    puts(wrong ? "not as worked by hand" : "both as worked by hand");
    return wrong;
}
