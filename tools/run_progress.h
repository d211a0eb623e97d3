/* SPDX-License-Identifier: MIT */
/* Where a long run is, on a terminal. */
#ifndef RFIELD_TOOLS_RUN_PROGRESS_H
#define RFIELD_TOOLS_RUN_PROGRESS_H

#include <stdbool.h>
#include <time.h>

#include <rfield/run.h>

typedef struct run_progress {
    const rf_model *model;
    struct timespec shown; /* last, or when the run began */
    bool visible;
} run_progress;

/* Observes the session's runs where standard error is a terminal. `progress` must outlive them. */
void progress_start(run_progress *progress, const rf_model *model, rf_session *session);

/* Wipes what is left of it. */
void progress_end(run_progress *progress);

#endif
