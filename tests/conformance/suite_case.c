/* SPDX-License-Identifier: MIT */
#include "suite_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 32 };

/* Everything that a case opens, closed in one place. */
typedef struct suite_files {
    const rf_network *network;
    rf_model *model;
    rf_session *session;
    const rf_tensor *inputs[MOST], *outputs[MOST];
    rf_tensor named[MOST]; /* the inputs under the network's names */
    size_t input_count, output_count;
} suite_files;

static void release(suite_files *files)
{
    rf_session_free(files->session);
    rf_model_free(files->model);
    rf_network_free(files->network);
    for (size_t i = 0; i < files->input_count; i++)
        rf_tensor_free(files->inputs[i]);
    for (size_t i = 0; i < files->output_count; i++)
        rf_tensor_free(files->outputs[i]);
}

static void conclude(suite_outcome *outcome, rf_status status, const char *message)
{
    outcome->result = status == RF_ERROR_UNSUPPORTED ? SUITE_REFUSED : SUITE_FAILED;
    snprintf(outcome->reason, sizeof outcome->reason, "%s", message);
}

static void list_operators(const rf_network *network, suite_outcome *outcome)
{
    for (size_t i = 0; i < network->layer_count; i++) {
        int k = 0;
        while (k < outcome->operator_count && strcmp(outcome->operators[k], network->layers[i].type) != 0)
            k++;
        if (k == outcome->operator_count && k < 16)
            snprintf(outcome->operators[outcome->operator_count++], sizeof *outcome->operators, "%s",
                     network->layers[i].type);
    }
}

/* Tensors kind_0.pb, kind_1.pb, ... as far as there are any. */
static rf_status load_tensors(const char *folder, const char *kind, const rf_tensor **tensors, size_t *count,
                              rf_error *error)
{
    char path[1200];
    for (*count = 0; *count < MOST; ++*count) {
        snprintf(path, sizeof path, "%s/test_data_set_0/%s_%zu.pb", folder, kind, *count);
        if (access(path, R_OK) != 0)
            return RF_OK;
        rf_status status = rf_tensor_load(path, NULL, &tensors[*count], error);
        if (status != RF_OK)
            return status;
    }
    return RF_OK;
}

/* The suite's files hold bfloat16 as uint16, and one input stands in for another shape. */
static bool adopt_input(const rf_tensor *declared, rf_tensor *given)
{
    given->name = declared->name;
    if (declared->dtype == RF_BFLOAT16 && given->dtype == RF_UINT16)
        given->dtype = RF_BFLOAT16;
    bool fits = declared->shape.rank < 0 || declared->shape.rank == given->shape.rank;
    for (int32_t k = 0; fits && k < declared->shape.rank; k++)
        fits = declared->shape.dims[k] == RF_UNKNOWN_DIM || declared->shape.dims[k] == given->shape.dims[k];
    return fits;
}

/* Sequences and optional values are stored in files of their own kinds. */
static rf_status blame_input(rf_error *error)
{
    *error = (rf_error){.status = RF_ERROR_UNSUPPORTED, .message = "what the suite gives is no tensor, or does not fit its model"};
    return RF_ERROR_UNSUPPORTED;
}

static rf_status load(const char *folder, suite_files *files, suite_outcome *outcome, rf_error *error)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    rf_status status = rf_network_load(path, NULL, &files->network, error);
    if (status != RF_OK)
        return status;
    list_operators(files->network, outcome);
    status = load_tensors(folder, "input", files->inputs, &files->input_count, error);
    if (status != RF_OK)
        return blame_input(error);
    for (size_t i = 0; i < files->input_count && i < files->network->input_count; i++) {
        files->named[i] = *files->inputs[i];
        if (!adopt_input(&files->network->inputs[i], &files->named[i]))
            return blame_input(error);
    }
    status = load_tensors(folder, "output", files->outputs, &files->output_count, error);
    return status == RF_OK ? RF_OK : blame_input(error);
}

/* Shapes come from the tensors; where a shape needs their elements, short ones are given too. */
static rf_status compile(suite_files *files, rf_error *error)
{
    rf_binding bindings[MOST];
    rf_tensor values[MOST];
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    size_t count = files->input_count < files->network->input_count ? files->input_count : files->network->input_count;
    for (size_t i = 0; i < count; i++)
        bindings[i] = (rf_binding){files->named[i].name, files->named[i].shape};
    options.bindings = bindings;
    options.binding_count = count;
    rf_status status = rf_compile(files->network, &options, &files->model, error);
    if (status != RF_ERROR_UNSUPPORTED)
        return status;
    for (size_t i = 0; i < count; i++)
        if (files->named[i].shape.rank <= 1)
            values[options.value_count++] = files->named[i];
    options.values = values;
    return rf_compile(files->network, &options, &files->model, error);
}

static rf_status run(suite_files *files, rf_error *error)
{
    size_t count;
    const rf_tensor *inputs = rf_model_inputs(files->model, &count);
    rf_status status = rf_session_make(files->model, NULL, &files->session, error);
    for (size_t i = 0; i < count && status == RF_OK; i++)
        for (size_t k = 0; k < files->input_count; k++)
            if (strcmp(files->named[k].name, inputs[i].name) == 0)
                status = rf_session_bind_input(files->session, inputs[i].name, files->named[k].data,
                                               files->named[k].data_bytes, error);
    return status == RF_OK ? rf_run(files->session, error) : status;
}

/* ---- Comparing ---------------------------------------------------------------------------- */

static double short_float(uint16_t bits, int fraction_bits, int bias, int exponents)
{
    int fraction = bits & ((1 << fraction_bits) - 1), exponent = bits >> fraction_bits & exponents;
    double magnitude = exponent ? ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits)
                                : ldexp(fraction, 1 - bias - fraction_bits);
    if (exponent == exponents)
        magnitude = fraction ? (double)NAN : (double)INFINITY;
    return bits >> 15 ? -magnitude : magnitude;
}

static bool read_float(const rf_tensor *tensor, size_t i, double *number)
{
    uint16_t bits;
    switch (tensor->dtype) {
    case RF_FLOAT32:
        *number = (double)((const float *)tensor->data)[i];
        return true;
    case RF_FLOAT64:
        *number = ((const double *)tensor->data)[i];
        return true;
    case RF_FLOAT16:
        memcpy(&bits, (const char *)tensor->data + 2 * i, 2);
        *number = short_float(bits, 10, 15, 31);
        return true;
    case RF_BFLOAT16:
        memcpy(&bits, (const char *)tensor->data + 2 * i, 2);
        *number = short_float(bits, 7, 127, 255);
        return true;
    default:
        return false;
    }
}

/* Short floats were made by cutting bits off; we round to the nearest. */
static bool is_close_short(double got, double wanted)
{
    return got == wanted || (got != got && wanted != wanted) || fabs(got - wanted) <= fabs(wanted) / 128;
}

/* As the suite does: |got - wanted| <= 1e-7 + 1e-3 |wanted|, NaN equal to NaN. */
static bool is_close(double got, double wanted)
{
    if (got != got || wanted != wanted)
        return got != got && wanted != wanted;
    return got == wanted || fabs(got - wanted) <= 1e-7 + 1e-3 * fabs(wanted);
}

static bool same_shape(const rf_shape *a, const rf_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int32_t k = 0; k < a->rank; k++)
        if (a->dims[k] != b->dims[k])
            return false;
    return true;
}

static bool same_elements(const rf_tensor *got, const rf_tensor *wanted, char *reason, size_t bytes)
{
    double a, b;
    bool is_short = got->dtype == RF_BFLOAT16;
    rf_tensor retyped = *wanted;
    retyped.dtype = got->dtype;
    size_t count = 1;
    for (int32_t k = 0; k < wanted->shape.rank; k++)
        count *= (size_t)wanted->shape.dims[k];
    if (count && !read_float(&retyped, 0, &a)) {
        if (memcmp(got->data, wanted->data, wanted->data_bytes) == 0)
            return true;
        snprintf(reason, bytes, "output '%s' differs", got->name);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        read_float(got, i, &a);
        read_float(&retyped, i, &b);
        if (is_short ? is_close_short(a, b) : is_close(a, b))
            continue;
        snprintf(reason, bytes, "output '%s': element %zu is %.9g instead of %.9g", got->name, i, a, b);
        return false;
    }
    return true;
}

static bool compare(const suite_files *files, char *reason, size_t bytes)
{
    size_t count;
    const rf_tensor *outputs = rf_model_outputs(files->model, &count);
    for (size_t i = 0; i < files->output_count; i++) {
        rf_tensor got;
        if (i >= count || rf_session_output(files->session, outputs[i].name, &got, NULL) != RF_OK) {
            snprintf(reason, bytes, "output %zu is missing", i);
            return false;
        }
        bool same_type = got.dtype == files->outputs[i]->dtype
            || (got.dtype == RF_BFLOAT16 && files->outputs[i]->dtype == RF_UINT16);
        if (!same_type || !same_shape(&got.shape, &files->outputs[i]->shape)) {
            snprintf(reason, bytes, "output '%s' has another type or shape", got.name);
            return false;
        }
        if (!same_elements(&got, files->outputs[i], reason, bytes))
            return false;
    }
    return true;
}

void suite_run(const char *folder, suite_outcome *outcome)
{
    suite_files files = {.network = NULL};
    rf_error error = {.status = RF_OK};
    *outcome = (suite_outcome){.result = SUITE_PASSED};
    rf_status status = load(folder, &files, outcome, &error);
    if (status == RF_OK)
        status = compile(&files, &error);
    if (status == RF_OK)
        status = run(&files, &error);
    if (status != RF_OK)
        conclude(outcome, status, error.message);
    else if (!compare(&files, outcome->reason, sizeof outcome->reason))
        outcome->result = SUITE_FAILED;
    release(&files);
}
