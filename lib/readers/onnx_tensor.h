/* SPDX-License-Identifier: MIT */
/* An ONNX TensorProto as an rf_tensor whose data stays where it is. */
#ifndef RF_READERS_ONNX_TENSOR_H
#define RF_READERS_ONNX_TENSOR_H

#include "readers/onnx_wire.h"

/* Reads a tensor; one without a name is called `fallback_name`, or refused where that is NULL. */
rf_status rf_onnx_tensor(rf_onnx_reader *reader, rf_onnx_bytes bytes, const char *fallback_name,
                         rf_tensor *tensor);

#endif
