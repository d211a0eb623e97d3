/* SPDX-License-Identifier: MIT */
#include "trial.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

double trial_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static size_t elements_of(const rf_tensor *tensor)
{
    size_t count = 1;
    for (int32_t k = 0; k < tensor->shape.rank; k++)
        count *= (size_t)tensor->shape.dims[k];
    return count;
}

/* Room for any element type; what is not float32 stays 0. */
enum { MOST_ELEMENT_BYTES = 16 };

static float uniform(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)((double)(*state >> 40) / (double)(1 << 23) - 1);
}

void trial_fill(trial *it, uint64_t seed)
{
    size_t count;
    const rf_tensor *inputs = rf_model_inputs(it->model, &count);
    for (size_t i = 0; i < count; i++) {
        float *elements = it->inputs[i];
        size_t number = inputs[i].dtype == RF_FLOAT32 ? elements_of(&inputs[i]) : 0;
        for (size_t k = 0; k < number; k++)
            elements[k] = uniform(&seed);
    }
}

static int bind_inputs(trial *it)
{
    rf_error error;
    const rf_tensor *inputs = rf_model_inputs(it->model, &it->input_count);
    it->inputs = calloc(it->input_count + 1, sizeof *it->inputs);
    if (!it->inputs)
        return complain(it->path, "no memory for the inputs");
    for (size_t i = 0; i < it->input_count; i++) {
        size_t bytes = elements_of(&inputs[i]) * MOST_ELEMENT_BYTES;
        it->inputs[i] = calloc(1, bytes + 1);
        if (!it->inputs[i])
            return complain(it->path, "no memory for the inputs");
        if (rf_session_bind_input(it->session, inputs[i].name, it->inputs[i], bytes, &error) != RF_OK)
            return complain(it->path, "%s", error.message);
    }
    trial_fill(it, 1);
    return DONE;
}

static int make_session(trial *it, const rf_executor *executor)
{
    rf_error error;
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    options.executor = executor;
    if (rf_session_make(it->model, &options, &it->session, &error) != RF_OK)
        return complain(it->path, "%s", error.message);
    return bind_inputs(it);
}

int trial_open(trial *it, const open_model *model, rf_compile_options *options, size_t threads)
{
    rf_error error;
    rf_executor executor = {.workers = 1};
    *it = (trial){.path = model->path};
    if (threads > 1 && rf_threads_make(threads, &it->threads, &error) != RF_OK)
        return complain(it->path, "%s", error.message);
    if (threads > 1)
        executor = rf_threads_executor(it->threads);
    rf_binding *bindings = calloc(model->analysis->input_count + 1, sizeof *bindings);
    if (!bindings)
        return complain(it->path, "no memory for the options");
    for (size_t i = 0; i < model->analysis->input_count; i++)
        bindings[i] = (rf_binding){model->analysis->inputs[i].name, model->analysis->inputs[i].shape};
    options->bindings = bindings;
    options->binding_count = model->analysis->input_count;
    options->executor = &executor;
    double start = trial_clock();
    rf_status status = rf_compile(model->network, options, &it->model, &error);
    it->compile_ms = trial_clock() - start;
    free(bindings);
    options->bindings = NULL;
    options->binding_count = 0;
    options->executor = NULL;
    return status == RF_OK ? make_session(it, &executor) : complain(it->path, "%s", error.message);
}

void trial_close(trial *it)
{
    rf_session_free(it->session);
    rf_model_free(it->model);
    rf_threads_free(it->threads);
    for (size_t i = 0; it->inputs && i < it->input_count; i++)
        free(it->inputs[i]);
    free(it->inputs);
    *it = (trial){.path = it->path};
}
