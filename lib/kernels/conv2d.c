/* SPDX-License-Identifier: MIT */
/*
 * Direct convolution. Both layouts sum in one order, from the bias over input
 * channel, kernel row and kernel column, and differ in what runs innermost: the
 * outputs of a row that share a tap (NCHW), or the output channels of a pixel
 * that share an input element (NHWC).
 */
#include <rfield/kernels.h>

#include "base/failure.h"
#include "kernels/kernel_check.h"

/* Output channels summed side by side in NHWC, so that no sum waits for the one before it. */
enum { LANES = 8 };

/* A checked call. */
typedef struct convolution {
    const rf_conv2d_desc *desc;
    rf_window rows, columns;
    int64_t group_inputs, group_outputs;
    int64_t taps; /* of one output element: weights of one output channel */
    const float *input, *weights, *bias;
    float *output;
} convolution;

static float bias_of(const convolution *conv, int64_t channel)
{
    return conv->bias ? conv->bias[channel] : 0.0f;
}

/*
 * Output indices first .. end-1 for which tap `t` falls on the input. Position
 * stride * i - pad + dilation * t is the same when i and t change roles together
 * with stride and dilation, so this is the clipped window of the mirrored window.
 */
static void outputs_of_tap(const rf_window *window, int64_t t, int64_t *first, int64_t *end)
{
    const rf_window mirrored = {
        .input = window->input, .output = window->kernel, .kernel = window->output,
        .stride = window->dilation, .dilation = window->stride,
        .pad_begin = window->pad_begin, .pad_end = window->pad_end,
    };
    rf_window_clip(&mirrored, t, first, end);
}

static void add_scaled(float *restrict sums, const float *restrict input, int64_t step,
                       float weight, int64_t count)
{
    if (step == 1) {
        for (int64_t i = 0; i < count; i++)
            sums[i] += weight * input[i];
    } else {
        for (int64_t i = 0; i < count; i++)
            sums[i] += weight * input[i * step];
    }
}

/* Adds one channel's share to a plane of outputs. */
static void add_plane(const convolution *conv, const float *input, const float *weights,
                      float *output)
{
    const rf_window *rows = &conv->rows, *columns = &conv->columns;
    for (int64_t i = 0; i < rows->kernel; i++) {
        int64_t y0, y1;
        outputs_of_tap(rows, i, &y0, &y1);
        for (int64_t j = 0; j < columns->kernel; j++) {
            int64_t x0, x1;
            outputs_of_tap(columns, j, &x0, &x1);
            if (x0 >= x1)
                continue;
            int64_t left = x0 * columns->stride - columns->pad_begin + j * columns->dilation;
            for (int64_t y = y0; y < y1; y++) {
                int64_t row = y * rows->stride - rows->pad_begin + i * rows->dilation;
                add_scaled(output + y * columns->output + x0,
                           input + row * columns->input + left, columns->stride,
                           weights[i * columns->kernel + j], x1 - x0);
            }
        }
    }
}

static void convolve_nchw(const convolution *conv)
{
    const rf_conv2d_desc *desc = conv->desc;
    int64_t input_plane = desc->input_height * desc->input_width;
    int64_t output_plane = conv->rows.output * conv->columns.output;
    int64_t kernel = desc->kernel[0] * desc->kernel[1];
    for (int64_t n = 0; n < desc->batch; n++) {
        for (int64_t o = 0; o < desc->output_channels; o++) {
            int64_t first = o / conv->group_outputs * conv->group_inputs;
            float *output = conv->output + (n * desc->output_channels + o) * output_plane;
            const float *input = conv->input + (n * desc->input_channels + first) * input_plane;
            const float *weights = conv->weights + o * conv->taps;
            for (int64_t i = 0; i < output_plane; i++)
                output[i] = bias_of(conv, o);
            for (int64_t c = 0; c < conv->group_inputs; c++)
                add_plane(conv, input + c * input_plane, weights + c * kernel, output);
        }
    }
}

/* A window and the part of it, taps i0 .. i1-1 by j0 .. j1-1, that falls on the input. */
typedef struct patch {
    int64_t n, top, left; /* image and position of tap (0, 0), which may be outside the input */
    int64_t channel;      /* the group's first input channel */
    int64_t i0, i1, j0, j1;
} patch;

static inline void sum_lanes(const convolution *conv, const patch *at, const float *weights,
                             float *sums, int lanes)
{
    const rf_conv2d_desc *desc = conv->desc;
    for (int64_t c = 0; c < conv->group_inputs; c++) {
        for (int64_t i = at->i0; i < at->i1; i++) {
            int64_t y = at->n * desc->input_height + at->top + i * desc->dilations[0];
            const float *row = conv->input + y * desc->input_width * desc->input_channels;
            for (int64_t j = at->j0; j < at->j1; j++) {
                int64_t x = at->left + j * desc->dilations[1];
                float element = row[x * desc->input_channels + at->channel + c];
                int64_t tap = (c * desc->kernel[0] + i) * desc->kernel[1] + j;
                for (int lane = 0; lane < lanes; lane++)
                    sums[lane] += weights[lane * conv->taps + tap] * element;
            }
        }
    }
}

/* All output channels of one group at one pixel, channels first .. first+group_outputs-1. */
static void convolve_pixel(const convolution *conv, const patch *at, int64_t first, float *output)
{
    int64_t end = first + conv->group_outputs;
    for (int64_t o = first; o < end;) {
        const float *weights = conv->weights + o * conv->taps;
        int lanes = end - o >= LANES ? LANES : 1;
        float sums[LANES] = {0};
        for (int lane = 0; lane < lanes; lane++)
            sums[lane] = bias_of(conv, o + lane);
        if (lanes == LANES)
            sum_lanes(conv, at, weights, sums, LANES);
        else
            sum_lanes(conv, at, weights, sums, 1);
        for (int lane = 0; lane < lanes; lane++)
            output[o + lane] = sums[lane];
        o += lanes;
    }
}

static void convolve_row_nhwc(const convolution *conv, int64_t n, int64_t y)
{
    const rf_conv2d_desc *desc = conv->desc;
    const rf_window *rows = &conv->rows, *columns = &conv->columns;
    patch at = {.n = n, .top = y * rows->stride - rows->pad_begin};
    rf_window_clip(rows, y, &at.i0, &at.i1);
    for (int64_t x = 0; x < columns->output; x++) {
        float *output = conv->output +
            ((n * rows->output + y) * columns->output + x) * desc->output_channels;
        at.left = x * columns->stride - columns->pad_begin;
        rf_window_clip(columns, x, &at.j0, &at.j1);
        for (int64_t g = 0; g < desc->groups; g++) {
            at.channel = g * conv->group_inputs;
            convolve_pixel(conv, &at, g * conv->group_outputs, output);
        }
    }
}

static rf_status check_groups(const char *function, const rf_conv2d_desc *desc, rf_error *error)
{
    const rf_named_extent channels[] = {
        {"input_channels", desc->input_channels}, {"output_channels", desc->output_channels},
    };
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        if (channels[i].value % desc->groups)
            return rf_fail(error, RF_ERROR_ARGUMENT, function,
                           "%s: %s is %lld, expected a multiple of groups, %lld", function,
                           channels[i].name, (long long)channels[i].value,
                           (long long)desc->groups);
    return RF_OK;
}

static rf_status check_buffers(const char *function, const convolution *conv, rf_error *error)
{
    const rf_conv2d_desc *desc = conv->desc;
    const int64_t input[] = {
        desc->batch, desc->input_channels, desc->input_height, desc->input_width,
    };
    const int64_t weights[] = {
        desc->output_channels, conv->group_inputs, desc->kernel[0], desc->kernel[1],
    };
    const int64_t output[] = {
        desc->batch, desc->output_channels, conv->rows.output, conv->columns.output,
    };
    RF_TRY(rf_kernel_check_floats(function, "input", input, 4, error));
    RF_TRY(rf_kernel_check_floats(function, "weights", weights, 4, error));
    return rf_kernel_check_floats(function, "output", output, 4, error);
}

static rf_status check_description(const char *function, const rf_conv2d_desc *desc,
                                   convolution *conv, rf_error *error)
{
    const rf_named_pointer pointer = {"desc", desc};
    RF_TRY(rf_kernel_check_pointers(function, &pointer, 1, error));
    RF_TRY(rf_kernel_check_descriptor(function, desc->size, sizeof *desc, desc->layout, error));
    const rf_named_extent extents[] = {
        {"batch", desc->batch}, {"input_channels", desc->input_channels},
        {"output_channels", desc->output_channels}, {"groups", desc->groups},
    };
    RF_TRY(rf_kernel_check_extents(function, extents, sizeof extents / sizeof *extents, error));
    RF_TRY(check_groups(function, desc, error));
    const rf_sliding sliding = {
        .input = {desc->input_height, desc->input_width}, .kernel = desc->kernel,
        .strides = desc->strides, .dilations = desc->dilations, .pads = desc->pads,
    };
    rf_window windows[2];
    RF_TRY(rf_kernel_check_sliding(function, &sliding, windows, error));
    conv->desc = desc;
    conv->rows = windows[0];
    conv->columns = windows[1];
    conv->group_inputs = desc->input_channels / desc->groups;
    conv->group_outputs = desc->output_channels / desc->groups;
    RF_TRY(check_buffers(function, conv, error));
    conv->taps = conv->group_inputs * desc->kernel[0] * desc->kernel[1];
    return RF_OK;
}

rf_status rf_conv2d_output(const rf_conv2d_desc *desc, int64_t *height, int64_t *width,
                           rf_error *error)
{
    const char *function = "rf_conv2d_output";
    const rf_named_pointer pointers[] = {{"height", height}, {"width", width}};
    convolution conv;
    RF_TRY(rf_kernel_check_pointers(function, pointers, 2, error));
    RF_TRY(check_description(function, desc, &conv, error));
    *height = conv.rows.output;
    *width = conv.columns.output;
    return RF_OK;
}

rf_status rf_conv2d(const rf_conv2d_desc *desc, const float *input, const float *weights,
                    const float *bias, float *output, rf_error *error)
{
    const char *function = "rf_conv2d";
    const rf_named_pointer pointers[] = {
        {"input", input}, {"weights", weights}, {"output", output},
    };
    const rf_named_pointer inputs[] = {{"input", input}, {"weights", weights}, {"bias", bias}};
    convolution conv;
    RF_TRY(check_description(function, desc, &conv, error));
    RF_TRY(rf_kernel_check_pointers(function, pointers, 3, error));
    RF_TRY(rf_kernel_check_apart(function, output, inputs, 3, error));
    conv.input = input;
    conv.weights = weights;
    conv.bias = bias;
    conv.output = output;
    if (desc->layout == RF_NCHW) {
        convolve_nchw(&conv);
        return RF_OK;
    }
    for (int64_t n = 0; n < desc->batch; n++)
        for (int64_t y = 0; y < conv.rows.output; y++)
            convolve_row_nhwc(&conv, n, y);
    return RF_OK;
}
