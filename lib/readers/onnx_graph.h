/* SPDX-License-Identifier: MIT */
/* An ONNX GraphProto as the network's tensors and layers. */
#ifndef RF_READERS_ONNX_GRAPH_H
#define RF_READERS_ONNX_GRAPH_H

#include "readers/onnx_wire.h"

/* Fills everything but the operator set of the owner's network. */
rf_status rf_onnx_graph(rf_onnx_reader *reader, rf_onnx_bytes bytes);

#endif
