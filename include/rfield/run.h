/* SPDX-License-Identifier: MIT */
/**
 * @file
 * Running a network: compile once, run many times.
 *
 * rf_compile() turns a description with bound shapes into an immutable
 * ::rf_model, which any number of threads may share. An ::rf_session holds what
 * one run at a time writes. rf_run() allocates nothing, takes no lock but the
 * executor's and makes no system call, but that one of several workers gives
 * its processor up for a moment where it has waited long for the others, and
 * sleeps where they have waited long for it.
 *
 *     rf_model *model;
 *     rf_compile(network, NULL, &model, &error);
 *     rf_session *session;
 *     rf_session_make(model, NULL, &session, &error);
 *     rf_session_bind(session, "input", pixels, sizeof pixels, &error);
 *     rf_session_bind(session, "scores", scores, sizeof scores, &error);
 *     rf_run(session, &error);
 */
#ifndef RFIELD_RUN_H
#define RFIELD_RUN_H

#include <stdbool.h>

#include <rfield/analysis.h>
#include <rfield/kernels.h>
#include <rfield/memory.h>
#include <rfield/network.h>
#include <rfield/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Who runs the pieces of a layer side by side: the caller's own threads, or
 * those of rf_threads_make().
 */
typedef struct rf_executor {
    /** Calls `body(argument, worker)` once for each worker from 0 to `workers - 1` and returns when
     * all have returned. They may run at the same time or one after the other. A run for which one
     * worker is enough does not call it. */
    void (*run)(void *context, void (*body)(void *argument, size_t worker), void *argument, size_t workers);
    void *context;  /**< handed to `run` */
    size_t workers; /**< the most that may run at once; 1 to 65536 */
} rf_executor;

/** A pool of threads. */
typedef struct rf_threads rf_threads;

/**
 * Starts `count` workers, the calling thread counted; 0 means one for each processor.
 * One call of rf_run() at a time may use a pool; others wait.
 *
 * @return RF_ERROR_ARGUMENT for more than 1024, RF_ERROR_MEMORY, or RF_ERROR_UNSUPPORTED where the
 *         library was built without threads and `count` is above 1
 */
RF_API rf_status rf_threads_make(size_t count, rf_threads **threads, rf_error *error);

/** The pool as an executor, valid as long as the pool. */
RF_API rf_executor rf_threads_executor(rf_threads *threads);

/** Ends the threads; NULL is allowed. No run may be using them. */
RF_API void rf_threads_free(rf_threads *threads);

/** A network made ready to run: immutable. */
typedef struct rf_model rf_model;

/** What numbers are multiplied as. */
typedef enum rf_precision {
    RF_PRECISION_FLOAT32, /**< as they are */
    /**
     * Convolutions in one group and products by a constant matrix round weights and inputs to bfloat16
     * (8 bits of significand, to the nearest, ties to even) where the processor multiplies those
     * (AVX512-BF16); sums, biases and all tensors stay float32. Elsewhere, and where float32 is faster
     * or another operator is at work, the model computes in float32; rf_model_step::algorithm tells.
     * Numbers that are smaller than the smallest normal one count as 0, and padding is zeros that are
     * multiplied: an infinite or NaN weight makes NaN of outputs that it reaches from padding.
     */
    RF_PRECISION_BFLOAT16
} rf_precision;

/** How to compile. Start from RF_COMPILE_OPTIONS_DEFAULT. */
typedef struct rf_compile_options {
    size_t size;                   /**< sizeof(rf_compile_options) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    rf_limits limits;              /**< of the model, its weights and arena included */
    const rf_binding *bindings;    /**< shapes of inputs */
    size_t binding_count;          /**< entries of `bindings` */
    /** Inputs whose elements are known now, by name, with type, shape and data. The model takes
     * them as constants and no longer as inputs; shapes may depend on them. Copied. */
    const rf_tensor *values;
    size_t value_count;            /**< entries of `values` */
    /** Of the caller's float32 buffers of rank 4: RF_NCHW, the network's own, or RF_NHWC, in which
     * case inputs and outputs are [N, H, W, C] in memory. Shapes are stated as NCHW either way. An output
     * whose extents depend on the data is always the network's own. */
    rf_layout layout;
    /** Every layer by itself and by plain loops that count what they do (rf_session_counts()): slow,
     * for checking. */
    bool reference;
    /** Only algorithms whose rounding error is that of a sum of products, in any order. */
    bool exact;
    /** "avx512", "avx2", "baseline": no better instruction set than this; NULL for the best. Where the
     * environment has RFIELD_ISA, that narrows the choice further: one name, no better than it; several
     * with commas between them, one of those. */
    const char *isa;
    /** NULL, or a model of the same network (the same weights in memory) whose prepared weights are
     * shared where they are alike; it may be freed first, but its allocator must outlive all that share. */
    const rf_model *share;
    /** NULL, or who prepares the weights; used during the call only. The model is the same, bit for bit. */
    const rf_executor *executor;
    /** RF_PRECISION_FLOAT32, or less: faster, and smaller weights. Changes nothing for `reference`. */
    rf_precision precision;
    /** Convolutions for which there are several algorithms are timed by all of them, and keep the fastest: takes
     * some tenths of a second for each layer unlike the others, a minute at most, and as much memory as a layer's
     * tensors and weights meanwhile. Another compilation may choose otherwise, whose results differ by rounding. */
    bool tune;
} rf_compile_options;

/** The default allocator and limits, shapes as described, RF_NCHW. */
#define RF_COMPILE_OPTIONS_DEFAULT                                                     \
    {.size = sizeof(rf_compile_options), .limits = {.memory_bytes = UINT64_C(1) << 36, \
     .layers = 1000000, .tensors = 4000000, .folded_elements = UINT64_C(1) << 27, .nesting = 64}}

/**
 * Makes a model. The network must outlive it.
 *
 * @param network the description
 * @param options NULL for the defaults
 * @param model   receives the model; NULL after a failure
 * @param error   may be NULL
 * @return as rf_analyze(); RF_ERROR_UNSUPPORTED for an operator, a form or an element type that
 *         cannot run, or an instruction set that is unknown or not there; RF_ERROR_GRAPH for a weight
 *         without elements
 */
RF_API rf_status rf_compile(const rf_network *network, const rf_compile_options *options,
                            rf_model **model, rf_error *error);

/** Gives a model back; NULL is allowed. Its sessions must be gone. */
RF_API void rf_model_free(rf_model *model);

/** The tensors to provide and those that come out: names, types, shapes. An output whose extents
 * depend on the data states the most they can be. Owned by the model. */
RF_API const rf_tensor *rf_model_inputs(const rf_model *model, size_t *count);
/** See rf_model_inputs(). */
RF_API const rf_tensor *rf_model_outputs(const rf_model *model, size_t *count);

/** What a model takes. */
typedef struct rf_model_memory {
    uint64_t arena_bytes;      /**< of a session with one worker: tensors between layers and scratch */
    uint64_t activation_bytes; /**< the part of `arena_bytes` that holds tensors */
    uint64_t worker_bytes;     /**< what each worker beyond the first adds to the arena */
    uint64_t packed_bytes;     /**< prepared weights; shared ones too */
} rf_model_memory;

/** Known before any run. */
RF_API rf_model_memory rf_model_memory_needed(const rf_model *model);

/** One step of a model, as decided at compile time. */
typedef struct rf_model_step {
    const char *layer;      /**< the network's layer that it is for; "" for a copy of an input */
    size_t index;           /**< of that layer in rf_analysis::layers of the same network; SIZE_MAX for none */
    const char *type;       /**< that layer's operator; "" for a copy between layouts */
    const char *algorithm;  /**< the kernel; "reference" for the plain loops */
    const char *fused;      /**< what else it does, such as "Add, Relu"; "" for nothing */
    rf_shape shape;         /**< of the first output */
    uint64_t operations;    /**< about how many multiply-adds */
} rf_model_step;

/** How many steps a run takes. */
RF_API size_t rf_model_step_count(const rf_model *model);
/** Step `i`, below rf_model_step_count(). */
RF_API rf_model_step rf_model_step_at(const rf_model *model, size_t i);

/**
 * Does multiply-adds that wait for nothing, with the vectors that the model's kernels use, and returns
 * how many: in proportion to `steps`. Over the time that it takes, that is the most that a thread of this
 * processor can do, to hold a layer's speed against.
 */
RF_API uint64_t rf_model_spin(const rf_model *model, uint64_t steps);

/** What one run at a time writes: the arena and the bound buffers. */
typedef struct rf_session rf_session;

/** How to make a session. Start from RF_SESSION_OPTIONS_DEFAULT. */
typedef struct rf_session_options {
    size_t size;                   /**< sizeof(rf_session_options) */
    const rf_allocator *allocator; /**< NULL for malloc and free */
    const rf_executor *executor;   /**< NULL for none: the caller's thread does all. Copied. */
    void *memory;                  /**< NULL, or the arena, aligned to 64 bytes, of the size that
                                        rf_model_memory_needed() and the workers ask for */
    size_t memory_bytes;           /**< of `memory` */
} rf_session_options;

/** One thread, memory from malloc. */
#define RF_SESSION_OPTIONS_DEFAULT {.size = sizeof(rf_session_options)}

/** Makes a session; the model must outlive it. RF_ERROR_ARGUMENT for too little `memory`. */
RF_API rf_status rf_session_make(const rf_model *model, const rf_session_options *options,
                                 rf_session **session, rf_error *error);

/** Gives a session back; NULL is allowed. */
RF_API void rf_session_free(rf_session *session);

/**
 * Binds an input or output to the caller's buffer: row-major elements (or see
 * rf_compile_options::layout), aligned as the element type asks, at least as many bytes as the
 * tensor has. It is read or written in each rf_run() until another is bound. An output that is
 * not bound is kept in the session (see rf_session_output()).
 *
 * Inputs and outputs must not overlap.
 *
 * @return RF_ERROR_NOT_FOUND for a name that is neither, RF_ERROR_ARGUMENT for NULL, a bad
 *         alignment or too few bytes, with the number expected
 */
RF_API rf_status rf_session_bind(rf_session *session, const char *name, void *data, size_t bytes,
                                 rf_error *error);

/** The same for an input that is only read. */
RF_API rf_status rf_session_bind_input(rf_session *session, const char *name, const void *data,
                                       size_t bytes, rf_error *error);

/** An output after a run: its type, its real shape, and where its elements are. RF_ERROR_NOT_FOUND. */
RF_API rf_status rf_session_output(const rf_session *session, const char *name, rf_tensor *output,
                                   rf_error *error);

/** What step `i` has done in the last run, of a model compiled as rf_compile_options::reference;
 * nothing otherwise. */
RF_API rf_counts rf_session_counts(const rf_session *session, size_t i);

/** Called before each step, by one worker at a time; false ends the run. */
typedef bool (*rf_step_observer)(void *context, const rf_session *session, size_t step);

/** Sets or, with NULL, removes an observer, for progress and timing. */
RF_API void rf_session_observe(rf_session *session, rf_step_observer observer, void *context);

/**
 * Runs the network once.
 *
 * @return RF_ERROR_ARGUMENT for an input that is not bound; RF_ERROR_SHAPE or RF_ERROR_UNSUPPORTED
 *         where the elements ask for what a layer cannot do (an index out of range, a division of
 *         integers by 0), naming the layer; RF_ERROR_STOPPED where the observer said so. The
 *         session stays usable.
 */
RF_API rf_status rf_run(rf_session *session, rf_error *error);

#ifdef __cplusplus
}
#endif
#endif
