/* SPDX-License-Identifier: MIT */
/* An ONNX ValueInfoProto, which declares an input, output or inner tensor, as an rf_tensor. */
#ifndef RF_READERS_ONNX_VALUE_H
#define RF_READERS_ONNX_VALUE_H

#include "readers/onnx_wire.h"

typedef enum rf_onnx_value_kind {
    RF_ONNX_TENSOR,
    RF_ONNX_UNTYPED, /* nothing is said of it */
    RF_ONNX_OTHER    /* a sequence, map, optional, or a tensor of an unknown type */
} rf_onnx_value_kind;

/* A shape that is not stated has rank -1. Only a tensor has a type and may have a shape. */
rf_status rf_onnx_value(rf_onnx_reader *reader, rf_onnx_bytes bytes, rf_tensor *tensor,
                        rf_onnx_value_kind *kind);

#endif
