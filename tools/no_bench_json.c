/* SPDX-License-Identifier: MIT */
/* Stands in for bench_json.c in a build without Jansson. */
#include "bench_result.h"

int print_bench_json(const bench_result *result)
{
    return complain(result->path, "this rfield was built without JSON (the Meson option `json`)");
}
