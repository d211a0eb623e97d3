/* SPDX-License-Identifier: MIT */
/* What a build without training answers. */
#include <rfield/gradient.h>
#include <rfield/initialize.h>

#include "base/failure.h"

static rf_status refuse(rf_error *error)
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
    return refuse(error);
}

rf_status rf_gradient_describe(const rf_network *network, const rf_gradient_options *options,
                               const rf_network **gradient, rf_error *error)
{
    (void)network;
    (void)options;
    if (gradient)
        *gradient = NULL;
    return refuse(error);
}
