/* SPDX-License-Identifier: MIT */
#include "kernels/machine.h"

extern const rf_kernels rf_kernels_avx512, rf_kernels_avx2, rf_kernels_baseline;

static const rf_kernels *const all[] = {&rf_kernels_avx512, &rf_kernels_avx2, &rf_kernels_baseline, NULL};

const rf_kernels *const *rf_machine_built(void)
{
    return all;
}

/*
 * The builtin knows CPUID and asks XGETBV for XCR0 too: where the system does not save the upper
 * halves or the masks, it answers no to all of AVX, FMA and AVX-512. Every feature that the build
 * names in its flags is asked for here (vector/meson.build); what a flag implies, any such processor has.
 */
const rf_kernels *const *rf_machine_kernels(void)
{
    __builtin_cpu_init();
    int fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (fused && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return all;
    return fused ? all + 1 : all + 2;
}

bool rf_machine_has_bfloat16(const rf_kernels *kernels)
{
    __builtin_cpu_init();
    return kernels == &rf_kernels_avx512 && __builtin_cpu_supports("avx512bf16");
}
