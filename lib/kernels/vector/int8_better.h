/* SPDX-License-Identifier: MIT */
/* Where a processor of this instruction set may have the instructions for 8-bit products too, and whether
 * this one has them: the same files are then compiled once more for those. */
#ifndef RF_KERNELS_VECTOR_INT8_BETTER_H
#define RF_KERNELS_VECTOR_INT8_BETTER_H

#include "kernels/kernel.h"
#include "kernels/vector/vector.h"

#if RF_VECTOR_BYTES == 64 && defined(__AVX512F__) && !defined(__AVX512VNNI__)

bool rf_make_integer_sum_avx512vnni(const rf_integer_sum_spec *spec, rf_arena *arena, rf_work *work);

/* The builtin knows CPUID and asks for what the system saves, as for the other sets (machine_x86.c). */
#define RF_INT8_IS_BETTER() __builtin_cpu_supports("avx512vnni")
#define RF_INT8_MAKE_BETTER rf_make_integer_sum_avx512vnni

#else

#define RF_INT8_IS_BETTER() 0
#define RF_INT8_MAKE_BETTER RF_ISA_NAME(rf_make_integer_sum)

#endif

#endif
