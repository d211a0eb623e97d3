/* SPDX-License-Identifier: MIT */
/* ONNX's TensorProto, by itself in a file. Built without ONNX, no_tensor_proto.c reads none. */
#ifndef RF_TENSORS_TENSOR_PROTO_H
#define RF_TENSORS_TENSOR_PROTO_H

#include "tensors/tensor_owner.h"

/* An rf_tensor_reader. */
rf_status rf_tensor_proto_read(const rf_tensor_source *source, rf_network_owner *memory,
                               rf_tensor *tensor, rf_error *error);

/* What comes before the elements in a message, and the name that follows them: raw_data is written
 * as one field whose bytes are the tensor's. */
enum { RF_TENSOR_PROTO_HEADER_BYTES = 128 };
size_t rf_tensor_proto_write_header(const rf_tensor *tensor,
                                    unsigned char header[RF_TENSOR_PROTO_HEADER_BYTES]);

/* The key and length of the field that holds the name; 0 bytes for a tensor without one. */
size_t rf_tensor_proto_write_name(const rf_tensor *tensor,
                                  unsigned char header[RF_TENSOR_PROTO_HEADER_BYTES]);

#endif
