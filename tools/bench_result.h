/* SPDX-License-Identifier: MIT */
/* What rfield bench found, and how it is printed. */
#ifndef RFIELD_TOOLS_BENCH_RESULT_H
#define RFIELD_TOOLS_BENCH_RESULT_H

#include <rfield/run.h>

#include "command.h"

typedef struct bench_result {
    const char *path;
    const rf_model *model;
    int64_t threads, runs;
    double load_ms, compile_ms; /* reading and analysing; compiling */
    double median_ms, min_ms, max_ms;
    uint64_t arena_bytes, packed_bytes;
    size_t step_count;
    double *step_ms; /* medians; NULL where not asked for */
} bench_result;

/* Exit codes. */
int print_bench_text(const bench_result *result);
int print_bench_json(const bench_result *result);

#endif
