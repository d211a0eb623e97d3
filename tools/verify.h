/* SPDX-License-Identifier: MIT */
/* The two halves of rfield verify. */
#ifndef RFIELD_TOOLS_VERIFY_H
#define RFIELD_TOOLS_VERIFY_H

#include "open_model.h"

typedef struct verify_request {
    const char *path;
    input_options inputs;
    int64_t points, seed;
    rf_precision precision; /* of the run that fields are checked by */
    bool help;
} verify_request;

/* Both print what they compared and what differs, count differences, and return an exit code. */
int verify_counts(const open_model *model, uint64_t *differences);
int verify_fields(const open_model *model, const verify_request *request, uint64_t *differences);

/* Shows "what done/all" on a terminal's standard error; all == 0 takes it away. */
void show_progress(const char *what, size_t done, size_t all);

#endif
