/* SPDX-License-Identifier: MIT */
#include "plan/strided.h"

static int32_t axis_at(int32_t rank, rf_axis_order order, int32_t place)
{
    if (order == RF_ORDER_ROWS || rank < 3)
        return place;
    if (place == 0)
        return 0;
    return place == rank - 1 ? 1 : place + 1;
}

static bool is_empty(int32_t rank, const int64_t *dims)
{
    for (int32_t k = 0; k < rank; k++)
        if (dims[k] == 0)
            return true;
    return false;
}

/* Of a shape without elements, whose other extents may be of any size, all strides are 0. */
rf_strided rf_strided_dense(const rf_shape *shape, rf_axis_order order)
{
    rf_strided form = {.rank = shape->rank};
    int64_t stride = is_empty(shape->rank, shape->dims) ? 0 : 1;
    for (int32_t place = shape->rank - 1; place >= 0; place--) {
        int32_t axis = axis_at(shape->rank, order, place);
        form.dims[axis] = shape->dims[axis];
        form.strides[axis] = stride;
        stride *= shape->dims[axis];
    }
    rf_strided_tidy(&form);
    return form;
}

void rf_strided_tidy(rf_strided *form)
{
    if (form->rank > 1 && form->dims[1] == 1)
        form->strides[1] = 1;
}

/* The axes of extent above 1, outermost first, with neighbours merged that one stride can follow. */
static rf_strided merged(const rf_strided *form)
{
    rf_strided out = {.rank = 0};
    for (int32_t k = 0; k < form->rank; k++) {
        if (form->dims[k] == 1)
            continue;
        int32_t last = out.rank - 1;
        if (last >= 0 && out.strides[last] == form->strides[k] * form->dims[k]) {
            out.dims[last] *= form->dims[k];
            out.strides[last] = form->strides[k];
        } else {
            out.dims[out.rank] = form->dims[k];
            out.strides[out.rank++] = form->strides[k];
        }
    }
    return out;
}

bool rf_strided_reshape(const rf_strided *form, const rf_shape *shape, rf_strided *out)
{
    *out = rf_strided_dense(shape, RF_ORDER_ROWS);
    if (is_empty(shape->rank, shape->dims))
        return true;
    rf_strided runs = merged(form);
    int32_t run = runs.rank - 1;
    int64_t left = run >= 0 ? runs.dims[run] : 1, stride = run >= 0 ? runs.strides[run] : 1;
    for (int32_t k = shape->rank - 1; k >= 0; k--) {
        if (shape->dims[k] == 1) {
            out->strides[k] = stride;
            continue;
        }
        if (left == 1) {
            if (--run < 0)
                return false;
            left = runs.dims[run];
            stride = runs.strides[run];
        }
        if (left % shape->dims[k])
            return false;
        out->strides[k] = stride;
        stride *= shape->dims[k];
        left /= shape->dims[k];
    }
    rf_strided_tidy(out);
    return left == 1 && run <= 0;
}

bool rf_strided_flatten_rows(const rf_strided *form, rf_strided *out)
{
    rf_shape flat = {.rank = 2, .dims = {1, form->dims[form->rank - 1]}};
    for (int32_t k = 0; k < form->rank - 1; k++)
        flat.dims[0] *= form->dims[k];
    rf_strided made;
    if (!rf_strided_reshape(form, &flat, &made))
        return false;
    *out = made;
    return true;
}

bool rf_strided_is_dense(const rf_strided *form)
{
    int64_t stride = 1;
    if (is_empty(form->rank, form->dims))
        return true;
    for (int32_t k = form->rank - 1; k >= 0; k--) {
        if (form->dims[k] != 1 && form->strides[k] != stride)
            return false;
        stride *= form->dims[k];
    }
    return true;
}

bool rf_strided_equal(const rf_strided *a, const rf_strided *b)
{
    if (a->rank != b->rank)
        return false;
    for (int32_t k = 0; k < a->rank; k++)
        if (a->dims[k] != b->dims[k] || (a->dims[k] != 1 && a->strides[k] != b->strides[k]))
            return false;
    return true;
}

bool rf_strided_is_channels_last(const rf_strided *form)
{
    if (form->rank < 3 || form->dims[1] == 1 || form->strides[1] != 1)
        return false;
    for (int32_t k = 2; k < form->rank; k++)
        if (form->dims[k] > 1)
            return true;
    return false;
}

rf_strided rf_strided_broadcast(const rf_strided *form, const rf_shape *shape)
{
    rf_strided out = {.rank = shape->rank};
    int32_t shift = shape->rank - form->rank;
    for (int32_t k = 0; k < shape->rank; k++) {
        bool repeated = k < shift || (form->dims[k - shift] == 1 && shape->dims[k] != 1);
        out.dims[k] = shape->dims[k];
        out.strides[k] = repeated ? 0 : form->strides[k - shift];
    }
    return out;
}

uint64_t rf_strided_span(const rf_strided *form)
{
    uint64_t span = 1;
    for (int32_t k = 0; k < form->rank; k++) {
        if (form->dims[k] == 0)
            return 0;
        span += (uint64_t)(form->dims[k] - 1) * (uint64_t)form->strides[k];
    }
    return span;
}
