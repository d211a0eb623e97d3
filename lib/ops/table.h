/* SPDX-License-Identifier: MIT */
/* Every operator's row, by name. */
#ifndef RF_OPS_TABLE_H
#define RF_OPS_TABLE_H

#include "ops/op.h"

#define RF_OP(type) extern const rf_op rf_op_##type;
#include "ops/operators.def"
#undef RF_OP

#endif
