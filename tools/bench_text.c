/* SPDX-License-Identifier: MIT */
#include "bench_result.h"

#include <stdio.h>

static void print_speed(const bench_result *result, uint64_t macs, double ms)
{
    double gflops = bench_gflops(macs, ms);
    if (macs)
        printf("%9.2f  %4.0f %%  ", gflops, 100 * bench_share(result, gflops));
    else
        printf("%9s  %6s  ", "-", "-");
}

static void print_steps(const bench_result *result)
{
    printf("peak %.1f GFLOP/s a thread, by multiply-adds in registers\n", result->peak_gflops);
    printf("\n%9s  %9s  %6s  %-28s  %s\n", "ms", "GFLOP/s", "share", "algorithm", "layer");
    for (size_t s = 0; s < result->step_count; s++) {
        rf_model_step step = rf_model_step_at(result->model, s);
        printf("%9.4f  ", result->step_ms[s]);
        print_speed(result, bench_macs(result, &step), result->step_ms[s]);
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
