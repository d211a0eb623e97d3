/* SPDX-License-Identifier: MIT */
/*
 * Max and average pools. One loop nest serves both layouts: NCHW is NHWC with a
 * single channel and batch * channels images.
 */
#include <rfield/kernels.h>

#include <math.h>

#include "base/failure.h"
#include "kernels/kernel_check.h"

/* A checked call. */
typedef struct pool {
    rf_window rows, columns;
    int64_t images, channels; /* as seen by the loops */
    bool include_pad;
} pool;

/* One pixel of the output: taps i0 .. i1-1 by j0 .. j1-1 of its window fall on the input. */
typedef struct pixel {
    int64_t y, x;
    int64_t i0, i1, j0, j1;
} pixel;

/* Pools one pixel of one image. */
typedef void pool_pixel(const pool *call, const pixel *at, const float *image, float *output);

static const float *element(const pool *call, const pixel *at, const float *image, int64_t i,
                            int64_t j)
{
    const rf_window *rows = &call->rows, *columns = &call->columns;
    int64_t row = at->y * rows->stride - rows->pad_begin + i * rows->dilation;
    int64_t column = at->x * columns->stride - columns->pad_begin + j * columns->dilation;
    return image + (row * columns->input + column) * call->channels;
}

static void max_pixel(const pool *call, const pixel *at, const float *image, float *output)
{
    for (int64_t c = 0; c < call->channels; c++)
        output[c] = -INFINITY;
    for (int64_t i = at->i0; i < at->i1; i++) {
        for (int64_t j = at->j0; j < at->j1; j++) {
            const float *input = element(call, at, image, i, j);
            for (int64_t c = 0; c < call->channels; c++)
                output[c] = input[c] > output[c] || isnan(input[c]) ? input[c] : output[c];
        }
    }
}

/* Taps of the window at `i` that fall on the input or its padding. */
static int64_t taps_with_padding(const rf_window *window, int64_t i)
{
    rf_window padded = *window;
    int64_t first, end;
    padded.input += window->pad_begin + window->pad_end;
    padded.pad_begin = padded.pad_end = 0;
    rf_window_clip(&padded, i, &first, &end);
    return end - first;
}

/* The divisor, as a float because padding may be so wide that its area fits no integer. */
static float taps_counted(const pool *call, const pixel *at)
{
    int64_t rows = at->i1 - at->i0, columns = at->j1 - at->j0;
    if (call->include_pad) {
        rows = taps_with_padding(&call->rows, at->y);
        columns = taps_with_padding(&call->columns, at->x);
    }
    return (float)((double)rows * (double)columns);
}

static void average_pixel(const pool *call, const pixel *at, const float *image, float *output)
{
    for (int64_t c = 0; c < call->channels; c++)
        output[c] = 0.0f;
    if (at->i0 >= at->i1 || at->j0 >= at->j1)
        return;
    for (int64_t i = at->i0; i < at->i1; i++) {
        for (int64_t j = at->j0; j < at->j1; j++) {
            const float *input = element(call, at, image, i, j);
            for (int64_t c = 0; c < call->channels; c++)
                output[c] += input[c];
        }
    }
    float taps = taps_counted(call, at);
    for (int64_t c = 0; c < call->channels; c++)
        output[c] /= taps;
}

static void pool_images(const pool *call, pool_pixel *reduce, const float *input, float *output)
{
    int64_t input_image = call->rows.input * call->columns.input * call->channels;
    pixel at;
    for (int64_t n = 0; n < call->images; n++) {
        for (at.y = 0; at.y < call->rows.output; at.y++) {
            rf_window_clip(&call->rows, at.y, &at.i0, &at.i1);
            for (at.x = 0; at.x < call->columns.output; at.x++) {
                rf_window_clip(&call->columns, at.x, &at.j0, &at.j1);
                reduce(call, &at, input, output);
                output += call->channels;
            }
        }
        input += input_image;
    }
}

static rf_status check_description(const char *function, const rf_pool2d_desc *desc, pool *call,
                                   rf_error *error)
{
    const rf_named_pointer pointer = {"desc", desc};
    RF_TRY(rf_kernel_check_pointers(function, &pointer, 1, error));
    RF_TRY(rf_kernel_check_descriptor(function, desc->size, sizeof *desc, desc->layout, error));
    const rf_named_extent extents[] = {{"batch", desc->batch}, {"channels", desc->channels}};
    RF_TRY(rf_kernel_check_extents(function, extents, sizeof extents / sizeof *extents, error));
    const rf_sliding sliding = {
        .input = {desc->input_height, desc->input_width}, .kernel = desc->kernel,
        .strides = desc->strides, .dilations = desc->dilations, .pads = desc->pads,
        .ceil_mode = desc->ceil_mode,
    };
    rf_window windows[2];
    RF_TRY(rf_kernel_check_sliding(function, &sliding, windows, error));
    const int64_t input[] = {desc->batch, desc->channels, windows[0].input, windows[1].input};
    const int64_t output[] = {desc->batch, desc->channels, windows[0].output, windows[1].output};
    RF_TRY(rf_kernel_check_floats(function, "input", input, 4, error));
    RF_TRY(rf_kernel_check_floats(function, "output", output, 4, error));
    call->rows = windows[0];
    call->columns = windows[1];
    call->include_pad = desc->count_include_pad;
    call->images = desc->layout == RF_NCHW ? desc->batch * desc->channels : desc->batch;
    call->channels = desc->layout == RF_NCHW ? 1 : desc->channels;
    return RF_OK;
}

static rf_status run_pool(const char *function, const rf_pool2d_desc *desc, pool_pixel *reduce,
                          const float *input, float *output, rf_error *error)
{
    const rf_named_pointer pointers[] = {{"input", input}, {"output", output}};
    pool call;
    RF_TRY(check_description(function, desc, &call, error));
    RF_TRY(rf_kernel_check_pointers(function, pointers, 2, error));
    RF_TRY(rf_kernel_check_apart(function, output, pointers, 1, error));
    pool_images(&call, reduce, input, output);
    return RF_OK;
}

rf_status rf_pool2d_output(const rf_pool2d_desc *desc, int64_t *height, int64_t *width,
                           rf_error *error)
{
    const char *function = "rf_pool2d_output";
    const rf_named_pointer pointers[] = {{"height", height}, {"width", width}};
    pool call;
    RF_TRY(rf_kernel_check_pointers(function, pointers, 2, error));
    RF_TRY(check_description(function, desc, &call, error));
    *height = call.rows.output;
    *width = call.columns.output;
    return RF_OK;
}

rf_status rf_max_pool2d(const rf_pool2d_desc *desc, const float *input, float *output,
                        rf_error *error)
{
    return run_pool("rf_max_pool2d", desc, max_pixel, input, output, error);
}

rf_status rf_average_pool2d(const rf_pool2d_desc *desc, const float *input, float *output,
                            rf_error *error)
{
    return run_pool("rf_average_pool2d", desc, average_pixel, input, output, error);
}
