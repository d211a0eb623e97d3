/* SPDX-License-Identifier: MIT */
/* A network with something of everything that a plan does. */
#include "run_tools.h"

#define PADDED RF_INTS("pads", 1, 1, 1, 1)
#define HALVED RF_INTS("strides", 2, 2)
#define NETWORK_OUTPUT(name_) {.name = (name_), .shape = {.rank = -1}}

static const rf_tensor image = {
    .name = "x", .dtype = RF_FLOAT32, .shape = {.rank = 4, .dims = {RF_UNKNOWN_DIM, 3, 32, 32}},
};

static const rf_tensor outputs[] = {NETWORK_OUTPUT("scores"), NETWORK_OUTPUT("features")};

static const rf_layer layers[] = {
    {.name = "stem", .type = "Conv", .inputs = RF_NAMES("x", "stem_w", "stem_b"), .attributes = RF_ATTRIBUTES(PADDED)},
    {.name = "stem_relu", .type = "Relu", .inputs = RF_NAMES("stem")},
    {.name = "pool", .type = "MaxPool", .inputs = RF_NAMES("stem_relu"),
     .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), HALVED)},
    {.name = "tame", .type = "LRN", .inputs = RF_NAMES("pool"), .attributes = RF_ATTRIBUTES(RF_INT("size", 3))},
    {.name = "depth", .type = "Conv", .inputs = RF_NAMES("tame", "depth_w"),
     .attributes = RF_ATTRIBUTES(PADDED, RF_INT("group", 16))},
    {.name = "swish", .type = "HardSwish", .inputs = RF_NAMES("depth")},
    {.name = "mix", .type = "Conv", .inputs = RF_NAMES("swish", "mix_w")},
    {.name = "sum", .type = "Add", .inputs = RF_NAMES("mix", "pool")},
    {.name = "features", .type = "Relu", .inputs = RF_NAMES("sum")},
    {.name = "up", .type = "ConvTranspose", .inputs = RF_NAMES("features", "up_w"),
     .attributes = RF_ATTRIBUTES(HALVED)},
    {.name = "grow", .type = "Resize", .inputs = RF_NAMES("features", "", "doubled"),
     .attributes = RF_ATTRIBUTES(RF_TEXT("mode", "linear"))},
    {.name = "all", .type = "Concat", .inputs = RF_NAMES("up", "stem_relu", "grow"),
     .attributes = RF_ATTRIBUTES(RF_INT("axis", 1))},
    {.name = "wide", .type = "Conv", .inputs = RF_NAMES("all", "wide_w"), .attributes = RF_ATTRIBUTES(PADDED, HALVED)},
    {.name = "close", .type = "Sigmoid", .inputs = RF_NAMES("wide")},
    {.name = "mean", .type = "GlobalAveragePool", .inputs = RF_NAMES("close")},
    {.name = "flat", .type = "Flatten", .inputs = RF_NAMES("mean")},
    {.name = "dense", .type = "Gemm", .inputs = RF_NAMES("flat", "dense_w", "dense_b"),
     .attributes = RF_ATTRIBUTES(RF_INT("transB", 1))},
    {.name = "scores", .type = "Softmax", .inputs = RF_NAMES("dense")},
};

enum { STEM = 16 * 27, DEPTH = 16 * 9, MIX = 16 * 16, UP = 16 * 8 * 4, WIDE = 32 * 40 * 9, DENSE = 10 * 32 };

static const float doubled[] = {1, 1, 2, 2};
static float stem_w[STEM], stem_b[16], depth_w[DEPTH], mix_w[MIX], up_w[UP], wide_w[WIDE];
static float dense_w[DENSE], dense_b[10];

#define WEIGHT(array_, ...) \
    {.name = #array_, .dtype = RF_FLOAT32, .shape = RF_SHAPE(__VA_ARGS__), \
     .data = (array_), .data_bytes = sizeof(array_)}

static const rf_tensor constants[] = {
    WEIGHT(doubled, 4),           WEIGHT(stem_w, 16, 3, 3, 3),  WEIGHT(stem_b, 16),
    WEIGHT(depth_w, 16, 1, 3, 3), WEIGHT(mix_w, 16, 16, 1, 1),  WEIGHT(up_w, 16, 8, 2, 2),
    WEIGHT(wide_w, 32, 40, 3, 3), WEIGHT(dense_w, 10, 32),      WEIGHT(dense_b, 10),
};

rf_network mixed_network(void)
{
    fill_random(stem_w, STEM, 1);
    fill_random(stem_b, 16, 2);
    fill_random(depth_w, DEPTH, 3);
    fill_random(mix_w, MIX, 4);
    fill_random(up_w, UP, 5);
    fill_random(wide_w, WIDE, 6);
    fill_random(dense_w, DENSE, 7);
    fill_random(dense_b, 10, 8);
    return (rf_network){
        .name = "mixed", .inputs = &image, .input_count = 1, .outputs = outputs, .output_count = LENGTH(outputs),
        .constants = constants, .constant_count = LENGTH(constants), .layers = layers, .layer_count = LENGTH(layers),
    };
}
