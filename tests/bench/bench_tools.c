/* SPDX-License-Identifier: MIT */
#include "bench_tools.h"

#include <stdlib.h>
#include <time.h>

#include "base/large_pages.h"

double bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

void bench_rest(int milliseconds)
{
    const struct timespec rest = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
    nanosleep(&rest, NULL);
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double bench_median(double *times, size_t count)
{
    qsort(times, count, sizeof *times, by_size);
    return count % 2 ? times[count / 2] : (times[count / 2 - 1] + times[count / 2]) / 2;
}

double bench_least(double *times, size_t count)
{
    qsort(times, count, sizeof *times, by_size);
    return times[0];
}

void *bench_allocate(size_t bytes)
{
    static const size_t line = 64, many = 2 << 20;
    return bytes < many ? aligned_alloc(line, (bytes + line) / line * line) : rf_allocate_pages(bytes);
}

void bench_fill(float *floats, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        floats[i] = (float)((double)(seed >> 40) / (double)(1 << 23) - 1);
    }
}
