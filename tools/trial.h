/* SPDX-License-Identifier: MIT */
/* A model compiled and bound to numbers of its own, for commands that try it out. */
#ifndef RFIELD_TOOLS_TRIAL_H
#define RFIELD_TOOLS_TRIAL_H

#include <rfield/run.h>

#include "open_model.h"

typedef struct trial {
    const char *path;
    rf_model *model;
    rf_session *session;
    rf_threads *threads;
    void **inputs; /* the bound buffers; floats are between -1 and 1, integers 0 */
    size_t input_count;
    double compile_ms;
} trial;

/* Milliseconds that only grow. */
double trial_clock(void);

/* Compiles the network for the shapes that its analysis has. `options` may lack bindings. `threads`
 * is 1 for none. Complains and returns BAD_INPUT where it fails; close it in either case. */
int trial_open(trial *it, const open_model *model, rf_compile_options *options, size_t threads);

/* Fills the bound buffers anew. */
void trial_fill(trial *it, uint64_t seed);

void trial_close(trial *it);

#endif
