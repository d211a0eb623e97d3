/* SPDX-License-Identifier: MIT */
#include "element_text.h"

#include <inttypes.h>

static rf_value value_of(const rf_tensor *tensor)
{
    return (rf_value){.name = tensor->name, .dtype = tensor->dtype, .data = tensor->data};
}

/* Digits that tell any two values apart; 0 for a type that is not shown. */
static int digits_of(rf_dtype dtype)
{
    switch (dtype) {
    case RF_FLOAT64: return 17;
    case RF_FLOAT32: return 9;
    case RF_FLOAT16: return 5;
    case RF_BFLOAT16: return 4;
    default: return 0;
    }
}

bool has_element_text(rf_dtype dtype)
{
    if (rf_dtype_is_integer(dtype))
        return rf_dtype_bits(dtype) >= 8;
    return dtype == RF_BOOL || digits_of(dtype) > 0;
}

void write_element(rf_text *text, const rf_tensor *tensor, size_t i)
{
    rf_value value = value_of(tensor);
    if (rf_dtype_is_float(tensor->dtype))
        rf_text_format(text, "%.*g", digits_of(tensor->dtype), rf_value_float(&value, i));
    else if (tensor->dtype == RF_UINT64)
        rf_text_format(text, "%" PRIu64, (uint64_t)rf_value_int(&value, i));
    else
        rf_text_format(text, "%" PRId64, rf_value_int(&value, i));
}

double element_as_double(const rf_tensor *tensor, size_t i)
{
    rf_value value = value_of(tensor);
    return rf_value_float(&value, i);
}

size_t element_count(const rf_tensor *tensor)
{
    return tensor->data_bytes / (rf_dtype_bits(tensor->dtype) / 8);
}

void write_elements(rf_text *text, const rf_tensor *tensor, const char *indent)
{
    size_t count = element_count(tensor);
    const rf_shape *shape = &tensor->shape;
    size_t row = shape->rank ? (size_t)shape->dims[shape->rank - 1] : 1;
    for (size_t i = 0; i < count; i++) {
        rf_text_str(text, i % row ? " " : indent);
        write_element(text, tensor, i);
        if ((i + 1) % row == 0)
            rf_text_str(text, "\n");
    }
}
