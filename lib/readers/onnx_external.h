/* SPDX-License-Identifier: MIT */
/* Weights that an ONNX model keeps in files beside it. */
#ifndef RF_READERS_ONNX_EXTERNAL_H
#define RF_READERS_ONNX_EXTERNAL_H

#include "readers/onnx_wire.h"

/* Points `tensor`, complete but for its data, at `expected` bytes of the file that `message`, its
 * TensorProto with `entry_count` entries of external data, tells of. A file is mapped once. */
rf_status rf_onnx_external(rf_onnx_reader *reader, rf_onnx_bytes message, size_t entry_count,
                           uint64_t expected, rf_tensor *tensor);

#endif
