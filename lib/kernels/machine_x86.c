/* SPDX-License-Identifier: MIT */
#include "kernels/machine.h"

extern const rf_kernels rf_kernels_avx512, rf_kernels_avx2, rf_kernels_baseline;

static const rf_kernels *const all[] = {&rf_kernels_avx512, &rf_kernels_avx2, &rf_kernels_baseline, NULL};

/* The builtin asks the processor and, by XCR0, whether the system saves the registers. */
const rf_kernels *const *rf_machine_kernels(void)
{
    __builtin_cpu_init();
    int fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (fused && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return all;
    return fused ? all + 1 : all + 2;
}
