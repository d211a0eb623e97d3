/* SPDX-License-Identifier: MIT */
/* A softmax over one group and its logarithm, for the losses that begin with them. */
#ifndef RF_OPS_SOFTMAX_H
#define RF_OPS_SOFTMAX_H

#include "ops/op.h"

/* Each replaces `count` elements, at least one, and adds what it did to *tally. */
void rf_softmax_group(double *x, uint64_t count, rf_counts *tally);
void rf_softmax_logarithms(double *x, uint64_t count, rf_counts *tally);

#endif
