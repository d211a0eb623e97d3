/* SPDX-License-Identifier: MIT */
/* NumPy's .npy: a magic string, a header that is a Python dictionary, then the elements. */
#ifndef RF_TENSORS_NPY_H
#define RF_TENSORS_NPY_H

#include "tensors/tensor_owner.h"

/* What a header says. */
typedef struct rf_npy_header {
    rf_dtype dtype;
    rf_shape shape;
    bool big_endian;
    bool columns_first; /* the first index varies fastest */
    size_t bytes;       /* of all that comes before the elements */
} rf_npy_header;

bool rf_npy_begins(const rf_tensor_source *source);

rf_status rf_npy_read_header(const rf_tensor_source *source, rf_npy_header *header, rf_error *error);

/* An rf_tensor_reader. */
rf_status rf_npy_read(const rf_tensor_source *source, rf_network_owner *memory, rf_tensor *tensor,
                      rf_error *error);

enum { RF_NPY_HEADER_BYTES = 512 };

/* The version 1 header of a tensor; false for an element type that NumPy has not. */
bool rf_npy_write_header(const rf_tensor *tensor, char header[RF_NPY_HEADER_BYTES], size_t *bytes);

#endif
