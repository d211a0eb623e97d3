/* SPDX-License-Identifier: MIT */
/*
 * torchvision's networks, built layer by layer, against the integers that are published for them.
 * Batch normalisation is kept apart, as it is in training.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include <rfield/analysis.h>

enum { MAX_LAYERS = 256, MAX_ATTRIBUTES = 8, MAX_INTS = 12 };

typedef struct builder {
    size_t count;
    rf_layer layers[MAX_LAYERS];
    rf_attribute attributes[MAX_LAYERS][MAX_ATTRIBUTES];
    int64_t ints[MAX_LAYERS][MAX_INTS];
    const char *inputs[MAX_LAYERS][3];
    char names[MAX_LAYERS][8];
} builder;

static const char *add_layer(builder *b, const char *type, const char *x, const char *y)
{
    size_t k = b->count++;
    assert_true(k < MAX_LAYERS);
    snprintf(b->names[k], sizeof b->names[k], "l%03zu", k % 1000);
    b->inputs[k][0] = x;
    b->inputs[k][1] = y;
    b->layers[k] = (rf_layer){.name = b->names[k], .type = type, .inputs = b->inputs[k],
                              .attributes = b->attributes[k]};
    return b->names[k];
}

static void set_window(builder *b, int64_t kernel, int64_t stride, int64_t pad)
{
    int64_t *ints = b->ints[b->count - 1];
    rf_attribute *attributes = b->attributes[b->count - 1];
    ints[0] = ints[1] = kernel;
    ints[2] = ints[3] = stride;
    ints[4] = ints[5] = ints[6] = ints[7] = pad;
    attributes[0] = (rf_attribute){"kernel_shape", RF_ATTRIBUTE_INTS, 2, {.ints = ints}};
    attributes[1] = (rf_attribute){"strides", RF_ATTRIBUTE_INTS, 2, {.ints = ints + 2}};
    attributes[2] = (rf_attribute){"pads", RF_ATTRIBUTE_INTS, 4, {.ints = ints + 4}};
}

/* What a convolution needs beside its window. */
typedef struct conv {
    int64_t filters, kernel, stride, groups;
    int64_t bias;
} conv;

static const char *add_conv(builder *b, const char *x, conv c)
{
    const char *name = add_layer(b, "Conv", x, NULL);
    rf_attribute *attributes = b->attributes[b->count - 1];
    set_window(b, c.kernel, c.stride, c.kernel / 2);
    attributes[3] = (rf_attribute)RF_INT("filters", c.filters);
    attributes[4] = (rf_attribute)RF_INT("bias", c.bias);
    attributes[5] = (rf_attribute)RF_INT("group", c.groups);
    return name;
}

static const char *add_pool(builder *b, const char *x, int64_t kernel, int64_t pad)
{
    const char *name = add_layer(b, "MaxPool", x, NULL);
    set_window(b, kernel, 2, pad);
    return name;
}

/* Convolution, batch normalisation and, where named, an activation. */
static const char *add_unit(builder *b, const char *x, conv c, const char *activation)
{
    x = add_layer(b, "BatchNormalization", add_conv(b, x, c), NULL);
    return activation ? add_layer(b, activation, x, NULL) : x;
}

static const char *add_dense(builder *b, const char *x, int64_t features)
{
    x = add_layer(b, "Gemm", x, NULL);
    b->attributes[b->count - 1][0] = (rf_attribute)RF_INT("filters", features);
    return x;
}

/* ---- The networks ----------------------------------------------------------------------------- */

/* Each returns the layer whose field is published: the last convolution or pool. */

static const char *make_vgg16(builder *b)
{
    static const int64_t filters[] = {64, 128, 256, 512, 512};
    const char *x = "image";
    for (int stage = 0; stage < 5; stage++) {
        for (int k = 0; k < (stage < 2 ? 2 : 3); k++)
            x = add_layer(b, "Relu", add_conv(b, x, (conv){filters[stage], 3, 1, 1, 1}), NULL);
        x = add_pool(b, x, 2, 0);
    }
    const char *last = x;
    x = add_layer(b, "Flatten", x, NULL);
    x = add_layer(b, "Relu", add_dense(b, x, 4096), NULL);
    x = add_layer(b, "Relu", add_dense(b, x, 4096), NULL);
    add_dense(b, x, 1000);
    return last;
}

static const char *add_basic_block(builder *b, const char *x, int64_t filters, int64_t stride,
                                   bool project)
{
    const char *y = add_unit(b, x, (conv){filters, 3, stride, 1, 0}, "Relu");
    y = add_unit(b, y, (conv){filters, 3, 1, 1, 0}, NULL);
    if (project)
        x = add_unit(b, x, (conv){filters, 1, stride, 1, 0}, NULL);
    return add_layer(b, "Relu", add_layer(b, "Add", x, y), NULL);
}

static const char *add_bottleneck(builder *b, const char *x, conv middle, int64_t filters,
                                  bool project)
{
    const char *y = add_unit(b, x, (conv){middle.filters, 1, 1, 1, 0}, "Relu");
    y = add_unit(b, y, middle, "Relu");
    y = add_unit(b, y, (conv){filters, 1, 1, 1, 0}, NULL);
    if (project)
        x = add_unit(b, x, (conv){filters, 1, middle.stride, 1, 0}, NULL);
    return add_layer(b, "Relu", add_layer(b, "Add", x, y), NULL);
}

static const char *add_head(builder *b, const char *x)
{
    x = add_layer(b, "GlobalAveragePool", x, NULL);
    return add_dense(b, add_layer(b, "Flatten", x, NULL), 1000);
}

static const char *add_stem(builder *b)
{
    return add_pool(b, add_unit(b, "image", (conv){64, 7, 2, 1, 0}, "Relu"), 3, 1);
}

static const char *make_resnet18(builder *b)
{
    const char *x = add_stem(b);
    for (int stage = 0; stage < 4; stage++)
        for (int k = 0; k < 2; k++)
            x = add_basic_block(b, x, 64 << stage, stage && !k ? 2 : 1, stage && !k);
    add_head(b, x);
    return x;
}

static const char *make_bottlenecks(builder *b, int64_t width, int64_t groups)
{
    static const int blocks[] = {3, 4, 6, 3};
    const char *x = add_stem(b);
    for (int stage = 0; stage < 4; stage++)
        for (int k = 0; k < blocks[stage]; k++) {
            conv middle = {width << stage, 3, stage && !k ? 2 : 1, groups, 0};
            x = add_bottleneck(b, x, middle, 256 << stage, !k);
        }
    add_head(b, x);
    return x;
}

static const char *make_resnet50(builder *b)
{
    return make_bottlenecks(b, 64, 1);
}

static const char *make_resnext50(builder *b)
{
    return make_bottlenecks(b, 128, 32);
}

static const char *make_mobilenet_v2(builder *b)
{
    static const struct {
        int64_t expansion, filters, repeats, stride;
    } stages[] = {{1, 16, 1, 1},  {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                  {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    const char *x = add_unit(b, "image", (conv){32, 3, 2, 1, 0}, "Relu");
    int64_t channels = 32;
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++)
        for (int k = 0; k < stages[s].repeats; k++) {
            int64_t wide = channels * stages[s].expansion, stride = k ? 1 : stages[s].stride;
            const char *y = x;
            if (wide != channels)
                y = add_unit(b, y, (conv){wide, 1, 1, 1, 0}, "Relu");
            y = add_unit(b, y, (conv){wide, 3, stride, wide, 0}, "Relu");
            y = add_unit(b, y, (conv){stages[s].filters, 1, 1, 1, 0}, NULL);
            x = k ? add_layer(b, "Add", x, y) : y;
            channels = stages[s].filters;
        }
    x = add_unit(b, x, (conv){1280, 1, 1, 1, 0}, "Relu");
    add_head(b, x);
    return x;
}

/* ---- Against what is published ---------------------------------------------------------------- */

typedef struct published {
    const char *(*make)(builder *b);
    uint64_t parameters, macs;
    int64_t field, stride, padding; /* 0 where not published */
} published;

static void check(const published *expected)
{
    static const rf_tensor image = {.name = "image", .shape = RF_SHAPE(1, 3, 224, 224)};
    builder *b = calloc(1, sizeof *b);
    assert_non_null(b);
    const char *last = expected->make(b);
    rf_network network = {.inputs = &image, .input_count = 1, .layers = b->layers,
                          .layer_count = b->count};
    const rf_analysis *analysis = NULL;
    rf_error error = {.message = ""};
    if (rf_analyze(&network, NULL, &analysis, &error) != RF_OK)
        fail_msg("rf_analyze: %s", error.message);
    assert_int_equal(analysis->parameters, expected->parameters);
    assert_int_equal(analysis->dense.macs, expected->macs);
    const rf_layer_analysis *layer = &analysis->layers[rf_analysis_find_layer(analysis, last)];
    const rf_field_axis *axis = &layer->fields[0].axes[0];
    assert_int_equal(axis->kind, RF_AXIS_AFFINE);
    assert_true(layer->fields[0].aligned);
    if (expected->field) {
        assert_int_equal(axis->size, expected->field);
        assert_int_equal(axis->stride, expected->stride);
        assert_int_equal(axis->padding, expected->padding);
    }
    rf_analysis_free(analysis);
    free(b);
}

static void vgg16(void **state)
{
    (void)state;
    check(&(published){make_vgg16, 138357544, 15470264320, 212, 32, 90});
}

static void resnet18(void **state)
{
    (void)state;
    check(&(published){make_resnet18, 11689512, 1814073344, 0, 0, 0});
}

static void resnet50(void **state)
{
    (void)state;
    check(&(published){make_resnet50, 25557032, 4089184256, 427, 32, 213});
}

static void resnext50(void **state)
{
    (void)state;
    check(&(published){make_resnext50, 25028904, 4230479872, 0, 0, 0});
}

static void mobilenet_v2(void **state)
{
    (void)state;
    check(&(published){make_mobilenet_v2, 3504872, 300774272, 491, 32, 245});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vgg16),     cmocka_unit_test(resnet18),     cmocka_unit_test(resnet50),
        cmocka_unit_test(resnext50), cmocka_unit_test(mobilenet_v2),
    };
    return cmocka_run_group_tests_name("reference_networks", tests, NULL, NULL);
}
