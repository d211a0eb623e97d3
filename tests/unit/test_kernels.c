/* SPDX-License-Identifier: MIT */
/* Direct kernels on values worked out by hand, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include <rfield/kernels.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void assert_floats(const float *actual, const float *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(actual[i] == expected[i] || (isnan(actual[i]) && isnan(expected[i]))))
            fail_msg("element %zu is %a, expected %a", i, (double)actual[i], (double)expected[i]);
}

static const float one_to_nine[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

/* A 3x3 image under a 2x2 kernel. */
static rf_conv2d_desc small_convolution(void)
{
    rf_conv2d_desc desc = RF_CONV2D_DEFAULT;
    desc.input_channels = desc.output_channels = 1;
    desc.input_height = desc.input_width = 3;
    desc.kernel[0] = desc.kernel[1] = 2;
    return desc;
}

static rf_pool2d_desc small_pool(void)
{
    rf_pool2d_desc desc = RF_POOL2D_DEFAULT;
    desc.channels = 1;
    desc.input_height = desc.input_width = 3;
    desc.kernel[0] = desc.kernel[1] = 2;
    return desc;
}

/* ---- Convolution ------------------------------------------------------------------------ */

static void convolves_without_flipping(void **state)
{
    (void)state;
    const rf_conv2d_desc desc = small_convolution();
    const float weights[] = {1, 10, 100, 1000}, bias[] = {0.5f};
    const float expected[] = {5421.5f, 6532.5f, 8754.5f, 9865.5f};
    float output[4];
    assert_int_equal(rf_conv2d(&desc, one_to_nine, weights, bias, output, NULL), RF_OK);
    assert_floats(output, expected, 4);
}

static void skips_padding_even_under_nan_weights(void **state)
{
    (void)state;
    rf_conv2d_desc desc = small_convolution();
    desc.input_height = desc.input_width = 1;
    desc.pads[0] = desc.pads[1] = 1;
    const float weights[] = {NAN, NAN, NAN, 3}, input[] = {2};
    for (int layout = RF_NCHW; layout <= RF_NHWC; layout++) {
        float output = 0;
        desc.layout = (rf_layout)layout;
        assert_int_equal(rf_conv2d(&desc, input, weights, NULL, &output, NULL), RF_OK);
        assert_true(output == 6);
    }
}

static void window_on_padding_yields_bias(void **state)
{
    (void)state;
    rf_conv2d_desc desc = small_convolution();
    desc.kernel[0] = desc.kernel[1] = 1;
    desc.strides[0] = desc.strides[1] = 3;
    desc.pads[0] = desc.pads[1] = 3;
    const float weights[] = {2}, bias[] = {7}, expected[] = {7, 7, 7, 9};
    for (int layout = RF_NCHW; layout <= RF_NHWC; layout++) {
        float output[4];
        desc.layout = (rf_layout)layout;
        assert_int_equal(rf_conv2d(&desc, one_to_nine, weights, bias, output, NULL), RF_OK);
        assert_floats(output, expected, 4);
    }
}

/* Two channels of 1x2, two groups, stride 1, kernel 1x2: each output sees its own channel. */
static void groups_keep_to_their_channels(void **state)
{
    (void)state;
    rf_conv2d_desc desc = small_convolution();
    desc.input_height = desc.kernel[0] = 1;
    desc.input_width = 2;
    desc.input_channels = desc.output_channels = desc.groups = 2;
    const float weights[] = {1, 10, 100, 1000};
    const float nchw[] = {1, 2, 3, 4}, nhwc[] = {1, 3, 2, 4}, expected[] = {21, 4300};
    float output[2];
    assert_int_equal(rf_conv2d(&desc, nchw, weights, NULL, output, NULL), RF_OK);
    assert_floats(output, expected, 2);
    desc.layout = RF_NHWC;
    assert_int_equal(rf_conv2d(&desc, nhwc, weights, NULL, output, NULL), RF_OK);
    assert_floats(output, expected, 2);
}

/* Bias first, then taps: 2^24 + 1 - 2^24 is 0 in that order, though the sum is 1. */
static void sums_in_the_stated_order(void **state)
{
    (void)state;
    rf_conv2d_desc desc = small_convolution();
    desc.input_height = desc.kernel[0] = 1;
    desc.input_width = desc.kernel[1] = 2;
    const float ones[] = {1, 1}, weights[] = {1, -16777216}, bias[] = {16777216};
    float output = 9;
    assert_int_equal(rf_conv2d(&desc, ones, weights, bias, &output, NULL), RF_OK);
    assert_true(output == 0);
    assert_int_equal(rf_dense(1, 2, 1, ones, weights, bias, &output, NULL), RF_OK);
    assert_true(output == 0);
}

static void states_output_extents(void **state)
{
    (void)state;
    rf_conv2d_desc desc = RF_CONV2D_DEFAULT;
    desc.input_channels = 3;
    desc.output_channels = 64;
    desc.input_height = 224;
    desc.input_width = 225;
    for (int a = 0; a < 2; a++) {
        desc.kernel[a] = 7;
        desc.strides[a] = 2;
        desc.pads[a] = desc.pads[a + 2] = 3;
    }
    int64_t height = 0, width = 0;
    assert_int_equal(rf_conv2d_output(&desc, &height, &width, NULL), RF_OK);
    assert_int_equal(height, 112);
    assert_int_equal(width, 113);
}

/* Which int64_t of a descriptor to spoil, and what must come of it. */
typedef struct spoiled {
    size_t offset;
    int64_t value;
    rf_status status;
    const char *word; /* that the message must hold */
} spoiled;

#define SPOIL(member_, value_, status_, word_) \
    {offsetof(rf_conv2d_desc, member_), value_, RF_ERROR_##status_, word_}

static const spoiled bad_convolutions[] = {
    SPOIL(batch, 0, ARGUMENT, "batch"),
    SPOIL(batch, -1, ARGUMENT, "batch"),
    SPOIL(input_channels, 0, ARGUMENT, "input_channels"),
    SPOIL(input_height, 0, ARGUMENT, "input of rows"),
    SPOIL(input_width, -7, ARGUMENT, "input of columns"),
    SPOIL(output_channels, INT64_MIN, ARGUMENT, "output_channels"),
    SPOIL(kernel[0], 0, ARGUMENT, "kernel of rows"),
    SPOIL(kernel[1], -1, ARGUMENT, "kernel of columns"),
    SPOIL(strides[0], 0, ARGUMENT, "stride of rows"),
    SPOIL(strides[1], -2, ARGUMENT, "stride of columns"),
    SPOIL(dilations[0], 0, ARGUMENT, "dilation of rows"),
    SPOIL(pads[0], -1, ARGUMENT, "pad before of rows"),
    SPOIL(pads[1], -1, ARGUMENT, "pad before of columns"),
    SPOIL(pads[2], -1, ARGUMENT, "pad after of rows"),
    SPOIL(pads[3], INT64_MIN, ARGUMENT, "pad after of columns"),
    SPOIL(groups, 0, ARGUMENT, "groups"),
    SPOIL(groups, 2, ARGUMENT, "input_channels is 3, expected a multiple of groups, 2"),
    SPOIL(groups, 3, ARGUMENT, "output_channels is 4, expected a multiple of groups, 3"),
    SPOIL(kernel[0], 9, SHAPE, "9 rows"),
    SPOIL(dilations[1], 5, SHAPE, "6 columns"),
    SPOIL(dilations[1], INT64_MAX, OVERFLOW, "columns"),
    SPOIL(kernel[0], INT64_MAX, OVERFLOW, "rows"),
    SPOIL(strides[0], INT64_MAX, OVERFLOW, "rows"),
    SPOIL(pads[0], INT64_MAX, OVERFLOW, "rows"),
    SPOIL(pads[3], INT64_MAX / 5, OVERFLOW, "output"),
    SPOIL(batch, INT64_MAX, OVERFLOW, "input"),
    SPOIL(input_height, INT64_MAX / 16, OVERFLOW, "input"),
    SPOIL(output_channels, INT64_MAX / 16, OVERFLOW, "weights"),
};

static void refuses_bad_convolutions(void **state)
{
    (void)state;
    float buffers[3];
    for (size_t i = 0; i < COUNT(bad_convolutions); i++) {
        const spoiled *bad = &bad_convolutions[i];
        rf_conv2d_desc desc = small_convolution();
        desc.input_channels = 3;
        desc.output_channels = 4;
        memcpy((char *)&desc + bad->offset, &bad->value, sizeof bad->value);
        rf_error error = {.status = RF_OK};
        int64_t height = -5, width = -6;
        assert_int_equal(rf_conv2d_output(&desc, &height, &width, &error), bad->status);
        assert_int_equal(error.status, bad->status);
        assert_non_null(strstr(error.message, bad->word));
        assert_string_equal(error.subject, "rf_conv2d_output");
        assert_int_equal(height, -5);
        assert_int_equal(width, -6);
        assert_int_equal(rf_conv2d(&desc, buffers, buffers + 1, NULL, buffers + 2, NULL),
                         bad->status);
    }
}

static void refuses_bad_pointers_and_descriptors(void **state)
{
    (void)state;
    rf_conv2d_desc desc = small_convolution();
    float in[9] = {0}, weights[4] = {0}, out[9] = {42};
    int64_t height, width;
    rf_error error;
    const rf_status bad = RF_ERROR_ARGUMENT;
    assert_int_equal(rf_conv2d(NULL, in, weights, NULL, out, &error), bad);
    assert_string_equal(error.message, "rf_conv2d: desc is NULL, expected a pointer");
    assert_int_equal(rf_conv2d(&desc, NULL, weights, NULL, out, NULL), bad);
    assert_int_equal(rf_conv2d(&desc, in, NULL, NULL, out, NULL), bad);
    assert_int_equal(rf_conv2d(&desc, in, weights, NULL, NULL, NULL), bad);
    assert_int_equal(rf_conv2d(&desc, out, weights, NULL, out, &error), bad);
    assert_string_equal(error.message, "rf_conv2d: output and input are one buffer, expected two");
    assert_int_equal(rf_conv2d(&desc, in, out, NULL, out, NULL), bad);
    assert_int_equal(rf_conv2d(&desc, in, weights, out, out, NULL), bad);
    assert_int_equal(rf_conv2d_output(&desc, NULL, &width, NULL), bad);
    assert_int_equal(rf_conv2d_output(&desc, &height, NULL, NULL), bad);
    assert_int_equal(rf_conv2d_output(NULL, &height, &width, NULL), bad);
    desc.layout = (rf_layout)7;
    assert_int_equal(rf_conv2d(&desc, in, weights, NULL, out, NULL), bad);
    desc = small_convolution();
    desc.size = 0;
    assert_int_equal(rf_conv2d(&desc, in, weights, NULL, out, NULL), bad);
    assert_true(out[0] == 42);
}

/* Padding so wide that row and column indices in elements would pass 64 bits. */
static void bears_enormous_padding(void **state)
{
    (void)state;
    const int64_t wide = INT64_C(1) << 60;
    rf_conv2d_desc desc = small_convolution();
    rf_pool2d_desc pool = small_pool();
    for (int a = 0; a < 2; a++) {
        desc.kernel[a] = pool.kernel[a] = 1;
        desc.pads[a] = pool.pads[a] = desc.strides[a] = pool.strides[a] = wide;
    }
    pool.count_include_pad = true;
    const float weights[] = {2}, expected[] = {0, 0, 0, 2}, mean[] = {0, 0, 0, 1};
    for (int layout = RF_NCHW; layout <= RF_NHWC; layout++) {
        float output[4];
        desc.layout = pool.layout = (rf_layout)layout;
        assert_int_equal(rf_conv2d(&desc, one_to_nine, weights, NULL, output, NULL), RF_OK);
        assert_floats(output, expected, 4);
        assert_int_equal(rf_average_pool2d(&pool, one_to_nine, output, NULL), RF_OK);
        assert_floats(output, mean, 4);
    }
}

/* ---- Pools ------------------------------------------------------------------------------ */

static void pools_by_hand(void **state)
{
    (void)state;
    const rf_pool2d_desc desc = small_pool();
    const float largest[] = {5, 6, 8, 9}, mean[] = {3, 4, 6, 7};
    float output[4];
    assert_int_equal(rf_max_pool2d(&desc, one_to_nine, output, NULL), RF_OK);
    assert_floats(output, largest, 4);
    assert_int_equal(rf_average_pool2d(&desc, one_to_nine, output, NULL), RF_OK);
    assert_floats(output, mean, 4);
}

static void ceiling_adds_a_cut_window(void **state)
{
    (void)state;
    rf_pool2d_desc desc = small_pool();
    desc.strides[0] = desc.strides[1] = 2;
    int64_t height, width;
    assert_int_equal(rf_pool2d_output(&desc, &height, &width, NULL), RF_OK);
    assert_int_equal(height * width, 1);
    desc.ceil_mode = true;
    assert_int_equal(rf_pool2d_output(&desc, &height, &width, NULL), RF_OK);
    assert_int_equal(height, 2);
    assert_int_equal(width, 2);
    const float largest[] = {5, 6, 8, 9}, mean[] = {3, 4.5f, 7.5f, 9};
    float output[4];
    assert_int_equal(rf_max_pool2d(&desc, one_to_nine, output, NULL), RF_OK);
    assert_floats(output, largest, 4);
    for (int include = 0; include < 2; include++) {
        desc.count_include_pad = include;
        assert_int_equal(rf_average_pool2d(&desc, one_to_nine, output, NULL), RF_OK);
        assert_floats(output, mean, 4);
    }
}

/* Input 2, kernel 1, stride 2, pads 0 and 1: a second window would begin in the padding. */
static void ceiling_drops_a_window_in_the_end_padding(void **state)
{
    (void)state;
    rf_pool2d_desc desc = small_pool();
    desc.input_height = desc.input_width = 2;
    desc.kernel[0] = desc.kernel[1] = 1;
    desc.strides[0] = desc.strides[1] = 2;
    desc.pads[2] = desc.pads[3] = 1;
    desc.ceil_mode = true;
    int64_t height, width;
    assert_int_equal(rf_pool2d_output(&desc, &height, &width, NULL), RF_OK);
    assert_int_equal(height, 1);
    assert_int_equal(width, 1);
}

static void average_counts_padding_on_request(void **state)
{
    (void)state;
    rf_pool2d_desc desc = small_pool();
    desc.input_height = desc.input_width = 1;
    desc.pads[0] = desc.pads[1] = 1;
    const float input[] = {8};
    float output = 0;
    assert_int_equal(rf_average_pool2d(&desc, input, &output, NULL), RF_OK);
    assert_true(output == 8);
    desc.count_include_pad = true;
    assert_int_equal(rf_average_pool2d(&desc, input, &output, NULL), RF_OK);
    assert_true(output == 2);
}

static void pools_on_padding_alone(void **state)
{
    (void)state;
    rf_pool2d_desc desc = small_pool();
    desc.input_height = desc.kernel[0] = desc.kernel[1] = 1;
    desc.input_width = 1;
    desc.pads[1] = 1;
    const float input[] = {3}, largest[] = {-INFINITY, 3}, mean[] = {0, 3};
    float output[2];
    assert_int_equal(rf_max_pool2d(&desc, input, output, NULL), RF_OK);
    assert_floats(output, largest, 2);
    for (int include = 0; include < 2; include++) {
        desc.count_include_pad = include;
        assert_int_equal(rf_average_pool2d(&desc, input, output, NULL), RF_OK);
        assert_floats(output, mean, 2);
        assert_false(signbit(output[0]));
    }
}

static void nan_reaches_the_windows_that_hold_it(void **state)
{
    (void)state;
    const rf_pool2d_desc desc = small_pool();
    for (int place = 0; place < 9; place++) {
        float input[9], largest[4], mean[4];
        memcpy(input, one_to_nine, sizeof input);
        input[place] = NAN;
        assert_int_equal(rf_max_pool2d(&desc, input, largest, NULL), RF_OK);
        assert_int_equal(rf_average_pool2d(&desc, input, mean, NULL), RF_OK);
        for (int o = 0; o < 4; o++) {
            int dy = place / 3 - o / 2, dx = place % 3 - o % 2;
            bool held = (dy == 0 || dy == 1) && (dx == 0 || dx == 1);
            assert_int_equal(isnan(largest[o]) != 0, held);
            assert_int_equal(isnan(mean[o]) != 0, held);
        }
    }
}

static void max_of_infinities(void **state)
{
    (void)state;
    rf_pool2d_desc desc = small_pool();
    desc.input_height = desc.input_width = 2;
    const float low[] = {-INFINITY, -INFINITY, -INFINITY, -FLT_MAX};
    float output;
    assert_int_equal(rf_max_pool2d(&desc, low, &output, NULL), RF_OK);
    assert_true(output == -FLT_MAX);
}

static void refuses_bad_pools(void **state)
{
    (void)state;
    const rf_status bad = RF_ERROR_ARGUMENT;
    const float in[9] = {0};
    float out[9] = {0};
    int64_t height, width;
    rf_pool2d_desc desc = small_pool();
    assert_int_equal(rf_max_pool2d(NULL, in, out, NULL), bad);
    assert_int_equal(rf_max_pool2d(&desc, NULL, out, NULL), bad);
    assert_int_equal(rf_average_pool2d(&desc, in, NULL, NULL), bad);
    assert_int_equal(rf_average_pool2d(&desc, out, out, NULL), bad);
    assert_int_equal(rf_pool2d_output(&desc, NULL, &width, NULL), bad);
    assert_int_equal(rf_pool2d_output(&desc, &height, NULL, NULL), bad);
    desc.channels = 0;
    assert_int_equal(rf_max_pool2d(&desc, in, out, NULL), bad);
    desc.channels = INT64_MAX;
    assert_int_equal(rf_max_pool2d(&desc, in, out, NULL), RF_ERROR_OVERFLOW);
    desc = small_pool();
    desc.strides[1] = 0;
    assert_int_equal(rf_average_pool2d(&desc, in, out, NULL), bad);
    desc = small_pool();
    desc.kernel[1] = 4;
    assert_int_equal(rf_average_pool2d(&desc, in, out, NULL), RF_ERROR_SHAPE);
    desc = small_pool();
    desc.size = sizeof desc + 8;
    assert_int_equal(rf_average_pool2d(&desc, in, out, NULL), bad);
}

/* ---- Element-wise and dense ------------------------------------------------------------- */

static void relu_keeps_nan_and_negative_zero(void **state)
{
    (void)state;
    float data[] = {-1, -0.0f, 0, 2, NAN, -INFINITY, INFINITY, -FLT_TRUE_MIN};
    const float expected[] = {0, -0.0f, 0, 2, NAN, 0, INFINITY, 0};
    assert_int_equal(rf_relu(data, data, COUNT(data), NULL), RF_OK);
    assert_floats(data, expected, COUNT(data));
    for (size_t i = 0; i < COUNT(data); i++)
        assert_int_equal(signbit(data[i]) != 0, signbit(expected[i]) != 0);
}

static void adds_in_place(void **state)
{
    (void)state;
    float a[] = {1, 2, 3};
    const float b[] = {10, 20, NAN}, expected[] = {11, 22, NAN}, twice[] = {22, 44, NAN};
    assert_int_equal(rf_add(a, b, a, 3, NULL), RF_OK);
    assert_floats(a, expected, 3);
    assert_int_equal(rf_add(a, a, a, 3, NULL), RF_OK);
    assert_floats(a, twice, 3);
}

static void dense_by_hand(void **state)
{
    (void)state;
    const float input[] = {1, 2, 3, 4}, weights[] = {1, 10, 100, 1000, 5, 7}, bias[] = {1, 2, 3};
    const float with[] = {22, 2102, 22, 44, 4302, 46}, without[] = {21, 2100, 19, 43, 4300, 43};
    float output[6];
    assert_int_equal(rf_dense(2, 2, 3, input, weights, bias, output, NULL), RF_OK);
    assert_floats(output, with, 6);
    assert_int_equal(rf_dense(2, 2, 3, input, weights, NULL, output, NULL), RF_OK);
    assert_floats(output, without, 6);
}

static void refuses_bad_vectors(void **state)
{
    (void)state;
    const rf_status bad = RF_ERROR_ARGUMENT;
    float a[4] = {0}, b[4] = {0}, c[4] = {0};
    assert_int_equal(rf_relu(NULL, a, 1, NULL), bad);
    assert_int_equal(rf_relu(a, NULL, 1, NULL), bad);
    assert_int_equal(rf_relu(a, b, 0, NULL), RF_OK);
    assert_int_equal(rf_relu(a, b, SIZE_MAX, NULL), RF_ERROR_OVERFLOW);
    assert_int_equal(rf_add(NULL, b, c, 1, NULL), bad);
    assert_int_equal(rf_add(a, NULL, c, 1, NULL), bad);
    assert_int_equal(rf_add(a, b, NULL, 1, NULL), bad);
    assert_int_equal(rf_add(a, b, c, SIZE_MAX / 4, NULL), RF_ERROR_OVERFLOW);
    assert_int_equal(rf_dense(0, 1, 1, a, b, NULL, c, NULL), bad);
    assert_int_equal(rf_dense(1, -1, 1, a, b, NULL, c, NULL), bad);
    assert_int_equal(rf_dense(1, 1, 0, a, b, NULL, c, NULL), bad);
    assert_int_equal(rf_dense(1, 1, 1, NULL, b, NULL, c, NULL), bad);
    assert_int_equal(rf_dense(1, 1, 1, a, NULL, NULL, c, NULL), bad);
    assert_int_equal(rf_dense(1, 1, 1, a, b, NULL, NULL, NULL), bad);
    assert_int_equal(rf_dense(1, 1, 1, a, b, NULL, a, NULL), bad);
    assert_int_equal(rf_dense(1, INT64_MAX, 1, a, b, NULL, c, NULL), RF_ERROR_OVERFLOW);
    assert_int_equal(rf_dense(INT64_MAX / 8, 1, 3, a, b, NULL, c, NULL), RF_ERROR_OVERFLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolves_without_flipping),
        cmocka_unit_test(skips_padding_even_under_nan_weights),
        cmocka_unit_test(window_on_padding_yields_bias),
        cmocka_unit_test(groups_keep_to_their_channels),
        cmocka_unit_test(sums_in_the_stated_order),
        cmocka_unit_test(states_output_extents),
        cmocka_unit_test(refuses_bad_convolutions),
        cmocka_unit_test(refuses_bad_pointers_and_descriptors),
        cmocka_unit_test(bears_enormous_padding),
        cmocka_unit_test(pools_by_hand),
        cmocka_unit_test(ceiling_adds_a_cut_window),
        cmocka_unit_test(ceiling_drops_a_window_in_the_end_padding),
        cmocka_unit_test(average_counts_padding_on_request),
        cmocka_unit_test(pools_on_padding_alone),
        cmocka_unit_test(nan_reaches_the_windows_that_hold_it),
        cmocka_unit_test(max_of_infinities),
        cmocka_unit_test(refuses_bad_pools),
        cmocka_unit_test(relu_keeps_nan_and_negative_zero),
        cmocka_unit_test(adds_in_place),
        cmocka_unit_test(dense_by_hand),
        cmocka_unit_test(refuses_bad_vectors),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
