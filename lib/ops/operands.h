/* SPDX-License-Identifier: MIT */
/* Checks of inputs and of named choices that the numeric families share. */
#ifndef RF_OPS_OPERANDS_H
#define RF_OPS_OPERANDS_H

#include <string.h>

#include "ops/op.h"

/* Default of an integer attribute whose absence matters. */
#define RF_ABSENT INT64_MIN

/* Whether arithmetic is done in this type: the 8-bit floats are for storage only. */
static inline bool rf_dtype_is_real(rf_dtype dtype)
{
    return dtype == RF_FLOAT32 || dtype == RF_FLOAT16 || dtype == RF_FLOAT64 || dtype == RF_BFLOAT16;
}

/* Input `i`, which must be there and hold floating-point numbers. */
static inline rf_status rf_node_require_real(const rf_node *node, uint32_t i, const char *what,
                                             rf_value **value)
{
    RF_TRY(rf_node_require(node, i, what, value));
    if (rf_dtype_is_real((*value)->dtype))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s must hold floats, not %s", what,
                        rf_dtype_name((*value)->dtype));
}

/* Whether input `i` is omitted or of type `dtype`. */
static inline rf_status rf_node_agree(const rf_node *node, uint32_t i, const char *what, rf_dtype dtype)
{
    const rf_value *value = rf_input(node, i);
    if (!value || value->dtype == dtype)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s is of type %s, but the input of type %s", what,
                        rf_dtype_name(value->dtype), rf_dtype_name(dtype));
}

/* Whether input `i` is omitted or a vector of `length` elements. */
static inline rf_status rf_node_vector(const rf_node *node, uint32_t i, const char *what, int64_t length)
{
    const rf_value *value = rf_input(node, i);
    if (!value || (value->shape.rank == 1 && value->shape.dims[0] == length))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s has shape %s, but [%lld] is needed", what,
                        rf_shape_print(&value->shape).text, (long long)length);
}

/* Declares a trainable weight that no input carries, after checking that its size can be counted. */
static inline rf_status rf_node_imply_weight(rf_node *node, const rf_shape *shape)
{
    uint64_t elements;
    RF_TRY(rf_node_elements(node, shape, &elements));
    return rf_node_imply(node, shape, false);
}

/* The index of `text` in `names`, which ends with NULL; 0 where `text` is NULL. */
static inline rf_status rf_node_choice(const rf_node *node, const char *what, const char *text,
                                       const char *const *names, int *choice)
{
    for (*choice = 0; names[*choice]; (*choice)++)
        if (!text || strcmp(text, names[*choice]) == 0)
            return RF_OK;
    return rf_node_fail(node, RF_ERROR_FORMAT, "%s '%.40s' is unknown; '%s' is the default", what, text,
                        names[0]);
}

#endif
