/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE 1 /* for MAP_ANONYMOUS */

#include "run_tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Memory ------------------------------------------------------------------------------- */

static void *counted_allocate(void *context, size_t bytes)
{
    counted_memory *memory = context;
    if (++memory->calls == memory->refuse_at)
        return NULL;
    memory->live += bytes;
    memory->most = memory->live > memory->most ? memory->live : memory->most;
    return malloc(bytes);
}

static void counted_release(void *context, void *at, size_t bytes)
{
    counted_memory *memory = context;
    if (!at)
        return;
    memory->live -= bytes;
    free(at);
}

void counted_memory_init(counted_memory *memory, size_t refuse_at)
{
    *memory = (counted_memory){.refuse_at = refuse_at};
    memory->allocator = (rf_allocator){counted_allocate, counted_release, memory};
}

fenced fenced_make(size_t bytes, size_t alignment, bool at_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page - 1) / page * page;
    fenced made = {.map_bytes = inner + 2 * page, .bytes = bytes};
    made.map = mmap(NULL, made.map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made.map == MAP_FAILED)
        fail_msg("no memory for %zu bytes and fences", bytes);
    char *first = (char *)made.map + page;
    if (inner)
        assert_int_equal(mprotect(first, inner, PROT_READ | PROT_WRITE), 0);
    made.start = at_end ? first + (inner - bytes) / alignment * alignment : first;
    return made;
}

void fenced_free(fenced *memory)
{
    if (memory->map)
        munmap(memory->map, memory->map_bytes);
    memory->map = NULL;
}

/* ---- Networks ----------------------------------------------------------------------------- */

size_t elements_of(const rf_shape *shape)
{
    size_t count = 1;
    for (int32_t k = 0; k < shape->rank; k++)
        count *= (size_t)shape->dims[k];
    return count;
}

size_t bytes_of(const rf_tensor *tensor)
{
    static const size_t sizes[] = {
        [RF_FLOAT32] = 4, [RF_UINT8] = 1, [RF_INT8] = 1, [RF_INT32] = 4, [RF_INT64] = 8, [RF_BOOL] = 1,
        [RF_FLOAT64] = 8,
    };
    assert_true((size_t)tensor->dtype < LENGTH(sizes) && sizes[tensor->dtype]);
    return elements_of(&tensor->shape) * sizes[tensor->dtype];
}

rf_model *compiled(const rf_network *network, const rf_compile_options *options)
{
    rf_model *model;
    rf_error error = {.message = ""};
    if (rf_compile(network, options, &model, &error) != RF_OK)
        fail_msg("%s", error.message);
    return model;
}

void fill_random(float *at, size_t count, uint64_t seed)
{
    uint64_t state = seed * 2654435769u + 12345;
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        at[i] = (float)(int32_t)(state >> 32) / 2147483648.0f;
    }
}

void run_backward(void *context, void (*body)(void *argument, size_t worker), void *argument, size_t workers)
{
    size_t *calls = context;
    if (calls)
        ++*calls;
    while (workers-- > 0)
        body(argument, workers);
}

/* ---- Runs --------------------------------------------------------------------------------- */

static void bind_fenced(bound_run *run, const rf_tensor *tensor, fenced *memory)
{
    rf_error error = {.message = ""};
    *memory = fenced_make(bytes_of(tensor), 8, true);
    if (rf_session_bind(run->session, tensor->name, memory->start, memory->bytes, &error) != RF_OK)
        fail_msg("%s", error.message);
}

static void fill_input(const rf_tensor *tensor, fenced *memory, uint64_t seed)
{
    if (tensor->dtype == RF_FLOAT32)
        fill_random((float *)(void *)memory->start, memory->bytes / sizeof(float), seed);
    else
        memset(memory->start, 1, memory->bytes);
}

void bound_run_make(bound_run *run, const rf_model *model, const rf_session_options *options, uint64_t seed)
{
    rf_error error = {.message = ""};
    *run = (bound_run){.model = model};
    if (rf_session_make(model, options, &run->session, &error) != RF_OK)
        fail_msg("%s", error.message);
    const rf_tensor *inputs = rf_model_inputs(model, &run->input_count);
    run->output_tensors = rf_model_outputs(model, &run->output_count);
    assert_true(run->input_count <= RUN_MOST && run->output_count <= RUN_MOST);
    for (size_t i = 0; i < run->input_count; i++) {
        bind_fenced(run, &inputs[i], &run->inputs[i]);
        fill_input(&inputs[i], &run->inputs[i], seed + i);
    }
    for (size_t o = 0; o < run->output_count; o++)
        bind_fenced(run, &run->output_tensors[o], &run->outputs[o]);
}

void bound_run_free(bound_run *run)
{
    rf_session_free(run->session);
    for (size_t i = 0; i < run->input_count; i++)
        fenced_free(&run->inputs[i]);
    for (size_t o = 0; o < run->output_count; o++)
        fenced_free(&run->outputs[o]);
}

void bound_run_go(bound_run *run)
{
    rf_error error = {.message = ""};
    if (rf_run(run->session, &error) != RF_OK)
        fail_msg("%s", error.message);
}

bool bound_runs_agree(const bound_run *a, const bound_run *b)
{
    for (size_t o = 0; o < a->output_count; o++)
        if (memcmp(a->outputs[o].start, b->outputs[o].start, a->outputs[o].bytes) != 0)
            return false;
    return true;
}

/* ---- Files -------------------------------------------------------------------------------- */

static char folder[] = "/tmp/rfield-test-XXXXXX";
char network_path[64];

int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(network_path, sizeof network_path, "%s/network.onnx", folder);
    return 0;
}

int remove_folder(void **state)
{
    (void)state;
    unlink(network_path);
    return rmdir(folder);
}
