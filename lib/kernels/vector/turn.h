/* SPDX-License-Identifier: MIT */
/*
 * Turning a block of a matrix: what lies in one piece along one axis in the input
 * lies in one piece along another in the output, as between channels first and last.
 */
#ifndef RF_KERNELS_VECTOR_TURN_H
#define RF_KERNELS_VECTOR_TURN_H

#include "kernels/vector/vector.h"

/* to[b * to_step + a] = from[a * from_step + b] for all a < a_count, b < b_count; steps in elements. */
typedef struct rf_turn {
    void *to;
    const void *from;
    int64_t to_step, from_step, a_count, b_count;
} rf_turn;

/* Elements of any type and alignment. */
typedef uint8_t rf_raw1 __attribute__((may_alias));
typedef uint16_t rf_raw2 __attribute__((may_alias, aligned(1)));
typedef uint32_t rf_raw4 __attribute__((may_alias, aligned(1)));
typedef uint64_t rf_raw8 __attribute__((may_alias, aligned(1)));
typedef struct rf_raw16 {
    rf_raw8 parts[2];
} rf_raw16;

typedef uint32_t rf_quad __attribute__((vector_size(16)));
typedef uint32_t rf_quad_anywhere __attribute__((vector_size(16), may_alias, aligned(1)));

#define RF_TURN_PLAIN(type)                                                                      \
    static inline void rf_turn_##type(const rf_turn *t, int64_t a_begin, int64_t b_begin)        \
    {                                                                                            \
        /* Elements may alias the turn itself. */                                                \
        const int64_t a_count = t->a_count, b_count = t->b_count;                                \
        const int64_t to_step = t->to_step, from_step = t->from_step;                            \
        type *to = t->to;                                                                        \
        const type *from = t->from;                                                              \
        for (int64_t b = b_begin; b < b_count; b++)                                              \
            for (int64_t a = a_begin; a < a_count; a++)                                          \
                to[b * to_step + a] = from[a * from_step + b];                                   \
    }

RF_INLINE void rf_turn_quad(rf_raw4 *to, int64_t to_step, const rf_raw4 *from, int64_t from_step)
{
    rf_quad a = *(const rf_quad_anywhere *)from;
    rf_quad b = *(const rf_quad_anywhere *)(from + from_step);
    rf_quad c = *(const rf_quad_anywhere *)(from + 2 * from_step);
    rf_quad d = *(const rf_quad_anywhere *)(from + 3 * from_step);
    rf_quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    rf_quad AB = __builtin_shufflevector(a, b, 2, 6, 3, 7), CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(rf_quad_anywhere *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(rf_quad_anywhere *)(to + to_step) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    *(rf_quad_anywhere *)(to + 2 * to_step) = __builtin_shufflevector(AB, CD, 0, 1, 4, 5);
    *(rf_quad_anywhere *)(to + 3 * to_step) = __builtin_shufflevector(AB, CD, 2, 3, 6, 7);
}

#endif
