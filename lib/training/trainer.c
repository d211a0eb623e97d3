/* SPDX-License-Identifier: MIT */
#include <rfield/training.h>

#include <math.h>
#include <string.h>

#include <rfield/readers.h>

#include "base/arena.h"
#include "base/failure.h"
#include "base/options.h"
#include "ops/op.h"
#include "readers/network_owner.h"

/* A running statistic of the source's constants, and what a batch had. */
typedef struct statistic {
    size_t constant;
    size_t count;
    float *values;
    float *measured;
} statistic;

struct rf_trainer {
    rf_arena arena; /* of this struct and of all numbers */
    const rf_network *source, *gradient;
    rf_trainer_options options;
    rf_model *model;
    rf_session *session;
    rf_optimizer *optimizer;
    rf_parameter *parameters;
    size_t *constants; /* which of the source's each parameter is */
    float **values, **gradients;
    size_t count;
    statistic *statistics;
    size_t statistic_count;
    float loss;
    const char *output;
};

static const size_t none = SIZE_MAX;

static size_t find_constant(const rf_network *network, const char *name, size_t bytes)
{
    for (size_t i = 0; i < network->constant_count; i++)
        if (strncmp(network->constants[i].name, name, bytes) == 0 && !network->constants[i].name[bytes])
            return i;
    return none;
}

static rf_status no_memory(const rf_trainer *trainer, rf_error *error)
{
    return rf_arena_fail(&trainer->arena, error, "a trainer");
}

static size_t elements_of(const rf_tensor *tensor)
{
    return (size_t)rf_elements(&tensor->shape);
}

/* Numbers of the trainer's own that start as a constant's; *values is NULL without memory. */
static rf_status copy_constant(rf_trainer *trainer, const rf_tensor *from, float **values, rf_error *error)
{
    size_t count = elements_of(from);
    if (!from->data || from->data_bytes != count * sizeof(float))
        return rf_fail(error, RF_ERROR_GRAPH, from->name,
                       "constant '%.100s' has no elements; rf_network_initialize() makes them", from->name);
    *values = RF_TAKE(&trainer->arena, float, count);
    if (!*values)
        return no_memory(trainer, error);
    memcpy(*values, from->data, from->data_bytes);
    return RF_OK;
}

/* ---- Parameters and statistics ---------------------------------------------------------- */

static rf_status add_parameter(rf_trainer *trainer, size_t constant, rf_error *error)
{
    const rf_tensor *from = &trainer->source->constants[constant];
    rf_parameter *made = &trainer->parameters[trainer->count];
    float *values = NULL, *gradient = RF_TAKE(&trainer->arena, float, elements_of(from));
    if (!gradient)
        return no_memory(trainer, error);
    RF_TRY(copy_constant(trainer, from, &values, error));
    *made = (rf_parameter){.name = from->name, .shape = from->shape, .count = elements_of(from), .values = values,
                           .gradient = gradient};
    trainer->values[trainer->count] = values;
    trainer->gradients[trainer->count] = gradient;
    trainer->constants[trainer->count++] = constant;
    return RF_OK;
}

static rf_status take_parameters(rf_trainer *trainer, rf_error *error)
{
    const rf_network *gradient = trainer->gradient;
    size_t most = gradient->input_count;
    trainer->parameters = RF_TAKE(&trainer->arena, rf_parameter, most);
    trainer->constants = RF_TAKE(&trainer->arena, size_t, most);
    trainer->values = RF_TAKE(&trainer->arena, float *, most);
    trainer->gradients = RF_TAKE(&trainer->arena, float *, most);
    if (!trainer->parameters || !trainer->constants || !trainer->values || !trainer->gradients)
        return no_memory(trainer, error);
    for (size_t i = 0; i < most; i++) {
        const char *name = gradient->inputs[i].name;
        size_t constant = find_constant(trainer->source, name, strlen(name));
        if (constant != none)
            RF_TRY(add_parameter(trainer, constant, error));
    }
    if (trainer->count)
        return RF_OK;
    return rf_fail(error, RF_ERROR_GRAPH, "parameters", "the network has no parameters to train");
}

static rf_status take_statistics(rf_trainer *trainer, rf_error *error)
{
    const rf_network *gradient = trainer->gradient;
    const size_t suffix = strlen(RF_MEASURED_SUFFIX);
    trainer->statistics = RF_TAKE(&trainer->arena, statistic, gradient->output_count);
    if (!trainer->statistics)
        return no_memory(trainer, error);
    for (size_t i = 2 + trainer->count; i < gradient->output_count; i++) {
        const char *name = gradient->outputs[i].name;
        size_t constant = find_constant(trainer->source, name, strlen(name) - suffix);
        if (constant == none)
            continue;
        statistic *made = &trainer->statistics[trainer->statistic_count++];
        made->constant = constant;
        made->count = elements_of(&trainer->source->constants[constant]);
        made->measured = RF_TAKE(&trainer->arena, float, made->count);
        if (!made->measured)
            return no_memory(trainer, error);
        RF_TRY(copy_constant(trainer, &trainer->source->constants[constant], &made->values, error));
    }
    return RF_OK;
}

/* ---- Making ----------------------------------------------------------------------------- */

static rf_status describe(rf_trainer *trainer, rf_error *error)
{
    const rf_trainer_options *options = &trainer->options;
    const rf_gradient_options how = {
        .size = sizeof how, .allocator = options->allocator, .limits = options->limits,
        .bindings = options->bindings, .binding_count = options->binding_count, .output = options->output,
        .loss = options->loss, .parameters = true, .measure_batches = options->measure_batches,
    };
    return rf_gradient_describe(trainer->source, &how, &trainer->gradient, error);
}

static rf_status compile(rf_trainer *trainer, rf_error *error)
{
    const rf_trainer_options *options = &trainer->options;
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    how.allocator = options->allocator;
    how.limits = options->limits;
    how.exact = options->exact;
    how.isa = options->isa;
    how.executor = options->executor;
    RF_TRY(rf_compile(trainer->gradient, &how, &trainer->model, error));
    rf_session_options session = RF_SESSION_OPTIONS_DEFAULT;
    session.allocator = options->allocator;
    session.executor = options->executor;
    return rf_session_make(trainer->model, &session, &trainer->session, error);
}

static rf_status bind_result(rf_trainer *trainer, size_t output, float *data, size_t count, rf_error *error)
{
    return rf_session_bind(trainer->session, trainer->gradient->outputs[output].name, data, count * sizeof *data, error);
}

static rf_status bind_all(rf_trainer *trainer, rf_error *error)
{
    RF_TRY(bind_result(trainer, 1, &trainer->loss, 1, error));
    for (size_t i = 0; i < trainer->count; i++) {
        size_t count = trainer->parameters[i].count;
        RF_TRY(rf_session_bind_input(trainer->session, trainer->parameters[i].name, trainer->values[i],
                                     count * sizeof(float), error));
        RF_TRY(bind_result(trainer, 2 + i, trainer->gradients[i], count, error));
    }
    for (size_t i = 0; i < trainer->statistic_count; i++)
        RF_TRY(bind_result(trainer, 2 + trainer->count + i, trainer->statistics[i].measured,
                           trainer->statistics[i].count, error));
    trainer->output = trainer->gradient->outputs[0].name;
    return RF_OK;
}

static rf_status make_optimizer(rf_trainer *trainer, rf_error *error)
{
    rf_optimizer_options how = trainer->options.optimizer;
    size_t *sizes = RF_TAKE(&trainer->arena, size_t, trainer->count);
    if (!sizes)
        return no_memory(trainer, error);
    for (size_t i = 0; i < trainer->count; i++)
        sizes[i] = trainer->parameters[i].count;
    how.allocator = trainer->options.allocator;
    how.executor = trainer->options.executor;
    return rf_optimizer_make(&how, sizes, trainer->count, &trainer->optimizer, error);
}

static rf_status make(rf_trainer *trainer, rf_error *error)
{
    RF_TRY(describe(trainer, error));
    RF_TRY(take_parameters(trainer, error));
    RF_TRY(take_statistics(trainer, error));
    RF_TRY(compile(trainer, error));
    RF_TRY(bind_all(trainer, error));
    return make_optimizer(trainer, error);
}

static rf_status check_options(const rf_trainer_options *options, rf_error *error)
{
    if (options->statistics_rate >= 0 && options->statistics_rate <= 1)
        return RF_OK;
    return rf_fail(error, RF_ERROR_ARGUMENT, "statistics_rate", "statistics_rate is %g, but must be from 0 to 1",
                   options->statistics_rate);
}

rf_status rf_trainer_make(const rf_network *network, const rf_trainer_options *options, rf_trainer **trainer,
                          rf_error *error)
{
    rf_trainer_options own = RF_TRAINER_OPTIONS_DEFAULT;
    if (!network || !trainer)
        return rf_fail(error, RF_ERROR_ARGUMENT, network ? "trainer" : "network", "rf_trainer_make: %s is NULL",
                       network ? "trainer" : "network");
    *trainer = NULL;
    RF_TRY(rf_options_take(&own, sizeof own, options, "rf_trainer_options", "RF_TRAINER_OPTIONS_DEFAULT", error));
    RF_TRY(check_options(&own, error));
    rf_arena arena;
    rf_arena_init(&arena, own.allocator, own.limits.memory_bytes);
    rf_trainer *made = RF_TAKE(&arena, rf_trainer, 1);
    if (!made)
        return rf_arena_fail(&arena, error, "a trainer");
    *made = (rf_trainer){.arena = arena, .source = network, .options = own};
    rf_status status = make(made, error);
    if (status == RF_OK)
        *trainer = made;
    else
        rf_trainer_free(made);
    return status;
}

void rf_trainer_free(rf_trainer *trainer)
{
    if (!trainer)
        return;
    rf_optimizer_free(trainer->optimizer);
    rf_session_free(trainer->session);
    rf_model_free(trainer->model);
    rf_network_free(trainer->gradient);
    rf_arena arena = trainer->arena;
    rf_arena_release(&arena);
}

/* ---- Training --------------------------------------------------------------------------- */

const rf_parameter *rf_trainer_parameters(const rf_trainer *trainer, size_t *count)
{
    *count = trainer->count;
    return trainer->parameters;
}

rf_status rf_trainer_bind(rf_trainer *trainer, const char *name, const void *data, size_t bytes, rf_error *error)
{
    for (size_t i = 0; i < trainer->count; i++)
        if (name && strcmp(name, trainer->parameters[i].name) == 0)
            return rf_fail(error, RF_ERROR_ARGUMENT, name, "'%.100s' is a parameter, whose values are the trainer's own",
                           name);
    return rf_session_bind_input(trainer->session, name, data, bytes, error);
}

rf_status rf_trainer_output(const rf_trainer *trainer, rf_tensor *output, rf_error *error)
{
    return rf_session_output(trainer->session, trainer->output, output, error);
}

rf_status rf_backward(rf_trainer *trainer, double *loss, rf_error *error)
{
    RF_TRY(rf_run(trainer->session, error));
    if (loss)
        *loss = (double)trainer->loss;
    if (isfinite(trainer->loss))
        return RF_OK;
    return rf_fail(error, RF_ERROR_NUMBER, RF_LOSS, "the loss of '%.100s' is %g, no finite number", trainer->output,
                   (double)trainer->loss);
}

static rf_status name_gradient(const rf_trainer *trainer, rf_error *error)
{
    for (size_t i = 0; i < trainer->count; i++)
        for (size_t k = 0; k < trainer->parameters[i].count; k++)
            if (!isfinite(trainer->gradients[i][k]))
                return rf_fail(error, RF_ERROR_NUMBER, trainer->parameters[i].name,
                               "element %zu of the gradient of '%.100s' is %g, no finite number", k,
                               trainer->parameters[i].name, (double)trainer->gradients[i][k]);
    return RF_ERROR_NUMBER;
}

static void move_statistics(rf_trainer *trainer)
{
    double rate = trainer->options.statistics_rate;
    for (size_t i = 0; i < trainer->statistic_count; i++) {
        statistic *of = &trainer->statistics[i];
        for (size_t k = 0; k < of->count; k++)
            of->values[k] = (float)((1 - rate) * (double)of->values[k] + rate * (double)of->measured[k]);
    }
}

rf_status rf_trainer_step(rf_trainer *trainer, double rate, rf_error *error)
{
    rf_status status = rf_optimizer_step(trainer->optimizer, trainer->values,
                                         (const float *const *)trainer->gradients, rate, error);
    if (status == RF_ERROR_NUMBER)
        return name_gradient(trainer, error);
    RF_TRY(status);
    move_statistics(trainer);
    return RF_OK;
}

/* ---- What came of it -------------------------------------------------------------------- */

static rf_status put_numbers(rf_network_owner *owner, rf_tensor *constant, const float *values, rf_error *error)
{
    void *data = rf_arena_take(&owner->arena, constant->data_bytes, 1);
    if (!data)
        return rf_network_owner_no_memory(owner, error);
    constant->data = memcpy(data, values, constant->data_bytes);
    return RF_OK;
}

static rf_status put_all(const rf_trainer *trainer, rf_network_owner *owner, rf_error *error)
{
    const rf_network *source = trainer->source;
    rf_tensor *constants = RF_TAKE(&owner->arena, rf_tensor, source->constant_count);
    if (!constants)
        return rf_network_owner_no_memory(owner, error);
    memcpy(constants, source->constants, source->constant_count * sizeof *constants);
    owner->network = *source;
    owner->network.constants = constants;
    for (size_t i = 0; i < trainer->count; i++)
        RF_TRY(put_numbers(owner, &constants[trainer->constants[i]], trainer->values[i], error));
    for (size_t i = 0; i < trainer->statistic_count; i++)
        RF_TRY(put_numbers(owner, &constants[trainer->statistics[i].constant], trainer->statistics[i].values, error));
    return RF_OK;
}

rf_status rf_trainer_network(const rf_trainer *trainer, const rf_network **network, rf_error *error)
{
    rf_load_options load = RF_LOAD_OPTIONS_DEFAULT;
    rf_network_owner *owner;
    *network = NULL;
    load.allocator = trainer->options.allocator;
    load.limits = trainer->options.limits;
    RF_TRY(rf_network_owner_make(&load, &owner, error));
    rf_status status = put_all(trainer, owner, error);
    if (status != RF_OK) {
        rf_network_owner_free(owner);
        return status;
    }
    *network = &owner->network;
    return RF_OK;
}
