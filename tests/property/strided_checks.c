/* SPDX-License-Identifier: MIT */
#include "strided_checks.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Random numbers --------------------------------------------------------------------- */

bool chance(check_random *random, int64_t percent)
{
    return check_between(random, 1, 100) <= percent;
}

float any_float(check_random *random, bool special)
{
    static const float rare[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -1e-40f, 3e38f, -3e38f,
                                 88.5f, -88.5f, -103.0f, 100.0f, 0.5f, -1.5f, 2.5f, 8388609.0f, 1e-20f};
    if (special && chance(random, 10))
        return rare[check_between(random, 0, (int64_t)(sizeof rare / sizeof *rare) - 1)];
    return ldexpf((float)check_between(random, -8388607, 8388607), (int)check_between(random, -26, -20));
}

/* ---- Shapes ----------------------------------------------------------------------------- */

void shape_make(check_random *random, int32_t least_rank, int64_t most, rf_strided *shape)
{
    *shape = (rf_strided){.rank = (int32_t)check_between(random, least_rank, chance(random, 80) ? 4 : 8)};
    int64_t left = most;
    for (int32_t k = 0; k < shape->rank; k++) {
        int32_t axis = (int32_t)((k + random->seed) % (uint64_t)shape->rank);
        int64_t limit = chance(random, 30) ? left : left < 9 ? left : 9;
        shape->dims[axis] = check_between(random, chance(random, 1) ? 0 : 1, limit);
        left /= shape->dims[axis] ? shape->dims[axis] : 1;
    }
}

uint64_t shape_count(const rf_strided *shape)
{
    uint64_t count = 1;
    for (int32_t k = 0; k < shape->rank; k++)
        count *= (uint64_t)shape->dims[k];
    return count;
}

/* ---- Tensors ---------------------------------------------------------------------------- */

/* Axes from innermost to outermost: as listed, channels innermost, or any order. */
static void order_axes(check_random *random, int32_t rank, int32_t order[RF_MAX_RANK])
{
    for (int32_t k = 0; k < rank; k++)
        order[k] = rank - 1 - k;
    if (rank > 2 && chance(random, 40)) {
        for (int32_t k = rank - 2; k > 0; k--)
            order[k] = order[k - 1];
        order[0] = 1;
        for (int32_t k = 1; k < rank - 1; k++)
            order[k] = rank - k;
        order[rank - 1] = 0;
    }
    for (int32_t k = rank - 1; k > 0 && chance(random, 25); k--) {
        int32_t other = (int32_t)check_between(random, 0, k), kept = order[k];
        order[k] = order[other];
        order[other] = kept;
    }
}

/* Sets the strides and returns where the lowest element lies and how many the span has. */
static int64_t lay_out(check_random *random, rf_strided *at, bool read, uint32_t repeat, int64_t *lowest)
{
    int32_t order[RF_MAX_RANK];
    int64_t step = chance(random, 80) ? 1 : check_between(random, 2, 3), span = 1;
    bool gaps = chance(random, 40), flips = read && chance(random, 15);
    *lowest = 0;
    order_axes(random, at->rank, order);
    for (int32_t k = 0; k < at->rank; k++) {
        int64_t dim = at->dims[order[k]];
        bool flip = flips && chance(random, 40);
        bool zero = read && (repeat >> order[k] & 1);
        at->strides[order[k]] = zero ? 0 : flip ? -step : step;
        if (zero || dim == 0)
            continue;
        *lowest -= flip ? step * (dim - 1) : 0;
        span += step * (dim - 1);
        step = step * dim + (gaps ? check_between(random, 0, 4) : 0);
    }
    return shape_count(at) ? span : 0;
}

tensor tensor_make(check_random *random, const rf_strided *shape, size_t element_bytes, bool read,
                   uint32_t repeat)
{
    int64_t lowest;
    tensor t = {.at = *shape, .element_bytes = element_bytes};
    t.span_bytes = (size_t)lay_out(random, &t.at, read, repeat, &lowest) * element_bytes;
    t.buffer = check_buffer_make(t.span_bytes, chance(random, 50));
    t.span = t.buffer.data;
    t.first = t.span - lowest * (int64_t)element_bytes;
    for (size_t i = 0; i < t.span_bytes; i++)
        t.span[i] = (char)check_next(random);
    t.initial = malloc(t.span_bytes + 1);
    assert_non_null(t.initial);
    memcpy(t.initial, t.span, t.span_bytes);
    return t;
}

void tensor_free(tensor *t)
{
    check_buffer_free(&t->buffer);
    free(t->initial);
}

void *tensor_element(const tensor *t, const int64_t index[RF_MAX_RANK])
{
    int64_t offset = 0;
    for (int32_t k = 0; k < t->at.rank; k++)
        offset += index[k] * t->at.strides[k];
    return t->first + offset * (int64_t)t->element_bytes;
}

const void *tensor_initial(const tensor *t, const int64_t index[RF_MAX_RANK])
{
    return t->initial + ((char *)tensor_element(t, index) - t->span);
}

void tensor_fill(check_random *random, tensor *t, bool special)
{
    for (size_t i = 0; i < t->span_bytes; i += sizeof(float)) {
        float x = any_float(random, special);
        memcpy(t->span + i, &x, sizeof x);
    }
    memcpy(t->initial, t->span, t->span_bytes);
}

float float_at(const tensor *t, const int64_t index[RF_MAX_RANK])
{
    float x;
    memcpy(&x, tensor_element(t, index), sizeof x);
    return x;
}

float initial_at(const tensor *t, const int64_t index[RF_MAX_RANK])
{
    float x;
    memcpy(&x, tensor_initial(t, index), sizeof x);
    return x;
}

/* ---- Running ---------------------------------------------------------------------------- */

static void same_bytes(const void *a, const void *b, size_t bytes)
{
    if (bytes)
        assert_memory_equal(a, b, bytes);
}

/* Puts back what was there, so that what remains differs where nothing should have been written. */
static void check_gaps(const tensor *output)
{
    char *left = malloc(output->span_bytes + 1);
    assert_non_null(left);
    memcpy(left, output->span, output->span_bytes);
    int64_t index[RF_MAX_RANK] = {0};
    if (shape_count(&output->at)) {
        do
            memcpy(left + ((char *)tensor_element(output, index) - output->span),
                   tensor_initial(output, index), output->element_bytes);
        while (check_step(&output->at, index));
    }
    same_bytes(left, output->initial, output->span_bytes);
    free(left);
}

static void run_pieces(check_random *random, const rf_work *work, rf_kernel_call *call)
{
    size_t cut = (size_t)check_between(random, 0, (int64_t)work->units);
    bool by_unit = work->units < 50 && chance(random, 50);
    call->begin = cut, call->end = work->units;
    if (cut < work->units)
        work->run(work->plan, call);
    for (size_t at = 0; at < cut; at = call->end) {
        call->begin = at;
        call->end = by_unit ? at + 1 : (size_t)check_between(random, (int64_t)at + 1, (int64_t)cut);
        work->run(work->plan, call);
    }
}

void run_work(check_random *random, const rf_work *work, tensor *const *operands, size_t count,
              tensor *output)
{
    void *data[4];
    check_buffer scratch = check_buffer_make((work->scratch_bytes + 63) / 64 * 64, chance(random, 50));
    char *whole = malloc(output->span_bytes + 1);
    assert_non_null(whole);
    assert_non_null(work->algorithm);
    assert_true(work->grain >= 1);
    for (size_t i = 0; i < count; i++)
        data[i] = operands[i]->first;
    for (int attempt = 0; attempt < 2; attempt++) {
        rf_kernel_call call = {.data = data, .scratch = scratch.data, .end = work->units};
        memcpy(output->span, output->initial, output->span_bytes);
        if (attempt)
            run_pieces(random, work, &call);
        else if (work->units)
            work->run(work->plan, &call);
        check_gaps(output);
        if (attempt)
            same_bytes(whole, output->span, output->span_bytes);
        memcpy(whole, output->span, output->span_bytes);
    }
    free(whole);
    check_buffer_free(&scratch);
}

void near_or_beyond(float got, double expected, double bound, const char *what)
{
    if (fabs(expected) > (double)FLT_MAX * (1 - 1e-5) && fabs((double)got) > (double)FLT_MAX * (1 - 2e-5)
        && (got > 0) == (expected > 0))
        return;
    check_near(got, expected, bound, what);
}

void each_case(check_random *random, void (*body)(check_random *, const rf_kernels *, rf_arena *), int cases)
{
    int count = check_cases(cases);
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set)) {
        for (int i = 0; i < count; i++) {
            rf_arena arena;
            rf_arena_init(&arena, NULL, UINT64_MAX);
            body(random, set, &arena);
            rf_arena_release(&arena);
        }
    }
}
