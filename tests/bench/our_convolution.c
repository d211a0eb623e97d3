/* SPDX-License-Identifier: MIT */
/* The convolution as a kernel of this library computes it, packed and run as a session would. */
#include "convolution_case.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rfield/run.h>

#include "bench_tools.h"
#include "kernels/machine.h"

/* One set of tensors and prepared weights. */
typedef struct copy_set {
    void *packed, *data[2];
} copy_set;

typedef struct our_convolution {
    rf_arena arena;
    rf_work work;
    rf_threads *threads; /* NULL for one worker */
    size_t workers, copies, output_floats;
    copy_set *sets;
    void **scratch;      /* by worker */
    size_t current;
    atomic_size_t taken; /* units of the run that is under way */
} our_convolution;

static void free_all(void *self)
{
    our_convolution *our = self;
    if (!our)
        return;
    for (size_t i = 0; our->sets && i < our->copies; i++) {
        free(our->sets[i].packed);
        free(our->sets[i].data[0]);
        free(our->sets[i].data[1]);
    }
    for (size_t w = 0; our->scratch && w < our->workers; w++)
        free(our->scratch[w]);
    free(our->sets);
    free(our->scratch);
    rf_threads_free(our->threads);
    rf_arena_release(&our->arena);
    free(our);
}

static void run_units(our_convolution *our, size_t worker, size_t begin, size_t end)
{
    const copy_set *set = &our->sets[our->current];
    const rf_kernel_call call = {
        .data = set->data, .packed = set->packed, .scratch = our->scratch[worker], .begin = begin, .end = end,
    };
    our->work.run(our->work.plan, &call);
}

/* Units as they come, in pieces as large as a session's. */
static void take_units(void *argument, size_t worker)
{
    our_convolution *our = argument;
    size_t units = our->work.units, piece = units / (our->workers * 4);
    if (piece < our->work.grain)
        piece = our->work.grain;
    for (;;) {
        size_t begin = atomic_fetch_add(&our->taken, piece);
        if (begin >= units)
            return;
        run_units(our, worker, begin, units - begin < piece ? units : begin + piece);
    }
}

static void run(void *self, size_t copy)
{
    our_convolution *our = self;
    our->current = copy;
    if (!our->threads) {
        run_units(our, 0, 0, our->work.units);
        return;
    }
    rf_executor executor = rf_threads_executor(our->threads);
    atomic_store(&our->taken, 0);
    executor.run(executor.context, take_units, our, our->workers);
}

static bool result(void *self, float *output)
{
    our_convolution *our = self;
    memcpy(output, our->sets[0].data[1], our->output_floats * sizeof(float));
    return true;
}

static rf_strided image(int64_t channels, int64_t extent)
{
    return (rf_strided){
        .rank = 4, .dims = {1, channels, extent, extent},
        .strides = {channels * extent * extent, 1, extent * channels, channels},
    };
}

static rf_convolution_spec spec_of(const convolution_case *problem, bool exact)
{
    const convolution_shape *shape = &problem->shape;
    const rf_window window = {shape->extent, problem->output_extent, shape->kernel, shape->stride, 1, shape->pad,
                              shape->pad};
    return (rf_convolution_spec){
        .axes = 2, .windows = {window, window}, .groups = shape->groups, .input = image(shape->channels, shape->extent),
        .output = image(shape->outputs, problem->output_extent), .weights = problem->weights, .bias = problem->bias,
        .exact = exact,
    };
}

static bool fill_set(const our_convolution *our, const convolution_case *problem, copy_set *set)
{
    set->packed = our->work.packed_bytes ? bench_allocate((size_t)our->work.packed_bytes) : NULL;
    set->data[0] = bench_allocate(problem->input_floats * sizeof(float));
    set->data[1] = bench_allocate(problem->output_floats * sizeof(float));
    if (!set->data[0] || !set->data[1] || (our->work.packed_bytes && !set->packed))
        return false;
    if (our->work.packed_bytes)
        our->work.pack(our->work.plan, &our->work.unpacked, set->packed);
    memcpy(set->data[0], problem->input, problem->input_floats * sizeof(float));
    /* So that no timed run is the first to touch a page. */
    memset(set->data[1], 0, problem->output_floats * sizeof(float));
    return true;
}

static bool prepare(our_convolution *our, const convolution_case *problem)
{
    if (our->workers > 1 && rf_threads_make(our->workers, &our->threads, NULL) != RF_OK)
        return false;
    our->sets = calloc(our->copies, sizeof *our->sets);
    our->scratch = calloc(our->workers, sizeof *our->scratch);
    if (!our->sets || !our->scratch)
        return false;
    for (size_t w = 0; w < our->workers; w++) {
        our->scratch[w] = bench_allocate((size_t)our->work.scratch_bytes);
        if (!our->scratch[w])
            return false;
    }
    for (size_t i = 0; i < our->copies; i++)
        if (!fill_set(our, problem, &our->sets[i]))
            return false;
    return true;
}

bool contender_ours_has(const char *isa)
{
    return rf_machine_find(isa) != NULL;
}

bool contender_ours(const convolution_case *problem, const char *isa, bool exact, size_t threads, size_t copies,
                    contender *made)
{
    const rf_kernels *kernels = rf_machine_find(isa);
    const rf_convolution_spec spec = spec_of(problem, exact);
    our_convolution *our = calloc(1, sizeof *our);
    if (!kernels || !our) {
        free(our);
        return false;
    }
    rf_arena_init(&our->arena, NULL, UINT64_C(1) << 24);
    our->workers = threads;
    our->copies = copies;
    our->output_floats = problem->output_floats;
    if (!kernels->convolution(&spec, &our->arena, &our->work) || !prepare(our, problem)) {
        free_all(our);
        return false;
    }
    *made = (contender){our->work.algorithm, our, copies, run, result, free_all};
    return true;
}
