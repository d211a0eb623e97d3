/* SPDX-License-Identifier: MIT */
/* What a change of shape that keeps the order of elements means for each axis. */
#ifndef RF_OPS_REGROUP_H
#define RF_OPS_REGROUP_H

#include "ops/op.h"

/* The links of an operator that turns shape `in` into `out`, of as many elements. */
void rf_link_regroup(const rf_shape *in, const rf_shape *out, rf_link *links);

#endif
