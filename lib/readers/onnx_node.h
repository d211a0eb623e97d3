/* SPDX-License-Identifier: MIT */
/* An ONNX NodeProto as an rf_layer. */
#ifndef RF_READERS_ONNX_NODE_H
#define RF_READERS_ONNX_NODE_H

#include "readers/onnx_wire.h"

rf_status rf_onnx_node(rf_onnx_reader *reader, rf_onnx_bytes bytes, rf_layer *layer);

#endif
