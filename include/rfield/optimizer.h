/* SPDX-License-Identifier: MIT */
/**
 * @file
 * From gradients to better parameters: optimisers on plain arrays, and how their rate goes on.
 *
 * An optimiser knows arrays and nothing of networks: the caller hands it parameters and gradients,
 * however they came about.
 */
#ifndef RFIELD_OPTIMIZER_H
#define RFIELD_OPTIMIZER_H

#include <stddef.h>
#include <stdint.h>

#include <rfield/memory.h>
#include <rfield/run.h>
#include <rfield/status.h>
#include <rfield/visibility.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * How parameters theta^k become theta^{k+1}, alpha being the rate of the step, beta the momentum and g the
 * gradient at theta^k, clipped and with the decay added. docs/training.md derives what is said here.
 */
typedef enum rf_optimizer_kind {
    /** theta^{k+1} = theta^k - alpha g */
    RF_OPTIMIZER_SGD,
    /** Form I: theta^{k+1} = theta^k - alpha g + beta (theta^k - theta^{k-1}), with theta^{-1} = theta^0. */
    RF_OPTIMIZER_MOMENTUM_I,
    /** Form II: v^{k+1} = g + beta v^k, theta^{k+1} = theta^k - alpha v^{k+1}, with v^0 = 0. Equal to form I
     * while alpha is constant, and only then. PyTorch's momentum. */
    RF_OPTIMIZER_MOMENTUM_II,
    /** v^{k+1} = g + beta v^k, theta^{k+1} = theta^k - alpha (g + beta v^{k+1}): PyTorch's form of Nesterov's. */
    RF_OPTIMIZER_NESTEROV,
    /** Adam with bias correction (Kingma and Ba 2015); epsilon is added to the corrected root. */
    RF_OPTIMIZER_ADAM,
    /** Adam whose decay goes by the parameters alone (Loshchilov and Hutter 2019): theta^k is first multiplied
     * by 1 - alpha decay. */
    RF_OPTIMIZER_ADAMW
} rf_optimizer_kind;

/** How to make an optimiser. Start from RF_OPTIMIZER_OPTIONS_DEFAULT. */
typedef struct rf_optimizer_options {
    size_t size;                   /**< sizeof(rf_optimizer_options) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< memory_bytes bounds the state */
    const rf_executor *executor;   /**< NULL for none: the caller's thread does all. Copied. */
    rf_optimizer_kind kind; /**< which of them */
    double momentum;     /**< beta, at least 0 and below 1; not used by SGD and Adam */
    double beta1;        /**< of Adam's mean, at least 0 and below 1 */
    double beta2;        /**< of Adam's mean square, at least 0 and below 1 */
    double epsilon;      /**< of Adam, above 0 */
    double weight_decay; /**< at least 0; its product with theta^k is added to g, but see RF_OPTIMIZER_ADAMW */
    /** 0, or the most that the Euclidean norm of all gradients together may be: larger ones are scaled down
     * to it, before decay. */
    double clip_norm;
} rf_optimizer_options;

/** Form II with beta 0.9; Adam's 0.9, 0.999 and 1e-8; no decay, no clipping, one thread. */
#define RF_OPTIMIZER_OPTIONS_DEFAULT                                                             \
    {.size = sizeof(rf_optimizer_options), .limits = RF_LIMITS_DEFAULT,                          \
     .kind = RF_OPTIMIZER_MOMENTUM_II, .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8}

/** An optimiser with its state: one thread at a time may step it. */
typedef struct rf_optimizer rf_optimizer;

/**
 * Makes an optimiser for tensors of `sizes` elements. It holds one float for each parameter (momentum), two
 * (Adam) or none (SGD), and about a double for each 4096.
 *
 * @param options      NULL for the defaults
 * @param sizes        elements of each tensor; only read during the call
 * @param tensor_count entries of `sizes`
 * @param optimizer    receives the optimiser, to be given back with rf_optimizer_free(); NULL after a failure
 * @param error        may be NULL
 * @return RF_ERROR_ARGUMENT for an option that is out of range, RF_ERROR_LIMIT, RF_ERROR_MEMORY,
 *         RF_ERROR_OVERFLOW; RF_ERROR_UNSUPPORTED where the library was built without training
 */
RF_API rf_status rf_optimizer_make(const rf_optimizer_options *options, const size_t *sizes, size_t tensor_count,
                                   rf_optimizer **optimizer, rf_error *error);

/**
 * One step. Allocates nothing. The result is the same bit for bit for any number of workers, and on every
 * instruction set.
 *
 * All gradients are looked through first: where one is infinite or not a number, nothing changes, neither
 * parameters nor state, so that the last good parameters stay. Parameters may still overflow where the rate
 * is too large; the next gradients tell.
 *
 * @param optimizer  for these arrays
 * @param parameters `tensor_count` arrays of as many floats as said, changed in place; none may overlap another
 * @param gradients  as many arrays, only read
 * @param rate       alpha, finite
 * @param error      may be NULL
 * @return RF_OK, RF_ERROR_NUMBER naming the tensor and the element, RF_ERROR_ARGUMENT for NULL where a tensor
 *         has elements, and for a rate that isn't finite
 */
RF_API rf_status rf_optimizer_step(rf_optimizer *optimizer, float *const *parameters,
                                   const float *const *gradients, double rate, rf_error *error);

/** The Euclidean norm of all gradients of the last step that was taken, before clipping; 0 before any. */
RF_API double rf_optimizer_gradient_norm(const rf_optimizer *optimizer);

/** Gives an optimiser back; NULL is allowed. */
RF_API void rf_optimizer_free(rf_optimizer *optimizer);

/** How a rate goes on from step to step. */
typedef enum rf_schedule_kind {
    RF_SCHEDULE_CONSTANT,    /**< rate */
    RF_SCHEDULE_STEP,        /**< rate factor^floor(k / interval) */
    RF_SCHEDULE_EXPONENTIAL, /**< rate factor^(k / interval) */
    RF_SCHEDULE_COSINE,      /**< from rate to final_rate over `steps`, as half a cosine, then final_rate */
    RF_SCHEDULE_ONE_CYCLE    /**< half a cosine from initial_rate to rate over `peak` steps, then another to
                                  final_rate, which is reached at `steps` */
} rf_schedule_kind;

/** A schedule: plain data. What a kind doesn't name it doesn't read. */
typedef struct rf_schedule {
    rf_schedule_kind kind; /**< which of them */
    double rate;         /**< the largest */
    double initial_rate; /**< of one cycle */
    double final_rate;   /**< of one cycle and cosine */
    double factor;       /**< for each interval */
    uint64_t interval;   /**< steps; 0 is 1 */
    uint64_t steps;      /**< of the whole, warm-up not counted */
    uint64_t peak;       /**< of one cycle: steps to the largest rate, fewer than `steps` */
    uint64_t warmup;     /**< steps before any of this, in which the rate grows in a straight line: step k, from
                              0, has (k + 1) / (warmup + 1) of what the schedule begins with */
} rf_schedule;

/** The rate of step `step`, counted from 0; 0 for a kind that isn't known. */
RF_API double rf_schedule_rate(const rf_schedule *schedule, uint64_t step);

#ifdef __cplusplus
}
#endif
#endif
