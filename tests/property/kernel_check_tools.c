/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "kernel_check_tools.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kernels/machine.h"

/* ---- Random numbers (SplitMix64) -------------------------------------------------------- */

check_random check_seeded(void)
{
    const char *given = getenv("RF_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("RF_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return (check_random){.seed = seed, .state = seed};
}

int check_restart(void **state)
{
    check_random *random = *state;
    random->state = random->seed;
    return 0;
}

int check_cases(int otherwise)
{
    const char *given = getenv("RF_CASES");
    return given ? atoi(given) : otherwise;
}

uint64_t check_next(check_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t check_between(check_random *random, int64_t least, int64_t most)
{
    return least + (int64_t)(check_next(random) % (uint64_t)(most - least + 1));
}

bool check_one_in(check_random *random, int64_t times)
{
    return check_next(random) % (uint64_t)times == 0;
}

float check_float(check_random *random, bool integer)
{
    if (integer)
        return (float)check_between(random, -4, 4);
    return ldexpf((float)check_between(random, -8388607, 8388607), (int)check_between(random, -28, -22));
}

float *check_floats(check_random *random, int64_t count, bool integer)
{
    float *floats = aligned_alloc(64, ((size_t)count * sizeof *floats + 64) / 64 * 64);
    assert_non_null(floats);
    for (int64_t i = 0; i < count; i++)
        floats[i] = check_float(random, integer);
    return floats;
}

double check_float_at(const void *floats, int64_t i)
{
    float x;
    memcpy(&x, (const char *)floats + (size_t)i * sizeof x, sizeof x);
    return (double)x;
}

/* ---- Buffers between pages that fault --------------------------------------------------- */

check_buffer check_buffer_make(size_t bytes, bool at_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    check_buffer buffer = {.page = page, .body = (bytes + page) / page * page, .bytes = bytes};
    buffer.total = buffer.body + 2 * page;
    int zero = open("/dev/zero", O_RDWR);
    assert_true(zero >= 0);
    buffer.pages = mmap(NULL, buffer.total, PROT_NONE, MAP_PRIVATE, zero, 0);
    assert_true(buffer.pages != MAP_FAILED);
    close(zero);
    assert_int_equal(mprotect(buffer.pages + page, buffer.body, PROT_READ | PROT_WRITE), 0);
    buffer.data = buffer.pages + page + (at_end ? buffer.body - bytes : 0);
    return buffer;
}

void check_buffer_protect(const check_buffer *buffer)
{
    assert_int_equal(mprotect(buffer->pages + buffer->page, buffer->body, PROT_READ), 0);
}

void check_buffer_free(check_buffer *buffer)
{
    if (buffer->pages)
        assert_int_equal(munmap(buffer->pages, buffer->total), 0);
    buffer->pages = NULL;
}

/* ---- Tensors ---------------------------------------------------------------------------- */

bool check_step(const rf_strided *at, int64_t *index)
{
    for (int32_t k = at->rank - 1; k >= 0; k--) {
        if (++index[k] < at->dims[k])
            return true;
        index[k] = 0;
    }
    return false;
}

int64_t check_offset(const rf_strided *at, const int64_t *index)
{
    int64_t offset = 0;
    for (int32_t k = 0; k < at->rank; k++)
        offset += at->strides[k] * index[k];
    return offset;
}

static bool is_empty(const rf_strided *at)
{
    for (int32_t k = 0; k < at->rank; k++)
        if (at->dims[k] == 0)
            return true;
    return false;
}

/* What lies in gaps and in outputs before a run. */
static float untouched(void)
{
    uint32_t bits = UINT32_C(0x7fc0beef);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void place(check_random *random, check_tensor *tensor)
{
    int64_t index[RF_MAX_RANK] = {0}, last = 0;
    bool empty = is_empty(&tensor->at);
    for (int32_t k = 0; k < tensor->at.rank; k++)
        last += tensor->at.strides[k] * (tensor->at.dims[k] - 1);
    tensor->floats = empty ? 0 : (size_t)last + 1;
    tensor->buffer = check_buffer_make(tensor->floats * sizeof(float), check_next(random) & 1);
    tensor->data = (float *)tensor->buffer.data;
    tensor->inside = calloc(tensor->floats + 1, sizeof *tensor->inside);
    assert_non_null(tensor->inside);
    for (size_t i = 0; i < tensor->floats; i++)
        tensor->data[i] = untouched();
    if (empty)
        return;
    do
        tensor->inside[check_offset(&tensor->at, index)] = true;
    while (check_step(&tensor->at, index));
}

check_tensor check_tensor_make(check_random *random, int32_t rank, const int64_t *dims,
                               const int32_t *order, bool gaps)
{
    check_tensor tensor = {.at.rank = rank};
    int64_t stride = 1;
    for (int32_t i = rank - 1; i >= 0; i--) {
        int32_t k = order ? order[i] : i;
        tensor.at.dims[k] = dims[k];
        tensor.at.strides[k] = stride;
        stride *= dims[k] + (gaps && check_one_in(random, 2) ? check_between(random, 1, 5) : 0);
    }
    place(random, &tensor);
    return tensor;
}

check_tensor check_tensor_like(check_random *random, const check_tensor *tensor)
{
    check_tensor copy = {.at = tensor->at};
    place(random, &copy);
    return copy;
}

void check_tensor_fill(check_random *random, check_tensor *tensor, bool integer)
{
    for (size_t i = 0; i < tensor->floats; i++)
        if (tensor->inside[i])
            tensor->data[i] = check_float(random, integer);
}

void check_tensor_free(check_tensor *tensor)
{
    check_buffer_free(&tensor->buffer);
    free(tensor->inside);
    tensor->inside = NULL;
}

void check_tensor_gaps(const check_tensor *tensor)
{
    float expected = untouched();
    for (size_t i = 0; i < tensor->floats; i++)
        if (!tensor->inside[i] && memcmp(tensor->data + i, &expected, sizeof expected) != 0)
            fail_msg("float %zu of %zu lies in a gap and was written", i, tensor->floats);
}

void check_tensor_same(const check_tensor *a, const check_tensor *b)
{
    assert_int_equal(a->floats, b->floats);
    for (size_t i = 0; i < a->floats; i++)
        if (memcmp(a->data + i, b->data + i, sizeof *a->data) != 0)
            fail_msg("float %zu is %.9g in one run and %.9g in another", i, (double)a->data[i],
                     (double)b->data[i]);
}

rf_strided check_image(int64_t channels, int64_t extent)
{
    return (rf_strided){
        .rank = 4, .dims = {1, channels, extent, extent},
        .strides = {channels * extent * extent, 1, extent * channels, channels},
    };
}

/* ---- Which kernels ---------------------------------------------------------------------- */

const rf_kernels *check_set(const rf_kernels *after)
{
    const rf_kernels *const *set = rf_machine_kernels();
    const char *only = getenv("RF_ISA");
    while (after && *set++ != after)
        ;
    while (*set && only && strcmp((*set)->isa, only) != 0)
        set++;
    return *set;
}

bool check_wanted(const char *name)
{
    const char *text = getenv("RF_FILTER");
    return !text || strstr(name, text);
}

/* ---- Runs ------------------------------------------------------------------------------- */

bool check_make_convolution(bool (*make)(const rf_convolution_spec *spec, rf_arena *arena, rf_work *work),
                            const rf_convolution_spec *spec, bool in_run, rf_arena *arena, rf_work *work)
{
    rf_convolution_spec known = *spec;
    if (in_run) {
        known.weights = NULL;
        known.bias = NULL;
    }
    if (!make(&known, arena, work))
        return false;
    if (in_run)
        work->unpacked = (rf_unpacked){.weights = spec->weights, .bias = spec->bias};
    return true;
}

/* Memory aligned as kernels may expect, its end at a guard unless the size is no multiple of 64. */
static check_buffer aligned(uint64_t bytes, int byte)
{
    check_buffer buffer = check_buffer_make((bytes + 63) / 64 * 64, true);
    memset(buffer.data, byte, buffer.bytes);
    return buffer;
}

/* One worker's part of a run. */
typedef struct piece_run {
    const rf_work *work;
    void *const *data;
    check_buffer packed, scratch;
} piece_run;

/* Scratch holds what no kernel may count on. */
static void run_piece(const piece_run *run, size_t begin, size_t end)
{
    const rf_kernel_call call = {
        .data = run->data, .packed = run->packed.data, .scratch = run->scratch.data, .begin = begin, .end = end,
    };
    memset(run->scratch.data, 0xff, run->scratch.bytes);
    run->work->run(run->work->plan, &call);
}

/* Cuts begin .. end-1 somewhere and does the later piece first, or not. */
static void run_pieces(check_random *random, const piece_run *run, size_t begin, size_t end)
{
    if (end - begin < 2 || check_one_in(random, 6)) {
        run_piece(run, begin, end);
        return;
    }
    size_t cut = (size_t)check_between(random, (int64_t)begin + 1, (int64_t)end - 1);
    if (check_next(random) & 1) {
        run_pieces(random, run, cut, end);
        run_pieces(random, run, begin, cut);
    } else {
        run_pieces(random, run, begin, cut);
        run_pieces(random, run, cut, end);
    }
}

static check_buffer packed_for(const rf_work *work)
{
    check_buffer packed = aligned(work->packed_bytes, 0xff);
    if (work->packed_bytes)
        work->pack(work->plan, &work->unpacked, packed.data);
    check_buffer_protect(&packed);
    return packed;
}

/* Weights packed part by part, from any part on, are those that were packed at once. */
static void check_parts(check_random *random, const rf_work *work, const check_buffer *packed)
{
    if (work->packed_bytes == 0 || work->packing_parts == 0)
        return;
    check_buffer again = aligned(work->packed_bytes, 0xff);
    size_t first = (size_t)check_between(random, 0, (int64_t)work->packing_parts - 1);
    for (size_t i = 0; i < work->packing_parts; i++)
        work->pack_part(work->plan, &work->unpacked, again.data, (first + i) % work->packing_parts);
    if (memcmp(packed->data, again.data, work->packed_bytes) != 0)
        fail_msg("%s: packed in %zu parts, weights are others", work->algorithm, work->packing_parts);
    check_buffer_free(&again);
}

void check_run(check_random *random, const rf_work *work, void *const *data, bool in_pieces)
{
    if (work->units == 0)
        return;
    piece_run run = {work, data, packed_for(work), aligned(work->scratch_bytes, 0xff)};
    if (in_pieces)
        check_parts(random, work, &run.packed);
    if (in_pieces)
        run_pieces(random, &run, 0, work->units);
    else
        run_piece(&run, 0, work->units);
    check_buffer_free(&run.packed);
    check_buffer_free(&run.scratch);
}

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

double check_time(const rf_work *work, void *const *data)
{
    check_buffer packed = packed_for(work), scratch = aligned(work->scratch_bytes, 0);
    const rf_kernel_call call = {
        .data = data, .packed = packed.data, .scratch = scratch.data, .end = work->units,
    };
    double best = INFINITY, total = 0;
    for (int i = 0; i < 3 || (i < 200 && total < 0.3); i++) {
        double begin = now();
        work->run(work->plan, &call);
        double took = now() - begin;
        best = took < best ? took : best;
        total += took;
    }
    check_buffer_free(&packed);
    check_buffer_free(&scratch);
    return best;
}

void check_report_bytes(const char *isa, const char *what, const rf_work *work, void *const *data, double bytes)
{
    if (!check_wanted(what))
        return;
    double seconds = check_time(work, data);
    printf("%-9s %-34s %-9s %8.1f GB/s %9.2f us\n", isa, what, work->algorithm, bytes / seconds / 1e9,
           seconds * 1e6);
}

/* ---- Errors ------------------------------------------------------------------------------ */

void check_note(check_random *random, const char *isa, const char *kernel, double off, double magnitude)
{
    check_errors *errors = random->errors;
    double units = off / magnitude * ldexp(1, 24);
    char kind[48];
    size_t k = 0;
    if (!errors || !isfinite(units))
        return;
    snprintf(kind, sizeof kind, "%-9s %.*s", isa, (int)strcspn(kernel, ","), kernel);
    while (k < errors->count && strcmp(errors->kinds[k].kind, kind) != 0)
        k++;
    assert_true(k < sizeof errors->kinds / sizeof *errors->kinds);
    struct check_error *error = &errors->kinds[k];
    if (k == errors->count) {
        errors->count++;
        memcpy(error->kind, kind, sizeof kind);
    }
    error->most = units > error->most ? units : error->most;
    error->results++;
}

static int by_kind(const void *a, const void *b)
{
    return strcmp(((const struct check_error *)a)->kind, ((const struct check_error *)b)->kind);
}

void check_errors_print(const check_errors *errors)
{
    check_errors sorted = *errors;
    qsort(sorted.kinds, sorted.count, sizeof *sorted.kinds, by_kind);
    printf("largest error, in units of 2^-24 of the sum of absolute values:\n");
    for (size_t k = 0; k < sorted.count; k++)
        printf("%-40s %8.2f  of %llu results\n", sorted.kinds[k].kind, sorted.kinds[k].most,
               (unsigned long long)sorted.kinds[k].results);
}

double check_sum_bound(int64_t products, double magnitude)
{
    double ku = ((double)products + 2) * ldexp(1, -24);
    return ku / (1 - ku) * magnitude;
}

/* ---- Maps ------------------------------------------------------------------------------- */

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

double check_map(double x, rf_map map)
{
    double a = (double)map.a, b = (double)map.b;
    switch (map.function) {
    case RF_MAP_RELU: return x < 0 ? 0 : x;
    case RF_MAP_CLIP: return clamp(x, a, b);
    case RF_MAP_LEAKY_RELU: return x < 0 ? a * x : x;
    case RF_MAP_SIGMOID: return 1 / (1 + exp(-x));
    case RF_MAP_TANH: return tanh(x);
    case RF_MAP_HARD_SIGMOID: return clamp(a * x + b, 0, 1);
    case RF_MAP_HARD_SWISH: return x * clamp(x / 6 + 0.5, 0, 1);
    case RF_MAP_SILU: return x / (1 + exp(-x));
    case RF_MAP_ELU: return x < 0 ? a * expm1(x) : x;
    case RF_MAP_GELU: return x / 2 * (1 + erf(x * sqrt(0.5)));
    case RF_MAP_AFFINE: return a * x + b;
    default: return x;
    }
}

double check_map_bound(double x, double error, rf_map map)
{
    double steepest = 1.5 + fabs((double)map.a), y = check_map(x, map);
    return map.function == RF_MAP_NONE ? error : steepest * error + 1e-6 * fabs(y) + 1e-7;
}

rf_map check_random_map(check_random *random, bool cheap)
{
    static const rf_map maps[] = {
        {RF_MAP_NONE, 0, 0}, {RF_MAP_RELU, 0, 0}, {RF_MAP_NONE, 0, 0}, {RF_MAP_RELU, 0, 0},
        {RF_MAP_CLIP, 0, 6}, {RF_MAP_CLIP, -2, 3}, {RF_MAP_LEAKY_RELU, 0.1f, 0},
        {RF_MAP_HARD_SIGMOID, 0.2f, 0.5f}, {RF_MAP_HARD_SWISH, 0, 0}, {RF_MAP_AFFINE, 1.5f, -0.25f},
        {RF_MAP_SIGMOID, 0, 0}, {RF_MAP_TANH, 0, 0}, {RF_MAP_SILU, 0, 0}, {RF_MAP_ELU, 0.7f, 0},
        {RF_MAP_GELU, 0, 0},
    };
    return maps[check_between(random, 0, cheap ? 5 : (int64_t)(sizeof maps / sizeof *maps) - 1)];
}

void check_near(float got, double expected, double bound, const char *what)
{
    if (isnan(expected) && isnan(got))
        return;
    if (isinf(expected) && (double)got == expected)
        return;
    if (!(fabs((double)got - expected) <= bound))
        fail_msg("%s: %.9g instead of %.17g, further off than %.3g", what, (double)got, expected, bound);
}
