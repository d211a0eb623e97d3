/* SPDX-License-Identifier: MIT */
/*
 * Multiply-adds and nothing else: what the processor could do at most, measured
 * in the process whose layers are held against it.
 */
#include "kernels/vector/makers.h"

/* As many sums as hide the latency, and no more than there are registers beside the factors. */
enum { SUMS = RF_VECTOR_BYTES == 64 ? 24 : 12 };

uint64_t RF_ISA_NAME(rf_spin)(uint64_t steps)
{
    /* Read and written where the compiler can't look, so that nothing is worked out beforehand or
     * left out. The sums begin apart, or one would do for all; each comes close to 2 and stays there. */
    volatile float factor = 0.5f, term = 1.0f, sink;
    rf_vec sums[SUMS], factors = rf_set(factor), terms = rf_set(term);
    RF_UNROLL
    for (int i = 0; i < SUMS; i++)
        sums[i] = terms + rf_set((float)i);
    for (uint64_t step = 0; step < steps; step++) {
        RF_UNROLL
        for (int i = 0; i < SUMS; i++)
            sums[i] = sums[i] * factors + terms;
    }
    RF_UNROLL
    for (int i = 1; i < SUMS; i++)
        sums[0] += sums[i];
    sink = sums[0][0];
    (void)sink;
    return steps * SUMS * RF_LANES;
}
