/* SPDX-License-Identifier: MIT */
/*
 * How an output element of an operator depends on an input: for each axis of
 * the input, which indices it reads, given the output's indices. The element
 * reads the product of these index sets.
 *
 * Links are the whole of what receptive fields need to know of an operator.
 */
#ifndef RF_OPS_LINK_H
#define RF_OPS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <rfield/network.h>

typedef enum rf_link_kind {
    RF_LINK_NOTHING,    /* the output does not depend on this input's elements */
    RF_LINK_ALL,        /* every index */
    RF_LINK_RANGE,      /* first .. last, whatever the output index */
    RF_LINK_WINDOW,     /* stride * i - pad + dilation * t, t = 0 .. kernel-1; stride may be negative */
    RF_LINK_TRANSPOSED, /* every j with stride * j - pad + dilation * t = i for some t in 0 .. kernel-1 */
    RF_LINK_BLOCK,      /* (i / out_block) * in_block .. that + in_block - 1 */
    RF_LINK_PERIODIC,   /* advance * (i / period) + table_first[i % period] .. + table_last[i % period] */
    RF_LINK_TABLE,      /* table_first[i] .. table_last[i] for each output index i, within the input */
    RF_LINK_PART,       /* i - pad where that is an index of the input, nothing elsewhere (Concat) */
    RF_LINK_DIGITS      /* ((SUM over terms of weight * ((i / divisor) % modulus)) / divisor) % modulus */
} rf_link_kind;

/* What an index past the ends of the input stands for. The unclipped field treats all alike. */
typedef enum rf_border {
    RF_BORDER_PADDING, /* no element */
    RF_BORDER_CLAMP,   /* the nearest element */
    RF_BORDER_REFLECT, /* mirrored about the end element */
    RF_BORDER_WRAP     /* counted from the other end */
} rf_border;

/* A term's modulus where the index itself is meant, past the ends too, and not a digit of it. */
#define RF_WHOLE_INDEX INT64_MAX

/* A term of RF_LINK_DIGITS: a digit of one output axis's index. */
typedef struct rf_link_term {
    int32_t axis;
    int64_t divisor, modulus, weight;
} rf_link_term;

/* Members not named by the kind are unspecified, but for `border`: set it for WINDOW and PERIODIC. */
typedef struct rf_link {
    rf_link_kind kind;
    rf_border border;
    int32_t axis; /* of the output, that i counts along; unused by NOTHING, ALL, RANGE, DIGITS */
    int64_t kernel, stride, dilation, pad;
    int64_t first, last;
    int64_t out_block, in_block;
    int64_t period, advance;
    const int64_t *table_first, *table_last;
    int64_t divisor, modulus;
    int32_t term_count;
    rf_link_term terms[RF_MAX_RANK];
} rf_link;

/* Whether the link follows the index of one output axis, `axis`. */
static inline bool rf_link_counts(const rf_link *link)
{
    return link->kind >= RF_LINK_WINDOW && link->kind != RF_LINK_DIGITS;
}

/* Whether index i reads index i, of whichever axis. */
static inline bool rf_link_is_same(const rf_link *link)
{
    return link->kind == RF_LINK_WINDOW && link->kernel == 1 && link->stride == 1 && link->pad == 0;
}

/* The output axes that the link depends on, as bits. */
static inline uint32_t rf_link_axes(const rf_link *link)
{
    uint32_t axes = 0;
    if (rf_link_counts(link))
        return UINT32_C(1) << link->axis;
    for (int32_t k = 0; link->kind == RF_LINK_DIGITS && k < link->term_count; k++)
        axes |= UINT32_C(1) << link->terms[k].axis;
    return axes;
}

static inline void rf_link_nothing(rf_link *link)
{
    link->kind = RF_LINK_NOTHING;
}

static inline void rf_link_all(rf_link *link)
{
    link->kind = RF_LINK_ALL;
}

static inline void rf_link_range(rf_link *link, int64_t first, int64_t last)
{
    link->kind = RF_LINK_RANGE;
    link->first = first;
    link->last = last;
}

static inline void rf_link_window(rf_link *link, int32_t axis, int64_t kernel, int64_t stride,
                                  int64_t dilation, int64_t pad)
{
    link->kind = RF_LINK_WINDOW;
    link->border = RF_BORDER_PADDING;
    link->axis = axis;
    link->kernel = kernel;
    link->stride = stride;
    link->dilation = dilation;
    link->pad = pad;
}

/* Index i reads index i. */
static inline void rf_link_same(rf_link *link, int32_t axis)
{
    rf_link_window(link, axis, 1, 1, 1, 0);
}

static inline void rf_link_block(rf_link *link, int32_t axis, int64_t out_block, int64_t in_block)
{
    link->kind = RF_LINK_BLOCK;
    link->axis = axis;
    link->out_block = out_block;
    link->in_block = in_block;
}

static inline void rf_link_part(rf_link *link, int32_t axis, int64_t pad)
{
    link->kind = RF_LINK_PART;
    link->axis = axis;
    link->pad = pad;
}

#endif
