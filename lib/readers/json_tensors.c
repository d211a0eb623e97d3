/* SPDX-License-Identifier: MIT */
#include "readers/json_values.h"

#include <string.h>

#include "ops/op.h"

/* How the elements of a type are stored, and the integers that it holds. */
typedef struct element_form {
    rf_dtype dtype;
    uint8_t bytes;
    int64_t least, most;
} element_form;

static const element_form element_forms[] = {
    {RF_FLOAT32, 4, 0, 0},
    {RF_FLOAT64, 8, 0, 0},
    {RF_INT64, 8, INT64_MIN, INT64_MAX},
    {RF_INT32, 4, INT32_MIN, INT32_MAX},
    {RF_INT16, 2, INT16_MIN, INT16_MAX},
    {RF_INT8, 1, INT8_MIN, INT8_MAX},
    {RF_UINT64, 8, 0, INT64_MAX},
    {RF_UINT32, 4, 0, UINT32_MAX},
    {RF_UINT16, 2, 0, UINT16_MAX},
    {RF_UINT8, 1, 0, UINT8_MAX},
    {RF_BOOL, 1, 0, 1},
};

static const element_form *form_of(rf_dtype dtype)
{
    for (size_t i = 0; i < sizeof element_forms / sizeof *element_forms; i++)
        if (element_forms[i].dtype == dtype)
            return &element_forms[i];
    return NULL;
}

static rf_status element_bits(const rf_json_reader *reader, const char *key, const json_t *value,
                              const element_form *form, uint64_t *bits)
{
    if (form->dtype == RF_FLOAT32) {
        float number;
        uint32_t narrow;
        RF_TRY(rf_json_float(reader, key, value, &number));
        memcpy(&narrow, &number, sizeof narrow);
        *bits = narrow;
        return RF_OK;
    }
    if (form->dtype == RF_FLOAT64) {
        if (!json_is_number(value))
            return rf_json_expected(reader, key, value, "a number");
        double number = json_number_value(value);
        memcpy(bits, &number, sizeof number);
        return RF_OK;
    }
    int64_t integer;
    RF_TRY(rf_json_integer(reader, key, value, form->least, form->most, &integer));
    *bits = (uint64_t)integer;
    return RF_OK;
}

static void store_little_endian(unsigned char *at, uint64_t bits, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(bits >> (8 * i));
}

/* Is the product of the extents `count`? */
static bool shape_holds(const rf_shape *shape, size_t count)
{
    uint64_t elements = 1;
    for (int32_t i = 0; i < shape->rank; i++)
        if (!rf_checked_mul(elements, shape->dims[i], &elements))
            return false;
    return elements == count;
}

rf_status rf_json_elements(const rf_json_reader *reader, const char *key, const json_t *values,
                           rf_tensor *tensor)
{
    const element_form *form = form_of(tensor->dtype);
    if (!form)
        return rf_json_fail(reader, key, "is given for the type %s; values of it are not supported",
                            rf_dtype_name(tensor->dtype));
    bool list = json_is_array(values);
    size_t count = list ? json_array_size(values) : 1;
    if (!shape_holds(&tensor->shape, count))
        return rf_json_fail(reader, key, "holds %zu; expected as many as the shape %s has", count,
                            rf_shape_print(&tensor->shape).text);
    unsigned char *data = rf_arena_take(&reader->owner->arena, count, form->bytes);
    if (!data)
        return rf_json_no_memory(reader);
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = 0;
        const json_t *value = list ? json_array_get(values, i) : values;
        RF_TRY(element_bits(reader, key, value, form, &bits));
        store_little_endian(data + i * form->bytes, bits, form->bytes);
    }
    tensor->data = data;
    tensor->data_bytes = count * form->bytes;
    return RF_OK;
}

static rf_status read_type(const rf_json_reader *reader, json_t *object, rf_dtype *dtype)
{
    const json_t *type = json_object_get(object, "type");
    *dtype = RF_FLOAT32;
    if (!type)
        return RF_OK;
    if (!json_is_string(type))
        return rf_json_expected(reader, "type", type, "the name of an element type");
    rf_json_nearest nearest = {.key = json_string_value(type)};
    for (int i = RF_FLOAT32; i <= RF_INT4; i++) {
        const char *name = rf_dtype_name((rf_dtype)i);
        *dtype = (rf_dtype)i;
        if (strcmp(name, nearest.key) == 0)
            return RF_OK;
        rf_json_consider(&nearest, name);
    }
    return rf_json_fail(reader, "type", "is '%.*s'; expected an element type such as '%s'",
                        rf_json_shown(nearest.key), nearest.key,
                        nearest.best ? nearest.best : "float32");
}

static rf_status read_dim(const rf_json_reader *reader, const json_t *value, int64_t *dim)
{
    if (!json_is_integer(value))
        return rf_json_expected(reader, "shape", value, "integers");
    return rf_json_integer(reader, "shape", value, 0, INT64_MAX, dim);
}

static rf_status read_shape(const rf_json_reader *reader, const json_t *list, bool may_be_unknown,
                            rf_tensor *tensor)
{
    if (!json_is_array(list))
        return rf_json_expected(reader, "shape", list, "a list of dimensions");
    size_t rank = json_array_size(list);
    if (rank > RF_MAX_RANK)
        return rf_json_fail(reader, "shape", "has %zu dimensions; expected at most %d", rank,
                            RF_MAX_RANK);
    const char **names = NULL;
    tensor->shape.rank = (int32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *value = json_array_get(list, i);
        if (!may_be_unknown || !(json_is_null(value) || json_is_string(value))) {
            RF_TRY(read_dim(reader, value, &tensor->shape.dims[i]));
            continue;
        }
        if (!names && !(names = RF_TAKE(&reader->owner->arena, const char *, rank)))
            return rf_json_no_memory(reader);
        tensor->shape.dims[i] = RF_UNKNOWN_DIM;
        if (json_is_string(value))
            RF_TRY(rf_json_text(reader, "shape", value, &names[i]));
    }
    tensor->dim_names = names;
    return RF_OK;
}

rf_status rf_json_declaration(const rf_json_reader *reader, json_t *object, rf_tensor *tensor)
{
    json_t *shape;
    RF_TRY(read_type(reader, object, &tensor->dtype));
    RF_TRY(rf_json_require(reader, object, "shape", &shape));
    return read_shape(reader, shape, true, tensor);
}

rf_status rf_json_constant(const rf_json_reader *reader, json_t *object, rf_tensor *tensor)
{
    const json_t *shape = json_object_get(object, "shape");
    const json_t *values = json_object_get(object, "values");
    RF_TRY(read_type(reader, object, &tensor->dtype));
    if (!shape && !values)
        return rf_json_fail(reader, NULL, "has neither 'shape' nor 'values'; expected one or both");
    if (shape)
        RF_TRY(read_shape(reader, shape, false, tensor));
    else if (json_is_array(values))
        tensor->shape = (rf_shape){.rank = 1, .dims = {(int64_t)json_array_size(values)}};
    return values ? rf_json_elements(reader, "values", values, tensor) : RF_OK;
}
