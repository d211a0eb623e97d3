/* SPDX-License-Identifier: MIT */
/* What the tests of running share: a network with something of everything, memory that is counted and
 * may run out, and sessions whose buffers end where unmapped pages begin. */
#ifndef RF_TESTS_RUN_TOOLS_H
#define RF_TESTS_RUN_TOOLS_H

#include <stdbool.h>

#include <rfield/rfield.h>

#define LENGTH(array_) (sizeof(array_) / sizeof *(array_))

/* ---- Memory ------------------------------------------------------------------------------- */

/* An allocator that knows what is still held, and refuses one call. */
typedef struct counted_memory {
    rf_allocator allocator;
    size_t live, most; /* bytes */
    size_t calls;      /* so far */
    size_t refuse_at;  /* the call that gets nothing, counted from 1; 0 for none */
} counted_memory;

void counted_memory_init(counted_memory *memory, size_t refuse_at);

/* Bytes between pages that nobody may touch. */
typedef struct fenced {
    void *map;
    size_t map_bytes;
    char *start;
    size_t bytes;
} fenced;

/* `bytes` bytes that end where the upper fence begins, or begin where the lower ends. Where the upper one is
 * wanted but `alignment` forbids, fewer than `alignment` bytes lie between. */
fenced fenced_make(size_t bytes, size_t alignment, bool at_end);
void fenced_free(fenced *memory);

/* ---- Networks ----------------------------------------------------------------------------- */

size_t elements_of(const rf_shape *shape);
size_t bytes_of(const rf_tensor *tensor);

/* Input "x" [N, 3, 32, 32]; outputs "scores" [N, 10] and "features" [N, 16, 16, 16]. Convolutions of several
 * kinds, pools, a residual, a concatenation, resampling, a layer that only the plain loops can do. */
rf_network mixed_network(void);

/* Fails the test where the network cannot be compiled. */
rf_model *compiled(const rf_network *network, const rf_compile_options *options);

/* From -1 to 1, the same for the same seed. */
void fill_random(float *at, size_t count, uint64_t seed);

/* ---- Files -------------------------------------------------------------------------------- */

/* A file in a folder of the process's own: for the tests of a group. The folder's end fails where another file is
 * left in it. */
extern char network_path[64];
int make_folder(void **state);
int remove_folder(void **state);

/* ---- Executors ---------------------------------------------------------------------------- */

/* Workers one after the other, the last first. A context that is not NULL is a size_t that counts calls. */
void run_backward(void *context, void (*body)(void *argument, size_t worker), void *argument, size_t workers);

/* ---- Runs --------------------------------------------------------------------------------- */

enum { RUN_MOST = 64 };

/* A session and buffers for all that goes in and out, fenced. */
typedef struct bound_run {
    const rf_model *model;
    rf_session *session;
    fenced inputs[RUN_MOST], outputs[RUN_MOST];
    size_t input_count, output_count;
    const rf_tensor *output_tensors;
} bound_run;

/* Any failure fails the test. Floats that go in are random, other elements 1. */
void bound_run_make(bound_run *run, const rf_model *model, const rf_session_options *options, uint64_t seed);
void bound_run_free(bound_run *run);
void bound_run_go(bound_run *run);
/* Whether what came out of both is the same to the bit. */
bool bound_runs_agree(const bound_run *a, const bound_run *b);

#endif
