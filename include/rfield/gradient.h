/* SPDX-License-Identifier: MIT */
/**
 * @file
 * The gradient of a network, as a network.
 *
 * Backpropagation walks a network once from its end and describes, layer by layer, how the derivative of a
 * loss by what a layer puts out becomes that by what it reads (Rumelhart, Hinton, Williams, "Learning
 * representations by back-propagating errors", 1986). What comes of it is an ordinary description: it can be
 * analysed, compiled, run and saved like any other.
 */
#ifndef RFIELD_GRADIENT_H
#define RFIELD_GRADIENT_H

#include <stdbool.h>
#include <stddef.h>

#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/status.h>
#include <rfield/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What is differentiated. */
typedef enum rf_loss {
    /** The output weighted by the input ::RF_TARGET, of the output's shape, and summed: with a target that
     * is 1 at one element and 0 elsewhere, the derivatives of that element. */
    RF_LOSS_WEIGHTED_SUM,
    /** The output holds scores [N, C, ...]; the input ::RF_TARGET holds class numbers [N, ...], int64. The mean
     * over all of them of -log softmax(scores)[class]. */
    RF_LOSS_CROSS_ENTROPY,
    /** The input ::RF_TARGET has the output's shape [N, ...]: 1/2 (output - target)^2, summed over the elements
     * of each of the N, and the mean over these. Of a scalar output the sum. */
    RF_LOSS_SQUARED_ERROR
} rf_loss;

/** Name of the input that the loss compares with. */
#define RF_TARGET "rfield.target"
/** Name of the output that is the loss, a scalar. */
#define RF_LOSS "rfield.loss"
/** What follows the name of a tensor in the name of its gradient, of the same shape. */
#define RF_GRADIENT_SUFFIX ".gradient"
/** What follows the name of a running statistic in the name of what was measured of a batch. */
#define RF_MEASURED_SUFFIX ".measured"

/** What to differentiate by what. Start from RF_GRADIENT_OPTIONS_DEFAULT. */
typedef struct rf_gradient_options {
    size_t size;                   /**< sizeof(rf_gradient_options) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< of the gradient's description */
    const rf_binding *bindings;    /**< shapes of inputs; the gradient is for these only */
    size_t binding_count;          /**< entries of `bindings` */
    const char *output;            /**< a float32 tensor, between layers too; NULL for the network's first output */
    rf_loss loss;                  /**< of that tensor */
    /** By every parameter: the float32 constants that rf_analyze() counts as trainable, less single numbers that
     * layers of single elements add or multiply by. They become inputs of the gradient, in the network's order. */
    bool parameters;
    const char *const *tensors;    /**< and by these: inputs and tensors between layers, float32 */
    size_t tensor_count;           /**< entries of `tensors` */
    /** BatchNormalization measures each batch, and the derivatives know it; the mean and the unbiased variance are outputs
     * (::RF_MEASURED_SUFFIX). Else it uses the statistics that it has. */
    bool measure_batches;
} rf_gradient_options;

/** By the parameters, of the first output's weighted sum; default allocator and limits. */
#define RF_GRADIENT_OPTIONS_DEFAULT \
    {.size = sizeof(rf_gradient_options), .limits = RF_LIMITS_DEFAULT, .parameters = true}

/**
 * Describes the gradient of `network`.
 *
 * Its inputs are the network's, then the parameters, then ::RF_TARGET. Its outputs are the output
 * differentiated, ::RF_LOSS, for each parameter and then each of `tensors` the gradient (its name with
 * ::RF_GRADIENT_SUFFIX; once for what is asked for twice), then what is measured. Dropout lets everything pass.
 *
 * @param network  the description; it must outlive the gradient, which points to its constants and attributes
 * @param options  NULL for the defaults
 * @param gradient receives the description, given back with rf_network_free(); NULL after a failure
 * @param error    may be NULL
 * @return as rf_analyze(); RF_ERROR_UNSUPPORTED for an operator that has no gradient, naming the layer;
 *         RF_ERROR_NOT_FOUND for a tensor that is not there; RF_ERROR_GRAPH for a network without weight
 *         tensors (rf_network_initialize() makes them)
 */
RF_API rf_status rf_gradient_describe(const rf_network *network, const rf_gradient_options *options,
                                      const rf_network **gradient, rf_error *error);

#ifdef __cplusplus
}
#endif
#endif
