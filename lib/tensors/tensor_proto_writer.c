/* SPDX-License-Identifier: MIT */
/*
 * A TensorProto is four fields on the wire, of which only the elements are
 * large: writing them needs no library, so that every build can save one.
 */
#include "tensors/tensor_proto.h"

#include <string.h>

/* The message's field numbers and the wire's types (https://onnx.ai/onnx/repo-docs/IR.html). */
enum { DIMS = 1, DATA_TYPE = 2, NAME = 8, RAW_DATA = 9 };
enum { VARINT = 0, BYTES = 2 };

static unsigned char *put_varint(unsigned char *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (unsigned char)(number | 0x80);
    *at++ = (unsigned char)number;
    return at;
}

static unsigned char *put_field(unsigned char *at, unsigned field, unsigned wire_type, uint64_t number)
{
    *at++ = (unsigned char)(field << 3 | wire_type);
    return put_varint(at, number);
}

/* At most 8 extents of 10 bytes, the type of 2 and the length of 10 fit: 23 bytes stay unused. */
size_t rf_tensor_proto_write_header(const rf_tensor *tensor,
                                    unsigned char header[RF_TENSOR_PROTO_HEADER_BYTES])
{
    unsigned char *at = header;
    for (int32_t i = 0; i < tensor->shape.rank; i++)
        at = put_field(at, DIMS, VARINT, (uint64_t)tensor->shape.dims[i]);
    at = put_field(at, DATA_TYPE, VARINT, (uint64_t)tensor->dtype);
    at = put_field(at, RAW_DATA, BYTES, tensor->data_bytes);
    return (size_t)(at - header);
}

size_t rf_tensor_proto_write_name(const rf_tensor *tensor,
                                  unsigned char header[RF_TENSOR_PROTO_HEADER_BYTES])
{
    if (!tensor->name || !*tensor->name)
        return 0;
    return (size_t)(put_field(header, NAME, BYTES, strlen(tensor->name)) - header);
}
