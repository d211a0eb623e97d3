/* SPDX-License-Identifier: MIT */
/* The logarithm of a softmax over one group, for the losses that begin with it. */
#ifndef RF_OPS_SOFTMAX_H
#define RF_OPS_SOFTMAX_H

#include "ops/op.h"

/* Replaces `count` elements, at least one, and adds what it did to *tally. */
void rf_softmax_logarithms(double *x, uint64_t count, rf_counts *tally);

#endif
