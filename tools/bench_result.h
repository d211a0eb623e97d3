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
    const rf_analysis *analysis;
    double peak_gflops; /* of one thread, by multiply-adds in registers; with step_ms */
} bench_result;

/* Multiply-adds of the layer that a step is for, as the analysis counts them: whatever the algorithm
 * makes of them. 0 for none. */
uint64_t bench_macs(const bench_result *result, const rf_model_step *step);

/* Twice the multiply-adds over the time. */
double bench_gflops(uint64_t macs, double ms);

/* A speed as a part of what all threads could do at most. */
double bench_share(const bench_result *result, double gflops);

/* Exit codes. */
int print_bench_text(const bench_result *result);
int print_bench_json(const bench_result *result);

#endif
