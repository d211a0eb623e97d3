/* SPDX-License-Identifier: MIT */
#include "same_network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "run_tools.h"

static const char *text(const char *name)
{
    return name ? name : "";
}

static void assert_same_tensor(const rf_tensor *a, const rf_tensor *b)
{
    assert_string_equal(text(a->name), text(b->name));
    assert_int_equal(a->dtype ? a->dtype : RF_FLOAT32, b->dtype ? b->dtype : RF_FLOAT32);
    assert_int_equal(a->shape.rank, b->shape.rank);
    for (int32_t i = 0; i < a->shape.rank; i++) {
        assert_int_equal(a->shape.dims[i], b->shape.dims[i]);
        if (a->shape.dims[i] < 0)
            assert_string_equal(a->dim_names ? text(a->dim_names[i]) : "", b->dim_names ? text(b->dim_names[i]) : "");
    }
    assert_int_equal(a->data_bytes, b->data_bytes);
    if (a->data_bytes)
        assert_memory_equal(a->data, b->data, a->data_bytes);
}

void assert_same_tensors(const rf_tensor *a, const rf_tensor *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_same_tensor(&a[i], &b[i]);
}

static void assert_same_attribute(const rf_attribute *a, const rf_attribute *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->type, b->type);
    switch (a->type) {
    case RF_ATTRIBUTE_INT:
        assert_int_equal(a->value.i, b->value.i);
        return;
    case RF_ATTRIBUTE_FLOAT:
        assert_memory_equal(&a->value.f, &b->value.f, sizeof(float));
        return;
    case RF_ATTRIBUTE_TENSOR:
        assert_same_tensor(a->value.tensor, b->value.tensor);
        return;
    default:
        assert_int_equal(a->count, b->count);
    }
    for (size_t i = 0; a->type == RF_ATTRIBUTE_STRINGS && i < a->count; i++)
        assert_string_equal(a->value.strings[i], b->value.strings[i]);
    if (a->count && a->type == RF_ATTRIBUTE_STRING)
        assert_memory_equal(a->value.s, b->value.s, a->count);
    if (a->count && a->type == RF_ATTRIBUTE_INTS)
        assert_memory_equal(a->value.ints, b->value.ints, a->count * sizeof(int64_t));
    if (a->count && a->type == RF_ATTRIBUTE_FLOATS)
        assert_memory_equal(a->value.floats, b->value.floats, a->count * sizeof(float));
}

static void assert_same_names(const char *const *a, const char *const *b)
{
    for (; *a && *b; a++, b++)
        assert_string_equal(*a, *b);
    /* Trailing omitted ones may be left out. */
    for (; *a; a++)
        assert_string_equal(*a, "");
    assert_null(*b);
}

void assert_same_layer(const rf_layer *a, const rf_layer *b)
{
    static const rf_attribute none = {.name = NULL};
    assert_string_equal(a->type, b->type);
    assert_string_equal(text(a->domain), text(b->domain));
    if (a->name)
        assert_string_equal(a->name, b->name);
    if (a->inputs)
        assert_same_names(a->inputs, b->inputs);
    if (a->outputs)
        assert_same_names(a->outputs, b->outputs);
    const rf_attribute *x = a->attributes ? a->attributes : &none, *y = b->attributes ? b->attributes : &none;
    for (; x->name && y->name; x++, y++)
        assert_same_attribute(x, y);
    assert_null(x->name);
    assert_null(y->name);
}

void assert_same_network(const rf_network *a, const rf_network *b)
{
    assert_int_equal(a->input_count, b->input_count);
    assert_int_equal(a->constant_count, b->constant_count);
    assert_int_equal(a->declared_count, b->declared_count);
    assert_int_equal(a->layer_count, b->layer_count);
    assert_same_tensors(a->inputs, b->inputs, a->input_count);
    assert_same_tensors(a->constants, b->constants, a->constant_count);
    assert_same_tensors(a->declared, b->declared, a->declared_count);
    for (size_t i = 0; i < a->layer_count; i++)
        assert_same_layer(&a->layers[i], &b->layers[i]);
}

static const rf_analysis *analysed(const rf_network *network)
{
    const rf_analysis *analysis;
    rf_error error = {.message = ""};
    if (rf_analyze(network, NULL, &analysis, &error) != RF_OK)
        fail_msg("%s", error.message);
    return analysis;
}

void assert_same_analysis(const rf_network *a, const rf_network *b)
{
    const rf_analysis *x = analysed(a), *y = analysed(b);
    assert_int_equal(x->parameters, y->parameters);
    assert_int_equal(x->statistics, y->statistics);
    assert_int_equal(x->weight_bytes, y->weight_bytes);
    assert_int_equal(x->peak_activation_bytes, y->peak_activation_bytes);
    assert_memory_equal(&x->dense, &y->dense, sizeof x->dense);
    assert_memory_equal(&x->valid, &y->valid, sizeof x->valid);
    assert_int_equal(x->layer_count, y->layer_count);
    assert_int_equal(x->border_layer, y->border_layer);
    for (size_t i = 0; i < x->layer_count; i++) {
        assert_string_equal(x->layers[i].name, y->layers[i].name);
        assert_int_equal(x->layers[i].field_count, y->layers[i].field_count);
    }
    rf_analysis_free(x);
    rf_analysis_free(y);
}

void assert_same_bits(const rf_network *a, const rf_network *b)
{
    bound_run x, y;
    rf_model *first = compiled(a, NULL), *second = compiled(b, NULL);
    bound_run_make(&x, first, NULL, 7);
    bound_run_make(&y, second, NULL, 7);
    bound_run_go(&x);
    bound_run_go(&y);
    assert_int_equal(x.output_count, y.output_count);
    assert_true(bound_runs_agree(&x, &y));
    bound_run_free(&x);
    bound_run_free(&y);
    rf_model_free(first);
    rf_model_free(second);
}
