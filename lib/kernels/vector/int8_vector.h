/* SPDX-License-Identifier: MIT */
/*
 * Products of 8-bit integers, four to a lane: unsigned ones by signed ones, added
 * up in the lane's 32 bits, where sums wrap around.
 *
 * One instruction does it where there is AVX512-VNNI. Elsewhere bytes are spread
 * to pairs of 16 bits, whose products are added in pairs without loss.
 */
#ifndef RF_KERNELS_VECTOR_INT8_VECTOR_H
#define RF_KERNELS_VECTOR_INT8_VECTOR_H

#include "kernels/vector/vector.h"

typedef uint32_t rf_uvec __attribute__((vector_size(RF_VECTOR_BYTES)));
typedef uint32_t rf_uvec_anywhere __attribute__((vector_size(RF_VECTOR_BYTES), aligned(1), may_alias));
typedef int16_t rf_words __attribute__((vector_size(RF_VECTOR_BYTES)));
typedef uint8_t rf_bytes __attribute__((vector_size(RF_VECTOR_BYTES)));
typedef uint8_t rf_some_bytes __attribute__((vector_size(RF_LANES)));
typedef double rf_dvec __attribute__((vector_size(RF_VECTOR_BYTES)));
typedef int64_t rf_lvec __attribute__((vector_size(RF_VECTOR_BYTES)));
typedef int32_t rf_half_ivec __attribute__((vector_size(RF_VECTOR_BYTES / 2)));

RF_INLINE rf_uvec rf_uload(const void *from)
{
    return *(const rf_uvec_anywhere *)from;
}

RF_INLINE void rf_ustore(void *to, rf_uvec v)
{
    *(rf_uvec_anywhere *)to = v;
}

RF_INLINE rf_uvec rf_uset(uint32_t x)
{
    return x + (rf_uvec){0};
}

/* Four bytes in every lane. */
RF_INLINE rf_uvec rf_spread_four(const uint8_t *from)
{
    uint32_t bits;
    memcpy(&bits, from, sizeof bits);
    return rf_uset(bits);
}

/* ---- Sums of four products ----------------------------------------------------------------- */

#if RF_VECTOR_BYTES == 64 && defined(__AVX512VNNI__)

enum { RF_INT8_ROWS = 14 };

typedef struct rf_fours {
    rf_uvec all;
} rf_fours;

RF_INLINE rf_fours rf_unsigned_fours(rf_uvec bytes)
{
    return (rf_fours){bytes};
}

RF_INLINE rf_fours rf_signed_fours(rf_uvec bytes)
{
    return (rf_fours){bytes};
}

RF_INLINE rf_uvec rf_add_fours(rf_uvec sums, rf_fours x, rf_fours w)
{
    return (rf_uvec)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)x.all, (__m512i)w.all);
}

#else

#if RF_VECTOR_BYTES == 64 && defined(__AVX512BW__)
enum { RF_INT8_ROWS = 12 };
#define RF_ADD_PAIRS(a, b) ((rf_uvec)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
#elif RF_VECTOR_BYTES == 32 && defined(__AVX2__)
enum { RF_INT8_ROWS = 4 };
#define RF_ADD_PAIRS(a, b) ((rf_uvec)_mm256_madd_epi16((__m256i)(a), (__m256i)(b)))
#elif RF_VECTOR_BYTES == 16 && defined(__SSE2__)
enum { RF_INT8_ROWS = 4 };
#define RF_ADD_PAIRS(a, b) ((rf_uvec)_mm_madd_epi16((__m128i)(a), (__m128i)(b)))
#else
enum { RF_INT8_ROWS = 4 };
#define RF_LOW_WORD(a) ((rf_ivec)((rf_uvec)(a) << 16) >> 16)
#define RF_HIGH_WORD(a) ((rf_ivec)(a) >> 16)
#define RF_ADD_PAIRS(a, b) ((rf_uvec)(RF_LOW_WORD(a) * RF_LOW_WORD(b)) + (rf_uvec)(RF_HIGH_WORD(a) * RF_HIGH_WORD(b)))
#endif

/* Bytes 0 and 2, and bytes 1 and 3, as words. */
typedef struct rf_fours {
    rf_words even, odd;
} rf_fours;

RF_INLINE rf_fours rf_unsigned_fours(rf_uvec bytes)
{
    const rf_uvec mask = rf_uset(0x00ff00ff);
    return (rf_fours){(rf_words)(bytes & mask), (rf_words)(bytes >> 8 & mask)};
}

RF_INLINE rf_fours rf_signed_fours(rf_uvec bytes)
{
    return (rf_fours){(rf_words)(bytes << 8) >> 8, (rf_words)bytes >> 8};
}

RF_INLINE rf_uvec rf_add_fours(rf_uvec sums, rf_fours x, rf_fours w)
{
    return sums + RF_ADD_PAIRS(x.even, w.even) + RF_ADD_PAIRS(x.odd, w.odd);
}

#endif

/* ---- Scaling back -------------------------------------------------------------------------- */

#if RF_VECTOR_BYTES == 64 && defined(__AVX512F__)
#define RF_DOUBLE_LARGER(a, b) ((rf_dvec)_mm512_max_pd((__m512d)(a), (__m512d)(b)))
#define RF_DOUBLE_SMALLER(a, b) ((rf_dvec)_mm512_min_pd((__m512d)(a), (__m512d)(b)))
#define RF_LOW_DOUBLES(v) ((rf_dvec)_mm512_cvtepi32_pd(_mm512_castsi512_si256((__m512i)(v))))
#define RF_HIGH_DOUBLES(v) ((rf_dvec)_mm512_cvtepi32_pd(_mm512_extracti64x4_epi64((__m512i)(v), 1)))
#elif RF_VECTOR_BYTES == 32 && defined(__AVX2__)
#define RF_DOUBLE_LARGER(a, b) ((rf_dvec)_mm256_max_pd((__m256d)(a), (__m256d)(b)))
#define RF_DOUBLE_SMALLER(a, b) ((rf_dvec)_mm256_min_pd((__m256d)(a), (__m256d)(b)))
#define RF_LOW_DOUBLES(v) ((rf_dvec)_mm256_cvtepi32_pd(_mm256_castsi256_si128((__m256i)(v))))
#define RF_HIGH_DOUBLES(v) ((rf_dvec)_mm256_cvtepi32_pd(_mm256_extracti128_si256((__m256i)(v), 1)))
#elif RF_VECTOR_BYTES == 16 && defined(__SSE2__)
#define RF_DOUBLE_LARGER(a, b) ((rf_dvec)_mm_max_pd((__m128d)(a), (__m128d)(b)))
#define RF_DOUBLE_SMALLER(a, b) ((rf_dvec)_mm_min_pd((__m128d)(a), (__m128d)(b)))
#define RF_LOW_DOUBLES(v) ((rf_dvec)_mm_cvtepi32_pd((__m128i)(v)))
#define RF_HIGH_DOUBLES(v) ((rf_dvec)_mm_cvtepi32_pd(_mm_unpackhi_epi64((__m128i)(v), (__m128i)(v))))
#else
#define RF_DOUBLE_PICK(mask, a, b) ((rf_dvec)(((mask) & (rf_lvec)(a)) | (~(mask) & (rf_lvec)(b))))
#define RF_DOUBLE_LARGER(a, b) RF_DOUBLE_PICK((rf_lvec)((a) > (b)), a, b)
#define RF_DOUBLE_SMALLER(a, b) RF_DOUBLE_PICK((rf_lvec)((a) < (b)), a, b)
#define RF_LOW_DOUBLES(v) rf_doubles_of(v, 0)
#define RF_HIGH_DOUBLES(v) rf_doubles_of(v, RF_LANES / 2)

RF_INLINE rf_dvec rf_doubles_of(rf_uvec v, int first)
{
    rf_half_ivec half;
    memcpy(&half, (const char *)&v + first * (int)sizeof(int32_t), sizeof half);
    return __builtin_convertvector(half, rf_dvec);
}
#endif

/* How a lane's sum becomes an output: round(limit(scale * sum + shift)) + zero. */
typedef struct rf_int8_scaling {
    const double *scale, *shift; /* in the order of the lanes */
    double low, high;            /* whole numbers that fit 32 bits, or what lies between such */
    int32_t zero;
} rf_int8_scaling;

RF_INLINE rf_dvec rf_double_set(double x)
{
    return x - (rf_dvec){0};
}

/* Half a vector of sums. The integer, halves rounded to even, is in the lower part of each double's bits:
 * so it is above 2^52. */
RF_INLINE rf_dvec rf_round_half(rf_dvec sums, const double *scale, const double *shift, double low, double high)
{
    rf_dvec scales, shifts;
    memcpy(&scales, scale, sizeof scales);
    memcpy(&shifts, shift, sizeof shifts);
    rf_dvec x = sums * scales + shifts;
    x = RF_DOUBLE_SMALLER(RF_DOUBLE_LARGER(x, rf_double_set(low)), rf_double_set(high));
    return x + rf_double_set(6755399441055744.0);
}

#if RF_VECTOR_BYTES == 64
#define RF_EVEN_LANES(a, b) \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#elif RF_VECTOR_BYTES == 32
#define RF_EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#else
#define RF_EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#endif

/* Lane `at` of the scaling goes with the first sum. Outputs are in the lanes' low bytes. */
RF_INLINE rf_uvec rf_scale_back(rf_uvec sums, const rf_int8_scaling *by, int64_t at)
{
    const double *scale = by->scale + at, *shift = by->shift + at;
    rf_uvec a = (rf_uvec)rf_round_half(RF_LOW_DOUBLES(sums), scale, shift, by->low, by->high);
    rf_uvec b = (rf_uvec)rf_round_half(RF_HIGH_DOUBLES(sums), scale + RF_LANES / 2, shift + RF_LANES / 2, by->low,
                                       by->high);
    return RF_EVEN_LANES(a, b) + rf_uset((uint32_t)by->zero);
}

/* ---- Storing a part ------------------------------------------------------------------------ */

/* The first `count` bytes, up to a vector's; and the low bytes of so many lanes. */
#if RF_VECTOR_BYTES == 64 && defined(__AVX512BW__)
#define RF_FIRST_BYTES(count) ((__mmask64)(UINT64_MAX >> (64 - (count))))
#define RF_STORE_FIRST_BYTES(to, v, count) _mm512_mask_storeu_epi8(to, RF_FIRST_BYTES(count), (__m512i)(v))
#define RF_STORE_LOW_BYTES(to, v, count) \
    _mm512_mask_cvtepi32_storeu_epi8(to, RF_FIRST_LANES(count), (__m512i)(v))
#else
#define RF_STORE_FIRST_BYTES(to, v, count) rf_store_first_bytes(to, v, count)
#define RF_STORE_LOW_BYTES(to, v, count) rf_store_low_bytes(to, v, count)

static inline __attribute__((unused)) void rf_store_first_bytes(uint8_t *to, rf_uvec v, int64_t count)
{
    memcpy(to, &v, (size_t)count);
}

static inline __attribute__((unused)) void rf_store_low_bytes(uint8_t *to, rf_uvec v, int64_t count)
{
    rf_some_bytes bytes = __builtin_convertvector(v, rf_some_bytes);
    memcpy(to, &bytes, (size_t)count);
}
#endif

/* ---- Lanes and bytes ----------------------------------------------------------------------- */

/* Within each 128 bits: bytes, or words, of the lower or upper halves of two vectors by turns; and the
 * low bytes of four vectors' lanes one after the other, which is the way back. */
#if RF_VECTOR_BYTES == 64 && defined(__AVX512BW__)
#define RF_MIX(name, a, b) ((rf_uvec)_mm512_unpack##name((__m512i)(a), (__m512i)(b)))
#define RF_PACK(name, a, b) ((rf_uvec)_mm512_pack##name((__m512i)(a), (__m512i)(b)))
#elif RF_VECTOR_BYTES == 32 && defined(__AVX2__)
#define RF_MIX(name, a, b) ((rf_uvec)_mm256_unpack##name((__m256i)(a), (__m256i)(b)))
#define RF_PACK(name, a, b) ((rf_uvec)_mm256_pack##name((__m256i)(a), (__m256i)(b)))
#elif RF_VECTOR_BYTES == 16 && defined(__SSE2__)
#define RF_MIX(name, a, b) ((rf_uvec)_mm_unpack##name((__m128i)(a), (__m128i)(b)))
#define RF_PACK(name, a, b) ((rf_uvec)_mm_pack##name((__m128i)(a), (__m128i)(b)))
#endif

#ifdef RF_MIX

/* to[j], lane 4 q + i: byte 16 q + 4 j + i of each of the four. */
RF_INLINE void rf_gather_fours(const rf_uvec from[4], rf_uvec to[4])
{
    rf_uvec low = RF_MIX(lo_epi8, from[0], from[1]), high = RF_MIX(hi_epi8, from[0], from[1]);
    rf_uvec low2 = RF_MIX(lo_epi8, from[2], from[3]), high2 = RF_MIX(hi_epi8, from[2], from[3]);
    to[0] = RF_MIX(lo_epi16, low, low2);
    to[1] = RF_MIX(hi_epi16, low, low2);
    to[2] = RF_MIX(lo_epi16, high, high2);
    to[3] = RF_MIX(hi_epi16, high, high2);
}

RF_INLINE rf_uvec rf_join_bytes(const rf_uvec from[4])
{
    const rf_uvec mask = rf_uset(255);
    rf_uvec low = RF_PACK(s_epi32, from[0] & mask, from[1] & mask);
    return RF_PACK(us_epi16, low, RF_PACK(s_epi32, from[2] & mask, from[3] & mask));
}

#else

RF_INLINE void rf_gather_fours(const rf_uvec from[4], rf_uvec to[4])
{
    uint8_t bytes[4][RF_VECTOR_BYTES], fours[4][RF_VECTOR_BYTES];
    memcpy(bytes, from, sizeof bytes);
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < RF_VECTOR_BYTES; i++)
            fours[i % 16 / 4][4 * (i / 16 * 4 + i % 4) + k] = bytes[k][i];
    memcpy(to, fours, sizeof fours);
}

RF_INLINE rf_uvec rf_join_bytes(const rf_uvec from[4])
{
    uint32_t lanes[4][RF_LANES];
    uint8_t bytes[RF_VECTOR_BYTES];
    memcpy(lanes, from, sizeof lanes);
    for (int i = 0; i < RF_VECTOR_BYTES; i++)
        bytes[i] = (uint8_t)lanes[i % 16 / 4][i / 16 * 4 + i % 4];
    return rf_uload(bytes);
}

#endif

#endif
