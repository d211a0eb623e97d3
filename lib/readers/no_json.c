/* SPDX-License-Identifier: MIT */
/* Built in place of json_reader.c where the feature `json` is off. */
#include <rfield/readers.h>

#include "base/failure.h"

rf_status rf_network_load_json(const char *text, size_t bytes, const rf_load_options *options,
                               const rf_network **network, rf_error *error)
{
    (void)text;
    (void)bytes;
    (void)options;
    if (network)
        *network = NULL;
    return rf_fail(error, RF_ERROR_UNSUPPORTED, "json",
                   "this rfield was built without its JSON reader");
}
