/* SPDX-License-Identifier: MIT */
/**
 * @file
 * How gradients fare on their way back through a network, layer by layer, and why they vanish.
 *
 * A layer with weights computes z = A y + b, and mostly y' = sigma(z) after it. Going back,
 * dL/dz = sigma'(z) (A'^T dL/dz') with A' and z' of the layer behind, so that a gradient shrinks where weights are
 * small or where slopes are: the two causes that Hochreiter (1991) and Bengio, Simard and Frasconi (1994) describe.
 * docs/gradients.md defines every number here.
 */
#ifndef RFIELD_GRADIENT_REPORT_H
#define RFIELD_GRADIENT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rfield/gradient.h>
#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/run.h>
#include <rfield/status.h>
#include <rfield/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The part of an activation's largest slope below which an element counts as saturated: of a sigmoid where
 * |z| > 4.36, of a tanh where |z| > 2.18, of a ReLU where z <= 0. */
#define RF_SATURATED_BELOW 0.05

/** What becomes of gradients, and the cause. See rf_gradient_report::verdict. */
typedef enum rf_gradient_verdict {
    RF_GRADIENTS_HEALTHY,       /**< about the same size at every layer */
    RF_GRADIENTS_SMALL_WEIGHTS, /**< vanish: the weights shrink them, even where slopes are largest */
    RF_GRADIENTS_SATURATION,    /**< vanish: slopes are small because |z| is large */
    RF_GRADIENTS_EXPLODING      /**< grow from layer to layer, or are no longer finite */
} rf_gradient_verdict;

/**
 * One layer with weights: a convolution or a product with a constant matrix. Names belong to the report.
 *
 * Norms are Euclidean over all elements (of a matrix that is Frobenius's), in double; an rms is the norm over the
 * root of the number of elements. NaN where there is nothing to measure.
 */
typedef struct rf_layer_gradient {
    const char *name;           /**< of the layer */
    const char *type;           /**< its operator */
    const char *weight;         /**< the constant A */
    const char *bias;           /**< the constant b; NULL for none */
    const char *activation;     /**< the operator sigma that follows; NULL for none */
    const char *pre_activation; /**< the tensor z that it reads, or that the layer puts out */
    double weight_norm;         /**< of dL/dA */
    double weight_rms;          /**< of its elements */
    double bias_norm;           /**< of dL/db */
    double bias_rms;            /**< of its elements */
    double delta_norm;          /**< of dL/dz, over the batch */
    double delta_rms;           /**< of its elements */
    double saturated;           /**< share of elements whose |sigma'(z)| is below ::RF_SATURATED_BELOW of `steepest` */
    double mean_slope;          /**< mean |sigma'(z)|; 1 without an activation */
    double rms_slope;           /**< root of the mean square of sigma'(z); 1 without an activation */
    double most_slope;          /**< largest |sigma'(z)| in the batch; 1 without an activation */
    double steepest;            /**< largest |sigma'| between -32 and 32: 0.25 of a sigmoid */
    double spectral;            /**< largest singular value of A; see rf_gradient_report_make() */
    double gain;                /**< norm of A over the root of its outputs: what it stretches a random gradient by */
    /* To the next layer with weights, in the order in which they run; NaN for the last. */
    double ratio;               /**< delta_norm over the next layer's */
    double weight_ratio;        /**< weight_norm over the next layer's */
    double factor;              /**< spectral of the next layer times mean_slope: explains `ratio` */
    double bound;               /**< spectral of the next layer times most_slope: in a chain of dense layers
                                     `ratio` is no larger, but for rounding */
} rf_layer_gradient;

/** The whole account. */
typedef struct rf_gradient_report {
    const char *name;                /**< the network's; "" for none */
    const char *output;              /**< the tensor that the loss is of */
    double loss;                     /**< of the batch */
    const rf_layer_gradient *layers; /**< those that the loss depends on, in the order in which they run */
    size_t layer_count;              /**< at least 1 */
    /* Geometric means over the layers but the last; 1 for a single layer. */
    double ratio;                    /**< what a step back multiplies the gradient by */
    double weights;                  /**< gain of the next layer times `steepest`: the weights' part of that */
    double slopes;                   /**< rms_slope over `steepest`: the part of the slopes */
    double saturated;                /**< mean share over layers with an activation; NaN without any */
    /**
     * - Exploding: `ratio` is above 2, or the first layer's delta_norm more than 100 times the last's, or one is
     *   not finite.
     * - Else healthy, unless `ratio` is below 0.5 or the first layer's delta_norm less than a hundredth of the last's.
     * - Else saturation where `slopes` is below `weights` or `weights` at least 1; else small weights.
     */
    rf_gradient_verdict verdict;
    const char *reason;              /**< the verdict in a sentence, with the numbers that it rests on */
} rf_gradient_report;

/** How to measure. Start from RF_GRADIENT_REPORT_OPTIONS_DEFAULT. */
typedef struct rf_gradient_report_options {
    size_t size;                   /**< sizeof(rf_gradient_report_options) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< as rf_compile_options::limits */
    const rf_binding *bindings;    /**< shapes of inputs */
    size_t binding_count;          /**< entries of `bindings` */
    int64_t batch;                 /**< first extent of inputs whose own is unknown and not bound */
    const char *output;            /**< tensor that the loss is of; NULL for the network's first output, or for a
                                        cross entropy the scores that a Softmax at its end reads */
    rf_loss loss;                  /**< see ::rf_loss */
    uint64_t seed;                 /**< of what `values` doesn't give */
    const rf_tensor *values;       /**< elements of inputs or of ::RF_TARGET, by name; type and size must be theirs */
    size_t value_count;            /**< entries of `values` */
    bool measure_batches;          /**< see rf_gradient_options::measure_batches */
    const rf_executor *executor;   /**< NULL for the caller's thread alone. The bits are the same. */
} rf_gradient_report_options;

/** Squared error, batches of 16 measured, seed 1, default allocator. */
#define RF_GRADIENT_REPORT_OPTIONS_DEFAULT                                                                            \
    {.size = sizeof(rf_gradient_report_options), .limits = {.memory_bytes = UINT64_C(1) << 36, .layers = 1000000,     \
     .tensors = 4000000, .folded_elements = UINT64_C(1) << 27, .nesting = 64}, .batch = 16,                           \
     .loss = RF_LOSS_SQUARED_ERROR, .seed = 1, .measure_batches = true}

/**
 * Runs the gradient of a loss on one batch and measures it at every layer with weights.
 *
 * What isn't given is drawn: inputs and targets of floats normal with mean 0 and deviation 1, classes each as
 * likely; other inputs are 0. The activation of a layer is the first that its output reaches through layers that
 * add, normalise or move elements and are alone in reading what the one before puts out.
 *
 * The matrix of a convolution is its weight as it is stored: [C_out, C_in / g T] for T taps and g groups, or
 * [C_in, C_out / g T] of a transposed one. Singular values of the convolution itself may be up to sqrt(T) times as
 * large. They are found by power iteration from a fixed start, until a step changes them by less than 1e-10 of
 * themselves or enough work is done: never above the true ones, and within about a hundredth of those of large
 * random matrices. The factor `alpha` of a Gemm counts.
 *
 * Thread-safe.
 *
 * @param network a description with weights
 * @param options NULL for the defaults
 * @param report  receives the account, which needs neither of the two; NULL after a failure
 * @param error   may be NULL
 * @return as rf_gradient_describe() and rf_compile(); RF_ERROR_GRAPH for a network without layers that have
 *         weights; RF_ERROR_NOT_FOUND, RF_ERROR_SHAPE for `values` that don't fit; RF_ERROR_SHAPE for tensors
 *         without elements
 */
RF_API rf_status rf_gradient_report_make(const rf_network *network, const rf_gradient_report_options *options,
                                         const rf_gradient_report **report, rf_error *error);

/** Gives a report back; NULL is allowed. */
RF_API void rf_gradient_report_free(const rf_gradient_report *report);

/** "healthy", "small weights", "saturation", "exploding"; "" for none of them. */
RF_API const char *rf_gradient_verdict_name(rf_gradient_verdict verdict);

#ifdef __cplusplus
}
#endif
#endif
