/* SPDX-License-Identifier: MIT */
/* What a build without training answers. */
#include <rfield/effective_field.h>
#include <rfield/gradient_report.h>
#include <rfield/initialize.h>
#include <rfield/training.h>

#include "base/failure.h"

static rf_status not_built(rf_error *error)
{
    return rf_fail(error, RF_ERROR_UNSUPPORTED, "training",
                   "this build of rfield does not train; configure it with -Dtraining=enabled");
}

rf_status rf_network_initialize(const rf_network *network, const rf_initialization *how,
                                const rf_network **initialized, rf_error *error)
{
    (void)network;
    (void)how;
    if (initialized)
        *initialized = NULL;
    return not_built(error);
}

rf_status rf_optimizer_make(const rf_optimizer_options *options, const size_t *sizes, size_t tensor_count,
                            rf_optimizer **optimizer, rf_error *error)
{
    (void)options;
    (void)sizes;
    (void)tensor_count;
    if (optimizer)
        *optimizer = NULL;
    return not_built(error);
}

rf_status rf_optimizer_step(rf_optimizer *optimizer, float *const *parameters, const float *const *gradients,
                            double rate, rf_error *error)
{
    (void)optimizer;
    (void)parameters;
    (void)gradients;
    (void)rate;
    return not_built(error);
}

double rf_optimizer_gradient_norm(const rf_optimizer *optimizer)
{
    (void)optimizer;
    return 0;
}

void rf_optimizer_free(rf_optimizer *optimizer)
{
    (void)optimizer;
}

rf_status rf_gradient_describe(const rf_network *network, const rf_gradient_options *options,
                               const rf_network **gradient, rf_error *error)
{
    (void)network;
    (void)options;
    if (gradient)
        *gradient = NULL;
    return not_built(error);
}

rf_status rf_effective_field_make(const rf_network *network, const rf_effective_options *options,
                                  const rf_effective_field **field, rf_error *error)
{
    (void)network;
    (void)options;
    if (field)
        *field = NULL;
    return not_built(error);
}

void rf_effective_field_free(const rf_effective_field *field)
{
    (void)field;
}

rf_status rf_gradient_report_make(const rf_network *network, const rf_gradient_report_options *options,
                                  const rf_gradient_report **report, rf_error *error)
{
    (void)network;
    (void)options;
    if (report)
        *report = NULL;
    return not_built(error);
}

void rf_gradient_report_free(const rf_gradient_report *report)
{
    (void)report;
}

const char *rf_gradient_verdict_name(rf_gradient_verdict verdict)
{
    (void)verdict;
    return "";
}

/* ---- Trainers: none can be made, so no other call has one ------------------------------------ */

rf_status rf_trainer_make(const rf_network *network, const rf_trainer_options *options, rf_trainer **trainer,
                          rf_error *error)
{
    (void)network;
    (void)options;
    if (trainer)
        *trainer = NULL;
    return not_built(error);
}

void rf_trainer_free(rf_trainer *trainer)
{
    (void)trainer;
}

const rf_parameter *rf_trainer_parameters(const rf_trainer *trainer, size_t *count)
{
    (void)trainer;
    *count = 0;
    return NULL;
}

rf_status rf_trainer_bind(rf_trainer *trainer, const char *name, const void *data, size_t bytes, rf_error *error)
{
    (void)trainer;
    (void)name;
    (void)data;
    (void)bytes;
    return not_built(error);
}

rf_status rf_trainer_output(const rf_trainer *trainer, rf_tensor *output, rf_error *error)
{
    (void)trainer;
    (void)output;
    return not_built(error);
}

rf_status rf_backward(rf_trainer *trainer, double *loss, rf_error *error)
{
    (void)trainer;
    (void)loss;
    return not_built(error);
}

rf_status rf_trainer_step(rf_trainer *trainer, double rate, rf_error *error)
{
    (void)trainer;
    (void)rate;
    return not_built(error);
}

rf_status rf_trainer_network(const rf_trainer *trainer, const rf_network **network, rf_error *error)
{
    (void)trainer;
    *network = NULL;
    return not_built(error);
}
