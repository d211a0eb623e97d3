/* SPDX-License-Identifier: MIT */
#include "bench_result.h"

#include <stdio.h>

/* Twice the multiply-adds over the time. */
static double gflops(uint64_t operations, double ms)
{
    return ms > 0 ? 2e-6 * (double)operations / ms : 0;
}

static void print_steps(const bench_result *result)
{
    printf("\n%9s  %9s  %-28s  %s\n", "ms", "GFLOP/s", "algorithm", "layer");
    for (size_t s = 0; s < result->step_count; s++) {
        rf_model_step step = rf_model_step_at(result->model, s);
        printf("%9.4f  ", result->step_ms[s]);
        if (step.operations)
            printf("%9.2f  ", gflops(step.operations, result->step_ms[s]));
        else
            printf("%9s  ", "-");
        printf("%-28s  ", step.algorithm);
        print_name(step.layer);
        printf(" (");
        print_name(*step.type ? step.type : "copy");
        if (*step.fused) {
            printf(", with ");
            print_name(step.fused);
        }
        printf(")\n");
    }
}

int print_bench_text(const bench_result *result)
{
    print_name(result->path);
    printf(": median %.3f ms, least %.3f, most %.3f (%lld runs, %lld thread%s)\n", result->median_ms,
           result->min_ms, result->max_ms, (long long)result->runs, (long long)result->threads,
           result->threads == 1 ? "" : "s");
    printf("load %.1f ms, compile %.1f ms, arena %llu bytes, packed weights %llu bytes\n", result->load_ms,
           result->compile_ms, (unsigned long long)result->arena_bytes, (unsigned long long)result->packed_bytes);
    if (result->step_ms)
        print_steps(result);
    return finish_stdout();
}
