/* SPDX-License-Identifier: MIT */
#include "run_attack.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Beyond `MOST_OUTPUTS` outputs are run but not compared. */
enum { MOST_INPUTS = 64, MOST_OUTPUTS = 64, BOOKKEEPING = 16 << 20 };

/* Operations beyond which the plain loops take too long for a test. */
static const double most_operations = 3e6;

/* ---- Random elements ---------------------------------------------------------------------- */

static uint64_t random_state = 1;

void attack_seed(uint64_t seed)
{
    random_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
}

int64_t attack_below(int64_t count)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((random_state >> 33) % (uint64_t)count);
}

size_t attack_element_bytes(rf_dtype dtype)
{
    static const unsigned char bytes[] = {
        [RF_FLOAT32] = 4, [RF_UINT8] = 1,   [RF_INT8] = 1,    [RF_UINT16] = 2,    [RF_INT16] = 2,
        [RF_INT32] = 4,   [RF_INT64] = 8,   [RF_BOOL] = 1,    [RF_FLOAT16] = 2,   [RF_FLOAT64] = 8,
        [RF_UINT32] = 4,  [RF_UINT64] = 8,  [RF_COMPLEX64] = 8, [RF_COMPLEX128] = 16, [RF_BFLOAT16] = 2,
        [RF_FLOAT8E4M3FN] = 1, [RF_FLOAT8E4M3FNUZ] = 1, [RF_FLOAT8E5M2] = 1, [RF_FLOAT8E5M2FNUZ] = 1,
    };
    return (size_t)dtype < sizeof bytes ? bytes[dtype] : 0;
}

bool attack_elements(const rf_shape *shape, uint64_t *count)
{
    bool fits = true;
    *count = 1;
    for (int32_t k = 0; k < shape->rank; k++)
        if (shape->dims[k] < 0)
            return false;
    for (int32_t k = 0; k < shape->rank; k++)
        if (shape->dims[k] == 0)
            return *count = 0, true;
    for (int32_t k = 0; k < shape->rank; k++)
        fits = fits && !__builtin_mul_overflow(*count, (uint64_t)shape->dims[k], count);
    return fits;
}

static double random_number(attack_data data)
{
    static const double special[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 1, -1, 0.5, 2, -3, 7, 1e-40};
    return data == ATTACK_SPECIAL ? special[attack_below(12)] : (double)attack_below(9) - 4;
}

static void store(void *to, rf_dtype dtype, size_t i, attack_data data)
{
    if (dtype == RF_FLOAT32)
        ((float *)to)[i] = (float)random_number(data);
    else if (dtype == RF_FLOAT64)
        ((double *)to)[i] = random_number(data);
    else if (dtype == RF_INT64 && data == ATTACK_SMALL)
        ((int64_t *)to)[i] = attack_below(7) - 2;
    else
        ((unsigned char *)to)[i * attack_element_bytes(dtype)] =
            (unsigned char)attack_below(data == ATTACK_SPECIAL ? 256 : 3);
}

void attack_fill(void *to, rf_dtype dtype, size_t bytes, attack_data data)
{
    size_t element = attack_element_bytes(dtype);
    memset(to, dtype == RF_BOOL || data == ATTACK_SMALL ? 0 : 0xff, bytes);
    for (size_t i = 0; element && i < bytes / element; i++)
        store(to, dtype, i, data);
}

/* ---- Memory ------------------------------------------------------------------------------- */

typedef struct tally {
    size_t live, most;
} tally;

static void *allocate(void *context, size_t bytes)
{
    tally *of = context;
    void *memory = malloc(bytes);
    of->live += memory ? bytes : 0;
    of->most = of->live > of->most ? of->live : of->most;
    return memory;
}

static void release(void *context, void *memory, size_t bytes)
{
    tally *of = context;
    of->live -= bytes;
    free(memory);
}

/* ---- One run ------------------------------------------------------------------------------ */

typedef struct outcome {
    rf_status compiled, ran;
    rf_tensor outputs[MOST_OUTPUTS];
    void *data[MOST_OUTPUTS];
    size_t count;
} outcome;

typedef struct victim {
    const rf_network *network;
    bool runs; /* or is compiled only */
    attack_data data;
    uint64_t seed; /* of the inputs */
} victim;

static void check_error(const rf_error *error, rf_status status)
{
    assert_int_equal(error->status, status);
    assert_true(error->message[0] != '\0');
    assert_null(strchr(error->message, '\n'));
}

static void *bind_input(const victim *of, rf_session *session, const rf_tensor *input)
{
    uint64_t elements = 0;
    rf_error error;
    assert_true(attack_elements(&input->shape, &elements));
    size_t element = attack_element_bytes(input->dtype), bytes = (size_t)elements * (element ? element : 1);
    void *data = malloc(bytes + 1);
    assert_non_null(data);
    attack_fill(data, input->dtype, bytes, of->data);
    if (rf_session_bind_input(session, input->name, data, bytes, &error) != RF_OK)
        fail_msg("%s", error.message);
    return data;
}

static void keep_outputs(const rf_model *model, const rf_session *session, outcome *made)
{
    size_t count;
    const rf_tensor *outputs = rf_model_outputs(model, &count);
    made->count = count < MOST_OUTPUTS ? count : MOST_OUTPUTS;
    for (size_t o = 0; o < made->count; o++) {
        rf_tensor *out = &made->outputs[o];
        assert_int_equal(rf_session_output(session, outputs[o].name, out, NULL), RF_OK);
        made->data[o] = malloc(out->data_bytes + 1);
        assert_non_null(made->data[o]);
        if (out->data_bytes)
            memcpy(made->data[o], out->data, out->data_bytes);
    }
}

/* Twice, since a session must stay usable, after a failure too. */
static void run_bound(const victim *of, const rf_model *model, rf_session *session, outcome *made)
{
    size_t count;
    const rf_tensor *inputs = rf_model_inputs(model, &count);
    void **data = calloc(count + 1, sizeof *data);
    rf_error error = {.status = RF_OK};
    assert_non_null(data);
    attack_seed(of->seed);
    for (size_t i = 0; i < count; i++)
        data[i] = bind_input(of, session, &inputs[i]);
    made->ran = rf_run(session, &error);
    assert_int_equal(rf_run(session, &error), made->ran);
    if (made->ran == RF_OK)
        keep_outputs(model, session, made);
    else
        check_error(&error, made->ran);
    for (size_t i = 0; i < count; i++)
        free(data[i]);
    free(data);
}

static void run_one(const victim *of, rf_compile_options *options, outcome *made)
{
    tally heap = {.live = 0};
    const rf_allocator counting = {allocate, release, &heap};
    rf_session_options how = RF_SESSION_OPTIONS_DEFAULT;
    rf_model *model;
    rf_session *session = NULL;
    rf_error error = {.status = RF_OK};
    *made = (outcome){.count = 0};
    options->allocator = how.allocator = &counting;
    options->limits.memory_bytes = ATTACK_MEMORY;
    made->compiled = rf_compile(of->network, options, &model, &error);
    if (made->compiled != RF_OK) {
        check_error(&error, made->compiled);
        assert_null(model);
    } else if (of->runs) {
        made->ran = rf_session_make(model, &how, &session, &error);
        if (made->ran == RF_OK)
            run_bound(of, model, session, made);
        else
            check_error(&error, made->ran);
    }
    rf_session_free(session);
    rf_model_free(model);
    assert_int_equal(heap.live, 0);
    /* The limit holds for what a session takes; its tables come on top. */
    assert_true(heap.most <= ATTACK_MEMORY + BOOKKEEPING);
}

static void outcome_free(outcome *of)
{
    for (size_t o = 0; o < of->count; o++)
        free(of->data[o]);
}

/* ---- Two runs ----------------------------------------------------------------------------- */

/* What one way needs more of than the other, or is not computed by it. */
static bool is_about_the_way(rf_status status)
{
    return status == RF_ERROR_LIMIT || status == RF_ERROR_UNSUPPORTED;
}

/* Of what is not finite only that NaN stays NaN: an infinity may come of rounding on the way. */
static bool is_near(float wanted, float got, double largest, attack_data data)
{
    if (wanted == got || (wanted != wanted && got != got))
        return true;
    if (data == ATTACK_SPECIAL)
        return (wanted != wanted) == (got != got);
    return fabs((double)wanted - (double)got) <= 2e-4 * largest;
}

static void compare_floats(const rf_tensor *tensor, const float *wanted, const float *got, attack_data data)
{
    double largest = 1e-3;
    size_t count = tensor->data_bytes / sizeof(float);
    for (size_t i = 0; i < count; i++)
        if (isfinite(wanted[i]) && fabs((double)wanted[i]) > largest)
            largest = fabs((double)wanted[i]);
    for (size_t i = 0; i < count; i++)
        if (!is_near(wanted[i], got[i], largest, data))
            fail_msg("output %s, element %zu: %.9g instead of %.9g", tensor->name, i, (double)got[i],
                     (double)wanted[i]);
}

static void compare(const outcome *wanted, const outcome *got, attack_data data)
{
    if (is_about_the_way(wanted->compiled) || is_about_the_way(got->compiled))
        return;
    assert_int_equal(wanted->compiled, got->compiled);
    if (is_about_the_way(wanted->ran) || is_about_the_way(got->ran))
        return;
    assert_int_equal(wanted->ran, got->ran);
    for (size_t o = 0; o < wanted->count; o++) {
        assert_int_equal(wanted->outputs[o].data_bytes, got->outputs[o].data_bytes);
        if (wanted->outputs[o].dtype == RF_FLOAT32)
            compare_floats(&wanted->outputs[o], wanted->data[o], got->data[o], data);
    }
}

/* Whether running is a matter of moments. */
static bool is_cheap(const rf_network *network)
{
    const rf_analysis *analysis;
    double operations = 0;
    if (rf_analyze(network, NULL, &analysis, NULL) != RF_OK)
        return true;
    for (size_t l = 0; l < analysis->layer_count; l++) {
        const rf_layer_analysis *layer = &analysis->layers[l];
        operations += (double)layer->dense.multiplications + (double)layer->dense.additions
            + (double)layer->dense.comparisons;
        for (size_t o = 0; o < layer->output_count; o++) {
            uint64_t elements = UINT64_MAX;
            attack_elements(&layer->outputs[o].shape, &elements);
            operations += (double)elements;
        }
    }
    rf_analysis_free(analysis);
    return operations <= most_operations;
}

rf_status attack(const rf_network *network, attack_data data)
{
    outcome wanted, got;
    rf_compile_options fast = RF_COMPILE_OPTIONS_DEFAULT, plain = RF_COMPILE_OPTIONS_DEFAULT;
    victim of = {.network = network, .runs = is_cheap(network), .data = data};
    of.seed = (uint64_t)attack_below(1 << 30);
    plain.reference = true;
    run_one(&of, &fast, &got);
    run_one(&of, &plain, &wanted);
    compare(&wanted, &got, data);
    rf_status status = got.compiled != RF_OK ? got.compiled : got.ran;
    outcome_free(&wanted);
    outcome_free(&got);
    return status;
}
