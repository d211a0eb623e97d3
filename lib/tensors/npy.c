/* SPDX-License-Identifier: MIT */
/* The elements of a .npy file, brought into row-major order and little-endian bytes. */
#include "tensors/npy.h"

#include <inttypes.h>
#include <string.h>

#include "ops/op.h"

/* Copies with the order of the axes turned around. All extents are at least 1. */
static void copy_columns_first(const rf_shape *shape, size_t width, uint64_t count,
                               const unsigned char *from, unsigned char *to)
{
    uint64_t strides[RF_MAX_RANK], stride = 1, offset = 0;
    int64_t index[RF_MAX_RANK] = {0};
    for (int32_t axis = 0; axis < shape->rank; axis++) {
        strides[axis] = stride;
        stride *= (uint64_t)shape->dims[axis];
    }
    for (uint64_t i = 0; i < count; i++) {
        memcpy(to + i * width, from + offset * width, width);
        for (int32_t axis = shape->rank - 1; axis >= 0; axis--) {
            offset += strides[axis];
            if (++index[axis] < shape->dims[axis])
                break;
            offset -= strides[axis] * (uint64_t)shape->dims[axis];
            index[axis] = 0;
        }
    }
}

static void reverse_bytes(unsigned char *data, size_t bytes, size_t width)
{
    for (size_t first = 0; first + width <= bytes; first += width) {
        for (size_t low = first, high = first + width - 1; low < high; low++, high--) {
            unsigned char byte = data[low];
            data[low] = data[high];
            data[high] = byte;
        }
    }
}

/* Bytes of a number: a complex element is two. */
static size_t number_width(rf_dtype dtype)
{
    size_t width = rf_dtype_bits(dtype) / 8;
    return dtype == RF_COMPLEX64 || dtype == RF_COMPLEX128 ? width / 2 : width;
}

static rf_status check_size(const rf_tensor_source *source, const rf_npy_header *header,
                            uint64_t *needed, rf_error *error)
{
    if (!rf_tensor_bytes(header->dtype, &header->shape, needed))
        return rf_fail(error, RF_ERROR_FORMAT, "shape",
                       "the .npy file has the shape %s, which has too many elements to count",
                       rf_shape_print(&header->shape).text);
    uint64_t held = source->bytes - header->bytes;
    if (held != *needed)
        return rf_fail(error, RF_ERROR_FORMAT, "shape",
                       "the .npy file holds %" PRIu64 " bytes of elements; %s%s needs %" PRIu64, held,
                       rf_dtype_name(header->dtype), rf_shape_print(&header->shape).text, *needed);
    return RF_OK;
}

rf_status rf_npy_read(const rf_tensor_source *source, rf_network_owner *memory, rf_tensor *tensor,
                      rf_error *error)
{
    rf_npy_header header;
    uint64_t needed;
    RF_TRY(rf_npy_read_header(source, &header, error));
    RF_TRY(check_size(source, &header, &needed, error));
    const unsigned char *stored = source->data + header.bytes;
    size_t width = rf_dtype_bits(header.dtype) / 8;
    *tensor = (rf_tensor){.name = "", .dtype = header.dtype, .shape = header.shape, .data = stored,
                          .data_bytes = (size_t)needed};
    bool turned = header.columns_first && header.shape.rank > 1 && needed > 0;
    if (!turned && !header.big_endian)
        return RF_OK;
    unsigned char *elements = rf_arena_take(&memory->arena, (size_t)needed, 1);
    if (!elements)
        return rf_arena_fail(&memory->arena, error, "the tensor");
    if (turned)
        copy_columns_first(&header.shape, width, needed / width, stored, elements);
    else
        memcpy(elements, stored, (size_t)needed);
    if (header.big_endian)
        reverse_bytes(elements, (size_t)needed, number_width(header.dtype));
    tensor->data = elements;
    return RF_OK;
}
