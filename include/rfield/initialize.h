/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Weights for a network that has none, or new ones for one that has.
 */
#ifndef RFIELD_INITIALIZE_H
#define RFIELD_INITIALIZE_H

#include <stdbool.h>

#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/status.h>
#include <rfield/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Where weights are drawn from. `fan_in` is how many weights an output is summed over, `fan_out` how many
 * an input takes part in: for a convolution of group g with T taps, C_in T / g and C_out T / g; for a dense
 * layer its input and output features. `gain` is rf_initialization::gain, or where that is 0 the one stated.
 */
typedef enum rf_weight_scheme {
    RF_WEIGHTS_ZERO,
    RF_WEIGHTS_CONSTANT,       /**< rf_initialization::low */
    RF_WEIGHTS_NORMAL,         /**< mean and deviation as given */
    RF_WEIGHTS_UNIFORM,        /**< in [low, high) as given */
    RF_WEIGHTS_XAVIER_UNIFORM, /**< variance gain^2 2 / (fan_in + fan_out), gain 1 (Glorot and Bengio 2010) */
    RF_WEIGHTS_XAVIER_NORMAL,  /**< the same, normal */
    RF_WEIGHTS_HE_UNIFORM,     /**< variance gain^2 / fan, gain sqrt(2) (He et al. 2015) */
    RF_WEIGHTS_HE_NORMAL,      /**< the same, normal */
    RF_WEIGHTS_LECUN_NORMAL,   /**< variance gain^2 / fan_in, gain 1 (LeCun et al. 1998) */
    /** gain times a matrix with orthonormal rows or columns, whichever are fewer, of uniform direction, gain 1
     * (Saxe et al. 2014). A convolution's weight is C_out rows. Time is cubic in the extents. */
    RF_WEIGHTS_ORTHOGONAL
} rf_weight_scheme;

/** Where biases are drawn from. */
typedef enum rf_bias_scheme {
    RF_BIAS_ZERO,
    RF_BIAS_UNIFORM_FAN_IN /**< uniform in [-1, 1) / sqrt(fan_in), as PyTorch does */
} rf_bias_scheme;

/** Which fan the schemes of He look at. */
typedef enum rf_fan {
    RF_FAN_IN, /**< keeps the variance of activations */
    RF_FAN_OUT /**< keeps the variance of gradients */
} rf_fan;

/** How to choose weights. Start from RF_INITIALIZATION_DEFAULT. */
typedef struct rf_initialization {
    size_t size;                   /**< sizeof(rf_initialization) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< memory_bytes bounds the new weights too */
    const rf_binding *bindings;    /**< shapes of inputs, as for rf_analyze() */
    size_t binding_count;          /**< entries of `bindings` */
    uint64_t seed;                 /**< the same weights for the same seed, on every machine */
    rf_weight_scheme scheme;       /**< of weights */
    rf_bias_scheme bias;           /**< of biases */
    rf_fan fan;                    /**< for RF_WEIGHTS_HE_UNIFORM and RF_WEIGHTS_HE_NORMAL */
    double gain;                   /**< 0 for the scheme's own */
    double mean;                   /**< of RF_WEIGHTS_NORMAL */
    double deviation;              /**< of RF_WEIGHTS_NORMAL, at least 0 */
    double low;                    /**< of RF_WEIGHTS_UNIFORM and RF_WEIGHTS_CONSTANT */
    double high;                   /**< of RF_WEIGHTS_UNIFORM, at least `low` */
    bool all;                      /**< parameters that have elements get new ones too */
} rf_initialization;

/** He's normal scheme, fan in, biases zero, seed 1. */
#define RF_INITIALIZATION_DEFAULT                                                                        \
    {.size = sizeof(rf_initialization), .limits = RF_LIMITS_DEFAULT, .seed = 1,                          \
     .scheme = RF_WEIGHTS_HE_NORMAL, .deviation = 0.01, .low = -0.05, .high = 0.05}

/**
 * Copies a network and gives weights to what has none.
 *
 * - Weights that a layer implies (`filters`, `bias`, normalisations without scale) become constants
 *   "LAYER.weight", "LAYER.bias", "LAYER.mean" and "LAYER.variance", in the layer's inputs; where one of
 *   these names is taken, "LAYER_N." replaces "LAYER.", N being the layer's position. A Gemm whose input has
 *   more than two axes gets a Flatten before it, as ONNX wants.
 * - Constants of floats without elements get some; with `all`, so do those that rf_analyze() counts as
 *   parameters or statistics and that a layer reads directly.
 * - A scale or variance becomes 1, a mean or shift 0, the slope of PRelu 0.25; biases go by `bias`, all other
 *   weights by `scheme`. What a tensor gets depends on the seed and on its name, not on other tensors.
 *
 * The copy's layers are in an order in which they can run, all names explicit. It stands on its own but for the
 * elements of constants and of tensors in attributes, which stay where the source has them and must outlive it.
 *
 * @param network     the source, unchanged
 * @param how         NULL for the defaults
 * @param initialized receives the copy, to be given back with rf_network_free(); NULL after a failure
 * @param error       may be NULL
 * @return RF_OK; what rf_analyze() returns; RF_ERROR_ARGUMENT for a scheme or number that is out of range;
 *         RF_ERROR_GRAPH for names that are taken; RF_ERROR_LIMIT, RF_ERROR_MEMORY; RF_ERROR_UNSUPPORTED where
 *         the library was built without training
 */
RF_API rf_status rf_network_initialize(const rf_network *network, const rf_initialization *how,
                                       const rf_network **initialized, rf_error *error);

#ifdef __cplusplus
}
#endif
#endif
