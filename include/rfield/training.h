/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Training: a network's parameters, the gradient of a loss on batches, and steps against it.
 *
 * A trainer compiles what rf_gradient_describe() describes and holds the parameters. It does not read data
 * sets, shuffle or stop: that is the caller's loop, see examples/train_fashion_mnist.c.
 */
#ifndef RFIELD_TRAINING_H
#define RFIELD_TRAINING_H

#include <rfield/gradient.h>
#include <rfield/optimizer.h>
#include <rfield/run.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A parameter of a trainer. */
typedef struct rf_parameter {
    const char *name;      /**< of the constant in the network */
    rf_shape shape;        /**< of `values` and `gradient`, row-major */
    size_t count;          /**< elements */
    float *values;         /**< as they are now; the caller may write them between calls */
    float *gradient;       /**< after rf_backward(): dL/d(values); the caller may change it before rf_trainer_step() */
} rf_parameter;

/** What trains a network: not for several threads at once. */
typedef struct rf_trainer rf_trainer;

/** How to train. Start from RF_TRAINER_OPTIONS_DEFAULT. */
typedef struct rf_trainer_options {
    size_t size;                    /**< sizeof(rf_trainer_options) */
    const rf_allocator *allocator;  /**< NULL for malloc and free */
    rf_limits limits;               /**< as rf_compile_options::limits */
    const rf_binding *bindings;     /**< shapes of inputs: of a whole batch */
    size_t binding_count;           /**< entries of `bindings` */
    const char *output;             /**< tensor that the loss is of; NULL for the network's first output */
    rf_loss loss;                   /**< see ::rf_loss */
    bool measure_batches;           /**< see rf_gradient_options::measure_batches */
    double statistics_rate;         /**< how far running statistics go towards a batch's in a step, 0 to 1 */
    rf_optimizer_options optimizer; /**< how parameters follow their gradients */
    const rf_executor *executor;    /**< NULL for the caller's thread alone; copied. The bits are the same. */
    bool exact;                     /**< see rf_compile_options::exact */
    const char *isa;                /**< see rf_compile_options::isa */
} rf_trainer_options;

/** Cross entropy, batches measured (statistics follow by 0.1), momentum in form II with beta 0.9. */
#define RF_TRAINER_OPTIONS_DEFAULT                                                                                   \
    {.size = sizeof(rf_trainer_options), .limits = {.memory_bytes = UINT64_C(1) << 36, .layers = 1000000,            \
     .tensors = 4000000, .folded_elements = UINT64_C(1) << 27, .nesting = 64}, .loss = RF_LOSS_CROSS_ENTROPY,        \
     .measure_batches = true, .statistics_rate = 0.1, .optimizer = RF_OPTIMIZER_OPTIONS_DEFAULT}

/**
 * Makes a trainer whose parameters start as the network's constants.
 *
 * @param network what to train; it must outlive the trainer
 * @param options NULL for the defaults
 * @param trainer receives the trainer; NULL after a failure
 * @param error   may be NULL
 * @return as rf_gradient_describe() and rf_compile(); RF_ERROR_GRAPH for a network without parameters or whose
 *         parameters have no elements
 */
RF_API rf_status rf_trainer_make(const rf_network *network, const rf_trainer_options *options, rf_trainer **trainer,
                                 rf_error *error);

/** Gives a trainer back; NULL is allowed. */
RF_API void rf_trainer_free(rf_trainer *trainer);

/** All parameters, in the order of the network's constants; the trainer's own. */
RF_API const rf_parameter *rf_trainer_parameters(const rf_trainer *trainer, size_t *count);

/** Binds an input of the network, or ::RF_TARGET, as rf_session_bind_input(). Stays bound. */
RF_API rf_status rf_trainer_bind(rf_trainer *trainer, const char *name, const void *data, size_t bytes,
                                 rf_error *error);

/** The output that the loss is of, as the last rf_backward() left it. */
RF_API rf_status rf_trainer_output(const rf_trainer *trainer, rf_tensor *output, rf_error *error);

/**
 * Runs the bound batch forward and back: computes the loss and the gradients of all parameters. Allocates nothing.
 *
 * @param trainer with all inputs bound
 * @param loss    receives the loss; may be NULL
 * @param error   may be NULL
 * @return RF_ERROR_SHAPE for a class outside of those that there are; RF_ERROR_NUMBER for a loss that is not a
 *         finite number. Parameters and statistics are as before, and another batch may follow.
 */
RF_API rf_status rf_backward(rf_trainer *trainer, double *loss, rf_error *error);

/**
 * Moves the parameters by the optimiser, and running statistics towards what the batch had. Allocates nothing.
 *
 * @param trainer after rf_backward()
 * @param rate    the learning rate of this step
 * @param error   may be NULL
 * @return RF_ERROR_NUMBER where a gradient is not finite, naming its parameter: nothing has changed then
 */
RF_API rf_status rf_trainer_step(rf_trainer *trainer, double rate, rf_error *error);

/**
 * The network with the parameters and statistics as they are now, copied, for running, analysing and saving.
 *
 * @param trainer any
 * @param network receives a description that needs the trainer's network, but not the trainer; given back with
 *                rf_network_free()
 * @param error   may be NULL
 * @return RF_ERROR_MEMORY
 */
RF_API rf_status rf_trainer_network(const rf_trainer *trainer, const rf_network **network, rf_error *error);

#ifdef __cplusplus
}
#endif
#endif
