/* SPDX-License-Identifier: MIT */
#include "bench_result.h"

#include <stdio.h>

#include "report/json_name.h"

static json_t *step_of(const bench_result *result, size_t s)
{
    rf_model_step step = rf_model_step_at(result->model, s);
    uint64_t macs = bench_macs(result, &step);
    double gflops = bench_gflops(macs, result->step_ms[s]);
    return json_pack("{s:o, s:o, s:s, s:o, s:f, s:I, s:I, s:f, s:f}", "layer", rf_json_name(step.layer), "operator",
                     rf_json_name(step.type), "algorithm", step.algorithm, "fused", rf_json_name(step.fused),
                     "median_ms", result->step_ms[s], "operations", (json_int_t)step.operations, "macs",
                     (json_int_t)macs, "gflops", gflops, "peak_share", bench_share(result, gflops));
}

static json_t *steps_of(const bench_result *result)
{
    json_t *array = json_array();
    for (size_t s = 0; array && s < result->step_count; s++) {
        if (json_array_append_new(array, step_of(result, s)) == 0)
            continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

int print_bench_json(const bench_result *result)
{
    json_t *object = json_pack(
        "{s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:I}", "model", rf_json_name(result->path), "threads",
        (json_int_t)result->threads, "runs", (json_int_t)result->runs, "load_ms", result->load_ms, "compile_ms",
        result->compile_ms, "median_ms", result->median_ms, "min_ms", result->min_ms, "max_ms", result->max_ms,
        "arena_bytes", (json_int_t)result->arena_bytes, "packed_weight_bytes", (json_int_t)result->packed_bytes);
    bool complete = object
        && (!result->step_ms || (json_object_set_new(object, "peak_gflops", json_real(result->peak_gflops)) == 0
                                 && json_object_set_new(object, "layers", steps_of(result)) == 0));
    complete = complete && json_dumpf(object, stdout, JSON_ENSURE_ASCII | JSON_REAL_PRECISION(7)) == 0;
    json_decref(object);
    if (!complete)
        return complain(result->path, "no memory for the answer");
    putchar('\n');
    return finish_stdout();
}
