/* SPDX-License-Identifier: MIT */
#include "base/options.h"

#include <string.h>

#include "base/failure.h"

rf_status rf_options_take(void *options, size_t size, const void *given, const char *type,
                          const char *defaults, rf_error *error)
{
    size_t given_size;
    if (!given)
        return RF_OK;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < sizeof given_size)
        return rf_fail(error, RF_ERROR_ARGUMENT, type, "%s.size is %zu; start from %s", type, given_size,
                       defaults);
    memcpy(options, given, given_size < size ? given_size : size);
    return RF_OK;
}
