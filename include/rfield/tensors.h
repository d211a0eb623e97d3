/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Tensors in files, and pictures as tensors.
 */
#ifndef RFIELD_TENSORS_H
#define RFIELD_TENSORS_H

#include <rfield/kernels.h>
#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How to read a tensor. Start from RF_TENSOR_OPTIONS_DEFAULT. */
typedef struct rf_tensor_options {
    size_t size;                   /**< sizeof(rf_tensor_options) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< memory_bytes bounds the tensor */
} rf_tensor_options;

/** The default allocator and limits. */
#define RF_TENSOR_OPTIONS_DEFAULT {.size = sizeof(rf_tensor_options), .limits = RF_LIMITS_DEFAULT}

/**
 * Reads the tensor in a file: NumPy's .npy (versions 1 to 3, either byte order and either
 * index order) or ONNX's TensorProto, by its first bytes. Elements are row-major in the
 * machine's byte order; alignment is that of malloc.
 *
 * @param path    a file
 * @param options NULL for the defaults
 * @param tensor receives the tensor, to be given back with rf_tensor_free(); NULL after a failure.
 *               Its name is the TensorProto's, or "".
 * @param error  may be NULL
 * @return RF_ERROR_IO, RF_ERROR_FORMAT, RF_ERROR_UNSUPPORTED for an element type without a
 *         counterpart (TensorProto where ONNX was not built), RF_ERROR_LIMIT, RF_ERROR_MEMORY
 */
RF_API rf_status rf_tensor_load(const char *path, const rf_tensor_options *options,
                                const rf_tensor **tensor, rf_error *error);

/** The same from `bytes` bytes in memory, which are not kept. */
RF_API rf_status rf_tensor_read(const void *data, size_t bytes, const rf_tensor_options *options,
                                const rf_tensor **tensor, rf_error *error);

/** Gives back a tensor that was read; NULL is allowed. */
RF_API void rf_tensor_free(const rf_tensor *tensor);

/**
 * Writes a tensor with data to a file: .npy (version 1), or a TensorProto where the name ends in
 * ".pb". A failed write leaves no file that was not there.
 *
 * @return RF_ERROR_IO, RF_ERROR_ARGUMENT for a tensor without data or with unknown extents,
 *         RF_ERROR_UNSUPPORTED for an element type that .npy has not
 */
RF_API rf_status rf_tensor_save(const rf_tensor *tensor, const char *path, rf_error *error);

/** Interleaved 8-bit pixels in the caller's memory. */
typedef struct rf_pixels {
    const uint8_t *data; /**< first row first */
    int64_t width;       /**< pixels, at least 1 */
    int64_t height;      /**< rows, at least 1 */
    int64_t row_bytes;   /**< from one row to the next */
    int32_t channels;    /**< 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha; alpha is not used */
} rf_pixels;

/** Of a tensor's channels. */
typedef enum rf_channel_order {
    RF_CHANNELS_RGB, /**< red first */
    RF_CHANNELS_BGR  /**< blue first */
} rf_channel_order;

/**
 * How a picture becomes a float32 tensor: resize, crop the middle, scale and shift. Start from
 * RF_PICTURE_OPTIONS_DEFAULT.
 */
typedef struct rf_picture_options {
    size_t size;            /**< sizeof(rf_picture_options) */
    /** The shorter side is resized to this, keeping proportions, before the middle is cropped to the
     * tensor's height and width; 0 resizes both sides to the tensor's, without a crop. */
    int64_t shorter_side;
    bool antialias;         /**< when shrinking, average over all pixels covered (as Pillow does);
                                 default true. Else plain bilinear interpolation (as OpenCV's). */
    float mean[3];          /**< of channels in the tensor's order, on the scale 0 to 1; default 0 */
    float deviation[3];     /**< element = (pixel / 255 - mean) / deviation; default 1 */
    rf_channel_order order; /**< default RF_CHANNELS_RGB */
    rf_layout layout;       /**< of the tensor; default RF_NCHW */
} rf_picture_options;

/** Both sides resized, pixels / 255, RGB, RF_NCHW. */
#define RF_PICTURE_OPTIONS_DEFAULT \
    {.size = sizeof(rf_picture_options), .antialias = true, .deviation = {1, 1, 1}}

/**
 * Fills one image of a float32 tensor from a picture. Bilinear, pixel centres at half integers,
 * edges repeated. A tensor of one channel gets 0.299 R + 0.587 G + 0.114 B; a grey picture gives
 * all channels of the tensor.
 *
 * @param pixels   the picture
 * @param options  NULL for the defaults
 * @param channels of the tensor, 1 or 3
 * @param height,width of the tensor
 * @param elements channels * height * width floats
 * @param error    may be NULL
 * @return RF_ERROR_ARGUMENT; RF_ERROR_SHAPE where the crop does not fit the resized picture;
 *         RF_ERROR_MEMORY
 */
RF_API rf_status rf_picture_to_tensor(const rf_pixels *pixels, const rf_picture_options *options,
                                      int32_t channels, int64_t height, int64_t width,
                                      float *elements, rf_error *error);

#ifdef __cplusplus
}
#endif
#endif
