/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "run_progress.h"

#include <stdio.h>
#include <unistd.h>

#include "report/text_writer.h"

/* A run that is over before this says nothing. */
static const double patience = 0.5;
enum { COLUMNS = 70 };

static bool write_to_terminal(void *context, const char *bytes, size_t count)
{
    (void)context;
    return fwrite(bytes, 1, count, stderr) == count;
}

static double seconds_since(const struct timespec *then, struct timespec *now)
{
    clock_gettime(CLOCK_MONOTONIC, now);
    return (double)(now->tv_sec - then->tv_sec) + 1e-9 * (double)(now->tv_nsec - then->tv_nsec);
}

static bool show(void *context, const rf_session *session, size_t step)
{
    run_progress *progress = context;
    struct timespec now;
    char title[64];
    rf_text text;
    (void)session;
    if (seconds_since(&progress->shown, &now) < patience)
        return true;
    progress->shown = now;
    progress->visible = true;
    int used = snprintf(title, sizeof title, "\rstep %zu of %zu: ", step + 1, rf_model_step_count(progress->model));
    rf_text_init(&text, write_to_terminal, NULL);
    rf_text_str(&text, title);
    rf_text_cell(&text, rf_model_step_at(progress->model, step).layer, (size_t)(COLUMNS + 1 - used), false);
    rf_text_finish(&text);
    fflush(stderr);
    return true;
}

void progress_start(run_progress *progress, const rf_model *model, rf_session *session)
{
    *progress = (run_progress){.model = model};
    clock_gettime(CLOCK_MONOTONIC, &progress->shown);
    if (isatty(STDERR_FILENO))
        rf_session_observe(session, show, progress);
}

void progress_end(run_progress *progress)
{
    if (progress->visible)
        fprintf(stderr, "\r%*s\r", COLUMNS, "");
}
