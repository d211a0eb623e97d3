/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The effective receptive field: how much an output really depends on each input position.
 *
 * A receptive field says which positions can matter. How much they do is the derivative of the output by them;
 * through many layers it gathers in the middle of the field (Luo, Li, Urtasun, Zemel, "Understanding the Effective
 * Receptive Field in Deep Convolutional Neural Networks", 2016). docs/receptive-fields.md defines every number.
 */
#ifndef RFIELD_EFFECTIVE_FIELD_H
#define RFIELD_EFFECTIVE_FIELD_H

#include <rfield/analysis.h>
#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/run.h>
#include <rfield/status.h>
#include <rfield/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which output is asked about, and with what inputs. Start from RF_EFFECTIVE_OPTIONS_DEFAULT. */
typedef struct rf_effective_options {
    size_t size;                   /**< sizeof(rf_effective_options) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< as rf_compile_options::limits */
    const rf_binding *bindings;    /**< shapes of inputs */
    size_t binding_count;          /**< entries of `bindings` */
    const char *tensor;            /**< a layer, or a tensor that a layer puts out; NULL for the first output */
    const char *input;             /**< which input of the network; NULL for the first that the tensor sees */
    const int64_t *at;             /**< one index for each spatial axis of the tensor; NULL for the middle */
    size_t at_count;               /**< entries of `at` */
    int64_t channel;               /**< of the tensor, from 0; -1 for the sum of all */
    size_t samples;                /**< how many inputs are averaged over; 1 or more */
    /** NULL for elements that are normal, with mean 0 and deviation 1; or `samples` times the elements of `input`,
     * row-major. Other float32 inputs are normal in either case; inputs of other types are 0. */
    const float *elements;
    size_t element_count;          /**< entries of `elements` */
    uint64_t seed;                 /**< the same numbers for the same seed */
    const rf_executor *executor;   /**< NULL for the caller's thread alone. The bits are the same. */
} rf_effective_options;

/** The middle of the first output, all channels, eight random inputs, seed 1. */
#define RF_EFFECTIVE_OPTIONS_DEFAULT                                                                                 \
    {.size = sizeof(rf_effective_options), .limits = {.memory_bytes = UINT64_C(1) << 36, .layers = 1000000,          \
     .tensors = 4000000, .folded_elements = UINT64_C(1) << 27, .nesting = 64}, .channel = -1, .samples = 8, .seed = 1}

/** The share that counts, of the largest weight and of the mass: that of a normal distribution within two
 * deviations, as in the paper. */
#define RF_EFFECTIVE_SHARE 0.9545

/**
 * How much one output depends on each input position.
 *
 * With y the output, or the sum of all channels at its position, and x the input, the weight of a position is the
 * mean over the samples of the sum over the input's channels of |dy/dx|. It is exactly 0 at positions that
 * rf_field_at() does not count. Where all weights are 0, so are all numbers, and `box` is empty.
 */
typedef struct rf_effective_field {
    int32_t axis_count;              /**< spatial axes of the input, rows before columns; 1 or more */
    int64_t extents[RF_MAX_SPATIAL]; /**< of the input along these */
    size_t count;                    /**< product of `extents` */
    const double *weights;           /**< row-major */
    double largest;                  /**< of the weights */
    uint64_t pixels;                 /**< positions whose weight is at least 1 - RF_EFFECTIVE_SHARE of the largest */
    double side;                     /**< of a square (cube) of so many positions */
    double centre[RF_MAX_SPATIAL];   /**< the mean position along each axis, weighted */
    double sigma[RF_MAX_SPATIAL];    /**< the standard deviation along each axis, weighted */
    /** A box that holds RF_EFFECTIVE_SHARE of the mass: the input less its outermost rows and columns, the one with
     * the least mass first, for as long as that much remains. */
    rf_range box[RF_MAX_SPATIAL];
    size_t layer;                    /**< whose field it is, as rf_field_query::layer */
    size_t output;                   /**< which of the layer's outputs */
    size_t input;                    /**< of which of the network's inputs */
    int64_t channel;                 /**< as asked */
    int64_t at[RF_MAX_SPATIAL];      /**< the position */
    size_t at_count;                 /**< entries of `at` */
    rf_field_at_result theoretical;  /**< the field of that output */
    double theoretical_side;         /**< of a square (cube) as large as the theoretical field, padding included */
    double ratio;                    /**< side / theoretical_side */
} rf_effective_field;

/**
 * Measures the effective field of one output, by the gradient of the network (rf_gradient_describe()).
 *
 * @param network the description, with weights
 * @param options NULL for the defaults
 * @param field   receives the field, to be given back with rf_effective_field_free(); NULL after a failure
 * @param error   may be NULL
 * @return as rf_gradient_describe(), rf_compile() and rf_field_at(); RF_ERROR_NOT_FOUND for a tensor or input that
 *         is not there; RF_ERROR_SHAPE for an input without spatial axes; RF_ERROR_NUMBER for a derivative that is
 *         not a finite number
 */
RF_API rf_status rf_effective_field_make(const rf_network *network, const rf_effective_options *options,
                                         const rf_effective_field **field, rf_error *error);

/** Gives a field back; NULL is allowed. */
RF_API void rf_effective_field_free(const rf_effective_field *field);

#ifdef __cplusplus
}
#endif
#endif
