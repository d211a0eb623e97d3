/* SPDX-License-Identifier: MIT */
/* Pictures as tensors, against the definition evaluated pixel by pixel in double. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <math.h>

#include <cmocka.h>

#include <rfield/tensors.h>

/* ---- The definition ------------------------------------------------------------------------ */

/* What is asked for, as numbers. */
typedef struct question {
    int width, height, channels; /* of the picture */
    int row_bytes;
    int tensor_channels, tensor_height, tensor_width;
    int resized_height, resized_width, top, left; /* before the crop, and its first row and column */
    rf_picture_options options;
} question;

/* How much of pixel `p` an output whose centre lies at `centre` takes, before division. */
static double share(double centre, double scale, bool antialias, int p)
{
    double reach = antialias && scale > 1 ? scale : 1;
    double distance = fabs(p + 0.5 - centre);
    return distance < reach ? 1 - distance / reach : 0;
}

/* The weight of pixel `p` among `input`: repeated edges count for the edge where two pixels are
 * mixed; an average over more is over those in the picture. */
static double weight(const question *q, int output, int input, int resized, int p)
{
    double scale = (double)input / resized, centre = (output + 0.5) * scale;
    double sum = 0, own = share(centre, scale, q->options.antialias, p);
    for (int i = 0; i < input; i++)
        sum += share(centre, scale, q->options.antialias, i);
    bool averages = q->options.antialias && scale > 1;
    if (!averages && p == 0 && centre < 0.5)
        return 1;
    if (!averages && p == input - 1 && centre > input - 0.5)
        return 1;
    return averages ? own / sum : own;
}

static double colour_at(const question *q, const uint8_t *data, int y, int x, int colour)
{
    double sum = 0;
    for (int py = 0; py < q->height; py++) {
        double wy = weight(q, y, q->height, q->resized_height, py);
        for (int px = 0; wy != 0 && px < q->width; px++)
            sum += wy * weight(q, x, q->width, q->resized_width, px)
                   * data[py * q->row_bytes + px * q->channels + colour];
    }
    return sum;
}

static double element_at(const question *q, const uint8_t *data, int c, int y, int x)
{
    int sy = y + q->top, sx = x + q->left;
    double pixel;
    if (q->channels < 3)
        pixel = colour_at(q, data, sy, sx, 0);
    else if (q->tensor_channels == 1)
        pixel = 0.299 * colour_at(q, data, sy, sx, 0) + 0.587 * colour_at(q, data, sy, sx, 1)
                + 0.114 * colour_at(q, data, sy, sx, 2);
    else
        pixel = colour_at(q, data, sy, sx, q->options.order == RF_CHANNELS_BGR ? 2 - c : c);
    return (pixel / 255 - (double)q->options.mean[c]) / (double)q->options.deviation[c];
}

static uint64_t seed = 1234567;

static int random_between(int least, int most)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return least + (int)(seed % (uint64_t)(most - least + 1));
}

static void compare(const question *q)
{
    size_t bytes = (size_t)q->row_bytes * (size_t)(q->height - 1) + (size_t)(q->width * q->channels);
    size_t count = (size_t)(q->tensor_channels * q->tensor_height * q->tensor_width);
    uint8_t *data = malloc(bytes);
    float *elements = malloc(count * sizeof *elements);
    rf_error error = {.message = ""};
    assert_non_null(data);
    assert_non_null(elements);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)random_between(0, 255);
    rf_pixels pixels = {data, q->width, q->height, q->row_bytes, q->channels};
    if (rf_picture_to_tensor(&pixels, &q->options, q->tensor_channels, q->tensor_height, q->tensor_width,
                             elements, &error) != RF_OK)
        fail_msg("%s", error.message);
    for (int c = 0; c < q->tensor_channels; c++)
        for (int y = 0; y < q->tensor_height; y++)
            for (int x = 0; x < q->tensor_width; x++) {
                int at = q->options.layout == RF_NHWC ? (y * q->tensor_width + x) * q->tensor_channels + c
                                                      : (c * q->tensor_height + y) * q->tensor_width + x;
                double expected = element_at(q, data, c, y, x), got = (double)elements[at];
                double room = 4e-6 / (double)fabsf(q->options.deviation[c]);
                if (!(fabs(expected - got) <= room))
                    fail_msg("%dx%d to %dx%d at %d,%d,%d: %.9g, expected %.9g", q->width, q->height,
                             q->resized_width, q->resized_height, c, y, x, got, expected);
            }
    free(data);
    free(elements);
}

static question random_question(void)
{
    question q = {.width = random_between(1, 24), .height = random_between(1, 24),
                  .channels = random_between(1, 4), .tensor_channels = random_between(0, 1) ? 3 : 1,
                  .tensor_height = random_between(1, 12), .tensor_width = random_between(1, 12),
                  .options = RF_PICTURE_OPTIONS_DEFAULT};
    q.row_bytes = q.width * q.channels + random_between(0, 3);
    q.options.antialias = random_between(0, 1) == 0;
    q.options.order = random_between(0, 1) ? RF_CHANNELS_BGR : RF_CHANNELS_RGB;
    q.options.layout = random_between(0, 1) ? RF_NHWC : RF_NCHW;
    for (int c = 0; c < 3; c++) {
        q.options.mean[c] = (float)random_between(0, 100) / 100;
        q.options.deviation[c] = (float)random_between(10, 100) / 100;
    }
    return q;
}

/* ---- Tests --------------------------------------------------------------------------------- */

static void test_whole_picture(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        question q = random_question();
        q.resized_height = q.tensor_height;
        q.resized_width = q.tensor_width;
        compare(&q);
    }
}

/* Half of an odd rest is rounded to the even side. */
static int middle(int rest)
{
    return (int)nearbyint(rest / 2.0);
}

static void test_middle_of_the_resized(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        question q = random_question();
        int shorter = random_between(q.tensor_height > q.tensor_width ? q.tensor_height : q.tensor_width, 30);
        q.options.shorter_side = shorter;
        q.resized_width = q.width < q.height ? shorter : shorter * q.width / q.height;
        q.resized_height = q.width < q.height ? shorter * q.height / q.width : shorter;
        q.top = middle(q.resized_height - q.tensor_height);
        q.left = middle(q.resized_width - q.tensor_width);
        compare(&q);
    }
}

static void test_same_size_is_exact(void **state)
{
    (void)state;
    uint8_t data[256];
    float elements[256];
    for (int i = 0; i < 256; i++)
        data[i] = (uint8_t)i;
    rf_pixels pixels = {data, 16, 16, 16, 1};
    assert_int_equal(rf_picture_to_tensor(&pixels, NULL, 1, 16, 16, elements, NULL), RF_OK);
    for (int i = 0; i < 256; i++)
        assert_true(elements[i] == (float)i / 255);
}

/* A picture of one colour stays so, whatever is done to it. */
static void test_one_colour(void **state)
{
    (void)state;
    static uint8_t data[3 * 300 * 200];
    static float elements[3 * 224 * 224];
    memset(data, 200, sizeof data);
    rf_pixels pixels = {data, 300, 200, 900, 3};
    rf_picture_options options = RF_PICTURE_OPTIONS_DEFAULT;
    for (int side = 0; side <= 1000; side += 250) {
        options.shorter_side = side;
        assert_int_equal(rf_picture_to_tensor(&pixels, &options, 3, 224, 224, elements, NULL), RF_OK);
        for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
            assert_true(fabsf(elements[i] - 200.f / 255) < 1e-6f);
    }
}

static void expect(rf_status status, const char *words, const rf_pixels *pixels, const rf_picture_options *options,
                   int32_t channels, int64_t height, int64_t width, float *elements)
{
    rf_error error = {.message = ""};
    rf_status got = rf_picture_to_tensor(pixels, options, channels, height, width, elements, &error);
    if (got != status || !strstr(error.message, words))
        fail_msg("got %s '%s'; expected %s with '%s'", rf_status_name(got), error.message,
                 rf_status_name(status), words);
}

static void test_bad_pixels(void **state)
{
    (void)state;
    const uint8_t data[12] = {0};
    float out[3] = {7, 7, 7};
    const rf_pixels good = {data, 2, 2, 6, 3};
    rf_pixels bad = good;
    expect(RF_ERROR_ARGUMENT, "pixels is NULL", NULL, NULL, 3, 1, 1, out);
    bad.data = NULL;
    expect(RF_ERROR_ARGUMENT, "pixels.data is NULL", &bad, NULL, 3, 1, 1, out);
    bad = good, bad.width = 0;
    expect(RF_ERROR_ARGUMENT, "pixels.width is 0", &bad, NULL, 3, 1, 1, out);
    bad = good, bad.height = -1;
    expect(RF_ERROR_ARGUMENT, "pixels.height is -1", &bad, NULL, 3, 1, 1, out);
    bad = good, bad.channels = 5;
    expect(RF_ERROR_ARGUMENT, "pixels.channels is 5", &bad, NULL, 3, 1, 1, out);
    bad = good, bad.row_bytes = 5;
    expect(RF_ERROR_ARGUMENT, "pixels.row_bytes is 5", &bad, NULL, 3, 1, 1, out);
    bad = good, bad.row_bytes = -6;
    expect(RF_ERROR_ARGUMENT, "pixels.row_bytes is -6", &bad, NULL, 3, 1, 1, out);
    bad = good, bad.width = INT64_MAX, bad.row_bytes = INT64_MAX;
    expect(RF_ERROR_ARGUMENT, "row_bytes", &bad, NULL, 3, 1, 1, out);
    bad = good, bad.height = INT64_MAX;
    expect(RF_ERROR_ARGUMENT, "PTRDIFF_MAX", &bad, NULL, 3, 1, 1, out);
    assert_true(out[0] == 7);
}

static void test_bad_tensors(void **state)
{
    (void)state;
    const uint8_t data[12] = {0};
    float out[3] = {7, 7, 7};
    const rf_pixels good = {data, 2, 2, 6, 3};
    rf_picture_options options = RF_PICTURE_OPTIONS_DEFAULT;
    expect(RF_ERROR_ARGUMENT, "elements is NULL", &good, NULL, 3, 1, 1, NULL);
    expect(RF_ERROR_ARGUMENT, "channels is 2", &good, NULL, 2, 1, 1, out);
    expect(RF_ERROR_ARGUMENT, "height is 0", &good, NULL, 3, 0, 1, out);
    expect(RF_ERROR_ARGUMENT, "width is -4", &good, NULL, 3, 1, -4, out);
    expect(RF_ERROR_ARGUMENT, "PTRDIFF_MAX", &good, NULL, 3, INT64_MAX / 4, INT64_MAX / 4, out);
    options.shorter_side = -1;
    expect(RF_ERROR_ARGUMENT, "shorter_side is -1", &good, &options, 3, 1, 1, out);
    options.shorter_side = 1;
    expect(RF_ERROR_SHAPE, "a crop of 1x2 does not fit the picture resized to 1x1", &good, &options, 3, 2, 1, out);
    options = (rf_picture_options)RF_PICTURE_OPTIONS_DEFAULT;
    options.deviation[1] = 0;
    expect(RF_ERROR_ARGUMENT, "deviation[1] is 0", &good, &options, 3, 1, 1, out);
    options.deviation[1] = NAN;
    expect(RF_ERROR_ARGUMENT, "deviation[1]", &good, &options, 3, 1, 1, out);
    options.deviation[1] = 1;
    options.mean[2] = INFINITY;
    expect(RF_ERROR_ARGUMENT, "mean[2]", &good, &options, 3, 1, 1, out);
    options.mean[2] = 0;
    options.order = (rf_channel_order)9;
    expect(RF_ERROR_ARGUMENT, "order is 9", &good, &options, 3, 1, 1, out);
    options.order = RF_CHANNELS_RGB;
    options.layout = (rf_layout)9;
    expect(RF_ERROR_ARGUMENT, "layout is 9", &good, &options, 3, 1, 1, out);
    options.size = 0;
    expect(RF_ERROR_ARGUMENT, "size is 0", &good, &options, 3, 1, 1, out);
    assert_true(out[0] == 7);
}

/* One pixel of a picture that would be far larger than memory if it were resized whole. */
static void test_crop_of_something_huge(void **state)
{
    (void)state;
    const uint8_t data[6] = {10, 20, 30, 40, 50, 60};
    float out[3];
    const rf_pixels pixels = {data, 2, 1, 6, 3};
    rf_picture_options options = RF_PICTURE_OPTIONS_DEFAULT;
    options.shorter_side = INT64_C(1) << 61;
    expect(RF_OK, "", &pixels, &options, 3, 1, 1, out);
    for (int c = 0; c < 3; c++)
        assert_true(fabsf(out[c] * 255 - (float)(25 + 10 * c)) < 1e-4f);
    options.shorter_side = INT64_MAX;
    expect(RF_ERROR_ARGUMENT, "shorter_side", &pixels, &options, 3, 1, 1, out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_picture),
        cmocka_unit_test(test_middle_of_the_resized),
        cmocka_unit_test(test_same_size_is_exact),
        cmocka_unit_test(test_one_colour),
        cmocka_unit_test(test_bad_pixels),
        cmocka_unit_test(test_bad_tensors),
        cmocka_unit_test(test_crop_of_something_huge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
