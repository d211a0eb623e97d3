/* SPDX-License-Identifier: MIT */
#include "ops/checks.h"

rf_status rf_check_rank(const rf_node *node, uint64_t rank)
{
    if (rank <= RF_MAX_RANK)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_LIMIT, "its output has rank %llu, more than %d",
                        (unsigned long long)rank, RF_MAX_RANK);
}

rf_status rf_check_same_dtype(const rf_node *node, uint32_t i, uint32_t j)
{
    rf_dtype a = node->inputs[i]->dtype, b = node->inputs[j]->dtype;
    if (a == b)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "input %u is %s and input %u is %s, but they must be alike",
                        (unsigned)i, rf_dtype_name(a), (unsigned)j, rf_dtype_name(b));
}

rf_status rf_check_dtype(const rf_node *node, uint32_t i, rf_dtype dtype)
{
    const rf_value *value = rf_input(node, i);
    if (!value || value->dtype == dtype)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "input %u is %s, but must be %s", (unsigned)i,
                        rf_dtype_name(value->dtype), rf_dtype_name(dtype));
}

rf_status rf_check_integer(const rf_node *node, uint32_t i)
{
    const rf_value *value = rf_input(node, i);
    if (!value || rf_dtype_is_integer(value->dtype))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "input %u is %s, but must hold integers", (unsigned)i,
                        rf_dtype_name(value->dtype));
}

rf_status rf_check_index_type(const rf_node *node, uint32_t i)
{
    rf_dtype dtype = node->inputs[i]->dtype;
    if (dtype == RF_INT64 || dtype == RF_INT32)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "its indices are %s, but must be int64 or int32",
                        rf_dtype_name(dtype));
}

rf_status rf_check_index(const rf_node *node, int64_t index, int64_t extent, int64_t *place)
{
    if (index < -extent || index >= extent)
        return rf_node_fail(node, RF_ERROR_SHAPE, "index %lld is outside -%lld..%lld", (long long)index,
                            (long long)extent, (long long)extent - 1);
    *place = index < 0 ? index + extent : index;
    return RF_OK;
}

rf_status rf_check_tuple(const rf_node *node, const rf_value *indices, uint64_t row, int32_t count,
                         const int64_t *dims, const int64_t *strides, int64_t *at)
{
    *at = 0;
    for (int32_t k = 0; k < count; k++) {
        int64_t place = 0;
        RF_TRY(rf_check_index(node, rf_value_int(indices, row * (uint64_t)count + (uint64_t)k), dims[k], &place));
        *at += place * strides[k];
    }
    return RF_OK;
}

void rf_settle_shape(rf_value *output, const rf_shape *shape)
{
    uint64_t bytes = 0;
    output->shape = *shape;
    output->ragged = false;
    if (rf_tensor_bytes(output->dtype, shape, &bytes))
        output->bytes = output->data_bytes = bytes;
}

rf_status rf_check_list(const rf_node *node, uint32_t i, const char *what)
{
    const rf_value *value = rf_input(node, i);
    if (!value || value->shape.rank == 1)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s must be a list, but has shape %s", what,
                        rf_shape_print(&value->shape).text);
}

rf_status rf_check_single(const rf_node *node, uint32_t i, const char *what)
{
    const rf_value *value = rf_input(node, i);
    if (!value || rf_elements(&value->shape) == 1)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s must be one number, but has shape %s", what,
                        rf_shape_print(&value->shape).text);
}

rf_status rf_check_extents(const rf_node *node, const rf_ints *ints, const char *what, rf_shape *shape)
{
    RF_TRY(rf_check_rank(node, ints->count));
    *shape = (rf_shape){.rank = (int32_t)ints->count};
    for (size_t k = 0; k < ints->count; k++) {
        if (ints->at[k] < 0)
            return rf_node_fail(node, RF_ERROR_SHAPE, "%s holds %lld, but must hold 0 or more", what,
                                (long long)ints->at[k]);
        shape->dims[k] = ints->at[k];
    }
    return RF_OK;
}

rf_status rf_check_axes(const rf_node *node, const rf_ints *axes, int64_t rank, uint32_t *set)
{
    *set = 0;
    for (size_t k = 0; k < axes->count; k++) {
        int32_t axis;
        RF_TRY(rf_node_axis(node, "axis", axes->at[k], rank, &axis));
        if (*set & UINT32_C(1) << axis)
            return rf_node_fail(node, RF_ERROR_SHAPE, "axis %d is listed twice", (int)axis);
        *set |= UINT32_C(1) << axis;
    }
    return RF_OK;
}
