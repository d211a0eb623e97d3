/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The arithmetic of single layers on the caller's buffers.
 *
 * Direct kernels for float32. All of them hold these promises:
 * - Thread-safe: no allocation, no global state; only the output is written.
 * - Nothing outside the stated extents of a buffer is read or written, and a
 *   float's alignment is enough.
 * - Every output element is summed in float32 in the order stated, without
 *   fused multiply-add, so its bits depend on its inputs alone: the work may be
 *   split over outputs among threads. Sums of integers that float32 holds
 *   exactly are exact.
 * - Padding is skipped, never multiplied: what a weight over padding holds, even
 *   a NaN, does not matter. NaN and infinity otherwise propagate.
 * - Arguments are checked before anything is written. Buffers that are too short
 *   cannot be noticed.
 *
 * Failures common to all: RF_ERROR_ARGUMENT for NULL (but for a bias and the
 * `error`), an extent below 1 or an output that is also an input where that is
 * not allowed; RF_ERROR_OVERFLOW where a buffer would exceed the largest object
 * (PTRDIFF_MAX bytes) or a padded extent exceeds int64_t.
 *
 * Two buffers of one call may overlap only where the function says so.
 */
#ifndef RFIELD_KERNELS_H
#define RFIELD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rfield/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The order of a feature map's elements, the last letter varying fastest. */
typedef enum rf_layout {
    RF_NCHW, /**< [batch][channels][height][width], as ONNX and PyTorch */
    RF_NHWC  /**< [batch][height][width][channels] */
} rf_layout;

/**
 * A convolution over two axes. Start from RF_CONV2D_DEFAULT and set the extents;
 * a stride, dilation or group count of 0 is an error, not a default.
 *
 * Pairs are rows before columns. Extents and positions are in elements.
 */
typedef struct rf_conv2d_desc {
    size_t size;             /**< sizeof(rf_conv2d_desc) */
    int64_t batch;           /**< images; default 1 */
    int64_t input_channels;  /**< a multiple of `groups` */
    int64_t input_height;    /**< without pads */
    int64_t input_width;     /**< without pads */
    int64_t output_channels; /**< a multiple of `groups` */
    int64_t kernel[2];       /**< height, width */
    int64_t strides[2];      /**< default 1, 1 */
    int64_t dilations[2];    /**< distance between taps; default 1, 1 */
    int64_t pads[4];         /**< top, left, bottom, right, as ONNX; default 0 */
    int64_t groups;          /**< each sees its share of input channels only; default 1 */
    rf_layout layout;        /**< of input and output; default RF_NCHW */
} rf_conv2d_desc;

/** One image, stride, dilation and groups 1, no padding, RF_NCHW. Extents are 0: set them. */
#define RF_CONV2D_DEFAULT                                                      \
    {                                                                          \
        .size = sizeof(rf_conv2d_desc), .batch = 1, .strides = {1, 1},         \
        .dilations = {1, 1}, .groups = 1, .layout = RF_NCHW                    \
    }

/**
 * The height and width of a convolution's output, on each axis
 *
 *     floor((input + pads - (dilation * (kernel - 1) + 1)) / stride) + 1
 *
 * @param desc         the convolution; its output is what is asked for
 * @param height,width receive the extents; untouched after a failure
 * @param error        may be NULL
 * @return RF_ERROR_ARGUMENT for a bad `size`, `layout`, extent, stride, dilation,
 *         pad or group count; RF_ERROR_SHAPE if an output extent would be below 1;
 *         RF_ERROR_OVERFLOW
 */
RF_API rf_status rf_conv2d_output(const rf_conv2d_desc *desc, int64_t *height, int64_t *width,
                                  rf_error *error);

/**
 * Convolves (as networks do: the kernel is not flipped). For output channel o,
 * whose group's input channels begin at f:
 *
 *     output(o, y, x) = bias[o] + SUM over c, i, j of weights[o][c][i][j] *
 *         input(f + c, y * strides[0] - pads[0] + i * dilations[0],
 *                      x * strides[1] - pads[1] + j * dilations[1])
 *
 * summed from the bias (or +0), then c, i, j ascending, j fastest, over the taps
 * that fall on the input; a window without any yields the bias. The error is at
 * most gamma(K + 1) * (SUM |weight * input| + |bias|), K being the taps,
 * gamma(n) = n u / (1 - n u) and u = 2^-24, barring underflow and overflow.
 *
 * @param desc    the convolution
 * @param input   batch x input_channels x input_height x input_width elements in `layout`
 * @param weights [output_channels][input_channels / groups][kernel height][kernel width],
 *                whatever the layout
 * @param bias    [output_channels], or NULL for none
 * @param output  batch x output_channels x height x width (see rf_conv2d_output()) in `layout`;
 *                must overlap no other buffer, of which `output` equal to another is noticed
 * @param error   may be NULL
 * @return as rf_conv2d_output()
 */
RF_API rf_status rf_conv2d(const rf_conv2d_desc *desc, const float *input, const float *weights,
                           const float *bias, float *output, rf_error *error);

/**
 * A pool over two axes. Start from RF_POOL2D_DEFAULT and set the extents; a
 * stride or dilation of 0 is an error, not a default.
 */
typedef struct rf_pool2d_desc {
    size_t size;             /**< sizeof(rf_pool2d_desc) */
    int64_t batch;           /**< images; default 1 */
    int64_t channels;        /**< of input and output alike */
    int64_t input_height;    /**< without pads */
    int64_t input_width;     /**< without pads */
    int64_t kernel[2];       /**< height, width */
    int64_t strides[2];      /**< default 1, 1 */
    int64_t dilations[2];    /**< default 1, 1 */
    int64_t pads[4];         /**< top, left, bottom, right; default 0 */
    bool ceil_mode;          /**< round output extents up; default false */
    bool count_include_pad;  /**< average only: divide by taps on padding too; default false */
    rf_layout layout;        /**< of input and output; default RF_NCHW */
} rf_pool2d_desc;

/** One image, stride and dilation 1, no padding, RF_NCHW. Extents are 0: set them. */
#define RF_POOL2D_DEFAULT                                                      \
    {                                                                          \
        .size = sizeof(rf_pool2d_desc), .batch = 1, .strides = {1, 1},         \
        .dilations = {1, 1}, .layout = RF_NCHW                                 \
    }

/**
 * The height and width of a pool's output: as rf_conv2d_output(), but with
 * `ceil_mode` the quotient is rounded up, less a last window that would begin in
 * the bottom or right padding.
 */
RF_API rf_status rf_pool2d_output(const rf_pool2d_desc *desc, int64_t *height, int64_t *width,
                                  rf_error *error);

/**
 * The largest element of each window, padding left out:
 *
 *     output(c, y, x) = MAX over i, j of
 *         input(c, y * strides[0] - pads[0] + i * dilations[0],
 *                  x * strides[1] - pads[1] + j * dilations[1])
 *
 * A NaN in the window yields NaN. A window wholly on padding yields -infinity.
 * Of +0 and -0, the first in the order i, j (j fastest) is taken.
 *
 * @param desc   the pool
 * @param input  batch x channels x input_height x input_width elements in `layout`
 * @param output batch x channels x height x width (see rf_pool2d_output()) in `layout`;
 *               must not overlap `input`, of which equality is noticed
 * @param error  may be NULL
 * @return as rf_pool2d_output()
 */
RF_API rf_status rf_max_pool2d(const rf_pool2d_desc *desc, const float *input, float *output,
                               rf_error *error);

/**
 * The mean of each window: its elements on the input summed from +0 in the order
 * i, j (j fastest), divided once, by how many they are or, with
 * `count_include_pad`, by how many taps fall on the input and its padding. Taps
 * past the end padding, which `ceil_mode` can cause, never count. A window wholly
 * on padding yields +0.
 *
 * Parameters and failures are those of rf_max_pool2d().
 */
RF_API rf_status rf_average_pool2d(const rf_pool2d_desc *desc, const float *input, float *output,
                                   rf_error *error);

/**
 * output[i] = input[i] < 0 ? +0 : input[i]
 *
 * So -0 stays -0, and a NaN stays itself, bit for bit.
 *
 * @param input  `count` elements
 * @param output `count` elements; may be `input`, but must not overlap it otherwise
 * @param count  0 is allowed and writes nothing
 * @param error  may be NULL
 */
RF_API rf_status rf_relu(const float *input, float *output, size_t count, rf_error *error);

/**
 * output[i] = a[i] + b[i]
 *
 * @param a,b    `count` elements each; may be the same buffer
 * @param output `count` elements; may be `a` or `b`, but must not overlap them otherwise
 * @param count  0 is allowed and writes nothing
 * @param error  may be NULL
 */
RF_API rf_status rf_add(const float *a, const float *b, float *output, size_t count,
                        rf_error *error);

/**
 * A fully connected layer:
 *
 *     output[n][o] = bias[o] + SUM over i of weights[o][i] * input[n][i]
 *
 * summed from the bias (or +0), then i ascending; error bound as for rf_conv2d()
 * with K = `inputs`.
 *
 * @param batch   rows of input and output
 * @param inputs  elements of an input row
 * @param outputs elements of an output row
 * @param input   [batch][inputs]
 * @param weights [outputs][inputs]
 * @param bias    [outputs], or NULL for none
 * @param output  [batch][outputs]; must overlap no other buffer, of which `output` equal to
 *                another is noticed
 * @param error   may be NULL
 */
RF_API rf_status rf_dense(int64_t batch, int64_t inputs, int64_t outputs, const float *input,
                          const float *weights, const float *bias, float *output,
                          rf_error *error);

#ifdef __cplusplus
}
#endif
#endif
