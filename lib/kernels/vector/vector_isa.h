/* SPDX-License-Identifier: MIT */
/*
 * Single instructions that compilers don't make of plain vector arithmetic,
 * and what stands for them where there are none.
 *
 * RF_LARGER(a, b) is a > b ? a : b, lane by lane, so b where either is NaN;
 * RF_SMALLER likewise. RF_LARGEST gives the larger, or NaN where either is.
 * RF_NEAREST, RF_BELOW and RF_ABOVE round to integers, halves to even.
 * RF_SCALE(x, n) is x times 2^n for whole n, rounded once however small it is.
 * RF_LOOK_UP(table, v) is a vector of table[i], i the low four bits of each lane of v.
 * RF_NARROW(a, b) is a vector of the doubles of a, then those of b.
 * RF_STREAM(to, v) stores a line of the cache past the cache, in any order with
 * other stores until RF_STREAM_END(). RF_LOAD_FIRST and RF_STORE_FIRST touch the
 * first `count` floats only, 0 to a vector's.
 */
#ifndef RF_KERNELS_VECTOR_VECTOR_ISA_H
#define RF_KERNELS_VECTOR_VECTOR_ISA_H

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if RF_VECTOR_BYTES == 64 && defined(__AVX512F__)

#define RF_LARGER(a, b) ((rf_vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define RF_SMALLER(a, b) ((rf_vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define RF_ORDERED(a) _mm512_cmp_ps_mask((__m512)(a), (__m512)(a), _CMP_ORD_Q)
#define RF_LARGEST(a, b) ((rf_vec)_mm512_mask_max_ps((__m512)(a), RF_ORDERED(a), (__m512)(a), (__m512)(b)))
#define RF_SMALLEST(a, b) ((rf_vec)_mm512_mask_min_ps((__m512)(a), RF_ORDERED(a), (__m512)(a), (__m512)(b)))
#define RF_NEAREST(x) ((rf_vec)_mm512_roundscale_ps((__m512)(x), 8))
#define RF_BELOW(x) ((rf_vec)_mm512_roundscale_ps((__m512)(x), 9))
#define RF_ABOVE(x) ((rf_vec)_mm512_roundscale_ps((__m512)(x), 10))
#define RF_SCALE(x, n) ((rf_vec)_mm512_scalef_ps((__m512)(x), (__m512)(n)))
#define RF_LOOK_UP(table, v) ((rf_uvec)_mm512_permutexvar_epi32((__m512i)(v), _mm512_loadu_si512(table)))
#define RF_NARROW_HALF(a) _mm512_cvtpd_ps((__m512d)(a))
#define RF_NARROW(a, b)                                                                            \
    ((rf_vec)_mm512_insertf32x8(_mm512_castps256_ps512(RF_NARROW_HALF(a)), RF_NARROW_HALF(b), 1))
#define RF_STREAM(to, v) _mm512_stream_ps((void *)(to), (__m512)(v))
#define RF_STREAM_END() _mm_sfence()
#define RF_FIRST_LANES(count) ((__mmask16)((1U << (count)) - 1))
#define RF_LOAD_FIRST(from, count) ((rf_vec)_mm512_maskz_loadu_ps(RF_FIRST_LANES(count), from))
#define RF_STORE_FIRST(to, v, count) _mm512_mask_storeu_ps(to, RF_FIRST_LANES(count), (__m512)(v))
enum { RF_HAS_MASKS = 1 }; /* a part of a vector is stored as fast as a whole one */

#elif RF_VECTOR_BYTES == 32 && defined(__AVX2__)

#define RF_LARGER(a, b) ((rf_vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define RF_SMALLER(a, b) ((rf_vec)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define RF_NEAREST(x) ((rf_vec)_mm256_round_ps((__m256)(x), 8))
#define RF_BELOW(x) ((rf_vec)_mm256_round_ps((__m256)(x), 9))
#define RF_ABOVE(x) ((rf_vec)_mm256_round_ps((__m256)(x), 10))
#define RF_NARROW_HALF(a) _mm256_cvtpd_ps((__m256d)(a))
#define RF_NARROW(a, b) ((rf_vec)_mm256_set_m128(RF_NARROW_HALF(b), RF_NARROW_HALF(a)))

#elif RF_VECTOR_BYTES == 16 && defined(__x86_64__)

#define RF_LARGER(a, b) ((rf_vec)_mm_max_ps((__m128)(a), (__m128)(b)))
#define RF_SMALLER(a, b) ((rf_vec)_mm_min_ps((__m128)(a), (__m128)(b)))
#define RF_NARROW(a, b) ((rf_vec)_mm_movelh_ps(_mm_cvtpd_ps((__m128d)(a)), _mm_cvtpd_ps((__m128d)(b))))

#else

#define RF_LARGER(a, b) rf_select((a) > (b), a, b)
#define RF_SMALLER(a, b) rf_select((a) < (b), a, b)

#endif

#ifndef RF_STREAM
#define RF_STREAM(to, v) rf_store(to, v)
#define RF_STREAM_END() ((void)0)
#endif

#ifndef RF_LOAD_FIRST
#define RF_LOAD_FIRST(from, count) rf_load_pieces(from, count)
#define RF_STORE_FIRST(to, v, count) rf_store_pieces(to, v, count)
enum { RF_HAS_MASKS = 0 };
#endif

#ifndef RF_LARGEST
#define RF_LARGEST(a, b) rf_select((a) != (a), a, RF_LARGER(a, b))
#define RF_SMALLEST(a, b) rf_select((a) != (a), a, RF_SMALLER(a, b))
#endif

#endif
