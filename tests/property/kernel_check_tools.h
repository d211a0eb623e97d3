/* SPDX-License-Identifier: MIT */
/*
 * What the checks of fast kernels share: random numbers, buffers between pages
 * that fault, tensors with gaps whose bytes are watched, and runs of a kernel
 * with its units dealt out at random.
 */
#ifndef RF_TESTS_KERNEL_CHECK_TOOLS_H
#define RF_TESTS_KERNEL_CHECK_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernel.h"

/* ---- Random numbers --------------------------------------------------------------------- */

/* How far results were off, by kind of kernel. */
typedef struct check_errors {
    struct check_error {
        char kind[48];
        double most; /* in units of 2^-24 of what they are measured by */
        uint64_t results;
    } kinds[160];
    size_t count;
} check_errors;

typedef struct check_random {
    uint64_t seed; /* of the run, for messages */
    uint64_t state;
    check_errors *errors; /* NULL unless they are wanted */
} check_random;

/* From RF_SEED or the time; prints it. */
check_random check_seeded(void);

/* A setup whose state is a check_random: each test starts from the seed, so that one alone repeats. */
int check_restart(void **state);

/* RF_CASES, or `otherwise`. */
int check_cases(int otherwise);

uint64_t check_next(check_random *random);
int64_t check_between(check_random *random, int64_t least, int64_t most);
/* True once in so many times. */
bool check_one_in(check_random *random, int64_t times);

/* Integers of -4 .. 4, so that sums are exact, or reals of mixed magnitude. */
float check_float(check_random *random, bool integer);
/* So many of them; for free(). */
float *check_floats(check_random *random, int64_t count, bool integer);
/* Float `i` of what may lie at any byte. */
double check_float_at(const void *floats, int64_t i);

/* ---- Buffers between pages that fault --------------------------------------------------- */

typedef struct check_buffer {
    char *pages; /* guard, body, guard */
    size_t total, body, page;
    char *data;  /* flush with the one guard or the other, give or take the alignment asked for */
    size_t bytes;
} check_buffer;

/* At the end its last byte, else its first byte, touches a guard. */
check_buffer check_buffer_make(size_t bytes, bool at_end);
/* From now on a write faults. */
void check_buffer_protect(const check_buffer *buffer);
void check_buffer_free(check_buffer *buffer);

/* ---- Tensors ---------------------------------------------------------------------------- */

/* A float tensor in a buffer of its own, in which it may leave gaps. */
typedef struct check_tensor {
    rf_strided at;
    check_buffer buffer;
    float *data;
    bool *inside; /* for each float of the buffer: whether the tensor holds it */
    size_t floats;
} check_tensor;

/* `order` lists the axes from the outermost to the innermost in memory; NULL: row-major. With
 * `gaps` some axes are longer in memory than they are. Filled with NaN. */
check_tensor check_tensor_make(check_random *random, int32_t rank, const int64_t *dims,
                               const int32_t *order, bool gaps);
/* The same place in memory for a copy; filled with NaN. */
check_tensor check_tensor_like(check_random *random, const check_tensor *tensor);
void check_tensor_fill(check_random *random, check_tensor *tensor, bool integer);
void check_tensor_free(check_tensor *tensor);
/* Fails where a float in a gap is no longer what check_tensor_make wrote. */
void check_tensor_gaps(const check_tensor *tensor);
/* Fails unless both hold the same bits. */
void check_tensor_same(const check_tensor *a, const check_tensor *b);

/* Row-major steps through indices; false at the end. */
bool check_step(const rf_strided *at, int64_t *index);
int64_t check_offset(const rf_strided *at, const int64_t *index);

/* [1, channels, extent, extent] with channels last. */
rf_strided check_image(int64_t channels, int64_t extent);

/* ---- Which kernels ---------------------------------------------------------------------- */

/* The machine's next set of kernels after that one, the first after NULL; only RF_ISA's where that is
 * set. NULL at the end. */
const rf_kernels *check_set(const rf_kernels *after);

/* Whether the name has RF_FILTER in it, where that is set. */
bool check_wanted(const char *name);

/* ---- Runs ------------------------------------------------------------------------------- */

/* Makes a convolution's kernel; where `in_run`, by a maker that doesn't know the weights and the bias. */
bool check_make_convolution(bool (*make)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work),
                            const rf_convolution_spec *spec, bool in_run, rf_arena *arena, rf_work *work);

/* Packs and runs all units at once, or in random pieces in random order, with scratch that holds NaN. In pieces,
 * the weights are also packed in parts, where they can be. */
void check_run(check_random *random, const rf_work *work, void *const *data, bool in_pieces);

/* Seconds of the fastest of several runs. */
double check_time(const rf_work *work, void *const *data);

/* Prints what moving so many bytes takes, where check_wanted(). */
void check_report_bytes(const char *isa, const char *what, const rf_work *work, void *const *data, double bytes);

/* Where errors are wanted: that a result was `off` by so much, measured by `magnitude`, such as the sum
 * of the absolute values of what was added. The kind is the text of `kernel` before a comma. */
void check_note(check_random *random, const char *isa, const char *kernel, double off, double magnitude);
void check_errors_print(const check_errors *errors);

/* The error allowed in a sum of so many products whose absolute values sum to `magnitude`. */
double check_sum_bound(int64_t products, double magnitude);

/* map(x) in double. */
double check_map(double x, rf_map map);
/* How much map(x) may change when x changes by `error`. */
double check_map_bound(double x, double error, rf_map map);
/* A function with fitting parameters: `cheap` ones keep integers exact. */
rf_map check_random_map(check_random *random, bool cheap);

/* Fails unless both are NaN, the same infinity, or no further apart than `bound`. */
void check_near(float got, double expected, double bound, const char *what);

#endif
