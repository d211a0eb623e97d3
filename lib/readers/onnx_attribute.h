/* SPDX-License-Identifier: MIT */
/* An ONNX AttributeProto as an rf_attribute. */
#ifndef RF_READERS_ONNX_ATTRIBUTE_H
#define RF_READERS_ONNX_ATTRIBUTE_H

#include "readers/onnx_wire.h"

/* `node` names the node in errors. Strings with NULs inside, which are some custom operator's
 * binary data, become RF_ATTRIBUTE_OTHER: no operator that compares text can be misled by them. */
rf_status rf_onnx_attribute(rf_onnx_reader *reader, rf_onnx_bytes bytes, const char *node,
                            rf_attribute *attribute);

#endif
