/* SPDX-License-Identifier: MIT */
/* What benchmarks share: a clock, rests, quantiles, memory and numbers to compute with. */
#ifndef BENCH_TOOLS_H
#define BENCH_TOOLS_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds that only grow. */
double bench_now(void);

/* Lets threads that watch for work go to sleep. */
void bench_rest(int milliseconds);

/* Both put the times in order. `count` is at least 1. */
double bench_median(double *times, size_t count);
double bench_least(double *times, size_t count);

/* For free(): at a multiple of 64 bytes and, where they are many, on the large pages that sessions get. */
void *bench_allocate(size_t bytes);

/* Reals between -1 and 1, always the same ones for a seed. */
void bench_fill(float *floats, size_t count, uint64_t seed);

#endif
