/* SPDX-License-Identifier: MIT */
/* ONNX models as networks. Built without ONNX, no_onnx.c takes this place. */
#ifndef RF_READERS_ONNX_READER_H
#define RF_READERS_ONNX_READER_H

#include "readers/network_owner.h"

/* Fills the owner's network from a model of `bytes` bytes, which must outlive it. `folder` is
 * put before the names of external files; NULL where there can be none. */
rf_status rf_onnx_read(const void *data, size_t bytes, const char *folder,
                       rf_network_owner *owner, rf_error *error);

#endif
