/* SPDX-License-Identifier: MIT */
/* Reports on analyses made by hand, with names that try to break out of each format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <rfield/report.h>

#define NASTY "=a\"b|c`d\n<script>\xff\xe2\x80\xae\\_x_"
#define BIG INT64_C(9007199254740993) /* no double holds it */

typedef struct output {
    char *text;
    size_t bytes, limit;
} output;

static bool collect(void *context, const char *text, size_t bytes)
{
    output *out = context;
    if (out->bytes + bytes > out->limit)
        return false;
    out->text = realloc(out->text, out->bytes + bytes + 1);
    assert_non_null(out->text);
    memcpy(out->text + out->bytes, text, bytes);
    out->bytes += bytes;
    out->text[out->bytes] = 0;
    return true;
}

static const rf_tensor inputs[] = {
    {.name = "data", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 3, 224, 200)},
    {.name = "other", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 3, 9)},
};
static const rf_tensor tensors[] = {
    {.name = NASTY, .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 64, 56, 50)},
    {.name = "second", .dtype = RF_FLOAT32, .shape = {.rank = 0}},
};
static const char *const first_inputs[] = {"data", ""};
static const char *const second_inputs[] = {NASTY};
static const char *const uncounted[] = {"My|Op<b>"};
static const rf_field fields[] = {
    {.input = 0, .aligned = true, .axis_count = 2,
     .axes = {{.kind = RF_AXIS_AFFINE, .output_axis = 2, .stride = 4, .u0 = -6, .v0 = 9, .size = 16,
               .padding = 6, .size_min = 16, .size_max = 16, .support = 12, .full_context = 23},
              {.kind = RF_AXIS_WHOLE, .output_axis = -1, .v0 = 199, .size = 200, .size_min = 200,
               .size_max = 200, .support = 200}}},
    {.input = 1, .aligned = false, .axis_count = 1,
     .axes = {{.kind = RF_AXIS_INTERVAL, .output_axis = 2, .u0 = -1, .v0 = 8, .size = 10,
               .size_min = 2, .size_max = 3, .support = 10}}},
};
static const rf_layer_analysis layers[] = {
    {.name = NASTY, .type = "Conv", .inputs = first_inputs, .input_count = 2, .outputs = tensors,
     .output_count = 1, .parameters = 9408, .weight_bytes = 37632, .activation_bytes = 716800,
     .moved_bytes = 1000, .dense = {.multiplications = BIG, .additions = BIG - 1, .macs = BIG},
     .valid = {.multiplications = 5, .additions = 4, .macs = 5}, .fields = fields, .field_count = 2},
    {.name = "a_layer_with_a_name_that_is_far_too_long_for_any_column_of_a_table_of_100_columns",
     .type = "My|Op<b>", .inputs = second_inputs, .input_count = 1, .outputs = tensors,
     .output_count = 2, .uncounted = true, .fields = fields + 1, .field_count = 1},
    {.name = "folded", .type = "Constant", .folded = true, .unproductive = true},
};

static rf_analysis example(void)
{
    return (rf_analysis){
        .name = NASTY, .inputs = inputs, .input_count = 2, .outputs = tensors, .output_count = 1,
        .layers = layers, .layer_count = 3, .parameters = 9408, .weight_bytes = 37632,
        .activation_bytes = 716800, .peak_activation_bytes = 700000,
        .dense = {.multiplications = BIG, .additions = BIG - 1, .macs = BIG},
        .valid = {.multiplications = 5, .additions = 4, .macs = 5}, .uncounted = uncounted,
        .uncounted_count = 1, .border_layer = 2};
}

static output report(const rf_analysis *analysis, rf_report_format format)
{
    output out = {.limit = SIZE_MAX};
    rf_report_options options = {.size = sizeof options, .format = format};
    rf_error error = {0};
    rf_status status = rf_report(analysis, &options, collect, &out, &error);
    if (status != RF_OK)
        fail_msg("%s", error.message);
    return out;
}

static int64_t integer(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static const char *string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static json_t *example_json(void)
{
    rf_analysis analysis = example();
    output out = report(&analysis, RF_REPORT_JSON);
    json_error_t error;
    json_t *root = json_loads(out.text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("line %d: %s", error.line, error.text);
    free(out.text);
    return root;
}

static void json_keeps_the_contract(void **state)
{
    (void)state;
    static const char *const layer_keys[] = {
        "name", "operator", "inputs", "output", "parameters", "multiplications", "additions",
        "activations", "comparisons", "divisions", "macs", "valid", "fields"};
    static const char *const total_keys[] = {
        "parameters", "multiplications", "additions", "activations", "comparisons", "divisions",
        "macs", "valid", "weight_bytes", "peak_activation_bytes", "uncounted"};
    json_t *root = example_json();
    assert_string_equal(string(root, "rfield"), rf_version());
    const json_t *totals = json_object_get(root, "totals");
    for (size_t i = 0; i < sizeof total_keys / sizeof *total_keys; i++)
        assert_non_null(json_object_get(totals, total_keys[i]));
    const json_t *list = json_object_get(root, "layers");
    assert_int_equal(json_array_size(list), 3);
    for (size_t l = 0; l < 3; l++)
        for (size_t i = 0; i < sizeof layer_keys / sizeof *layer_keys; i++)
            assert_non_null(json_object_get(json_array_get(list, l), layer_keys[i]));
    json_decref(root);
}

static void json_keeps_numbers_and_names(void **state)
{
    (void)state;
    json_t *root = example_json();
    const json_t *layer = json_array_get(json_object_get(root, "layers"), 0);
    assert_string_equal(string(layer, "name"),
                        "=a\"b|c`d\n<script>\xef\xbf\xbd\xe2\x80\xae\\_x_");
    assert_int_equal(integer(layer, "multiplications"), BIG);
    assert_int_equal(integer(json_object_get(root, "totals"), "macs"), BIG);
    const json_t *output_ = json_object_get(layer, "output");
    const json_t *shape = json_object_get(output_, "shape");
    assert_int_equal(json_array_size(shape), 4);
    assert_int_equal(json_integer_value(json_array_get(shape, 2)), 56);
    json_decref(root);
}

static void json_tells_the_kinds_of_axes(void **state)
{
    (void)state;
    json_t *root = example_json();
    const json_t *layer = json_array_get(json_object_get(root, "layers"), 0);
    const json_t *list = json_object_get(layer, "fields");
    const json_t *field = json_array_get(list, 0);
    assert_string_equal(string(field, "input"), "data");
    assert_true(json_is_true(json_object_get(field, "aligned")));
    const json_t *axes = json_object_get(field, "axes");
    const json_t *affine = json_array_get(axes, 0), *whole = json_array_get(axes, 1);
    assert_string_equal(string(affine, "kind"), "affine");
    assert_int_equal(integer(affine, "stride"), 4);
    assert_int_equal(integer(affine, "u0"), -6);
    assert_int_equal(integer(affine, "v0"), 9);
    assert_int_equal(integer(affine, "size"), 16);
    assert_int_equal(integer(affine, "padding"), 6);
    assert_int_equal(integer(affine, "support"), 12);
    assert_string_equal(string(whole, "kind"), "whole");
    assert_int_equal(integer(whole, "size"), 200);
    const json_t *interval = json_array_get(json_object_get(json_array_get(list, 1), "axes"), 0);
    assert_string_equal(string(interval, "kind"), "interval");
    assert_int_equal(integer(interval, "size_min"), 2);
    assert_int_equal(integer(interval, "size_max"), 3);
    json_decref(root);
}

static void json_refuses_counts_that_it_cannot_hold(void **state)
{
    (void)state;
    rf_analysis analysis = example();
    rf_report_options options = {.size = sizeof options, .format = RF_REPORT_JSON};
    output out = {.limit = SIZE_MAX};
    rf_error error = {0};
    analysis.dense.additions = UINT64_C(1) << 63;
    assert_int_equal(rf_report(&analysis, &options, collect, &out, &error), RF_ERROR_OVERFLOW);
    assert_int_equal(error.status, RF_ERROR_OVERFLOW);
    assert_int_equal(out.bytes, 0);
}

/* Columns of a line, for text in which every character that is not ASCII is one column. */
static size_t columns(const char *line, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += ((unsigned char)line[i] & 0xc0) != 0x80;
    return count;
}

static void table_fits_100_columns_and_hides_controls(void **state)
{
    (void)state;
    rf_analysis analysis = example();
    output out = report(&analysis, RF_REPORT_TABLE);
    for (char *line = out.text, *end; (end = strchr(line, '\n')); line = end + 1)
        assert_true(columns(line, (size_t)(end - line)) <= 100);
    for (char *c = out.text; *c; c++)
        assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
    assert_null(strstr(out.text, "\xe2\x80\xae"));
    assert_non_null(strstr(out.text, "\\n<script>\xef\xbf\xbd\\u202e"));
    assert_non_null(strstr(out.text, "9,007,199,254,740,993"));
    assert_non_null(strstr(out.text, "9.007 P"));
    assert_non_null(strstr(out.text, "My|Op<b>"));
    free(out.text);
}

/* Cells of the CSV line at `at`, which moves to the next line; quotes are honoured. */
static size_t cells(const char **at)
{
    size_t count = 1;
    bool quoted = false;
    const char *c = *at;
    for (; *c && (quoted || *c != '\r'); c++) {
        quoted ^= *c == '"';
        count += !quoted && *c == ',';
    }
    assert_memory_equal(c, "\r\n", 2);
    *at = c + 2;
    return count;
}

static void csv_has_the_same_cells_in_every_line(void **state)
{
    (void)state;
    rf_analysis analysis = example();
    output out = report(&analysis, RF_REPORT_CSV);
    const char *at = out.text;
    size_t header = cells(&at);
    for (size_t i = 0; i < analysis.layer_count; i++)
        assert_int_equal(cells(&at), header);
    assert_int_equal(*at, 0);
    assert_non_null(strstr(out.text, "\r\n\"'=a\"\"b|c`d\\n<script>"));
    assert_non_null(strstr(out.text, ",9007199254740993,"));
    free(out.text);
}

static void markdown_and_html_hold_names_in(void **state)
{
    (void)state;
    rf_analysis analysis = example();
    output markdown = report(&analysis, RF_REPORT_MARKDOWN);
    assert_null(strstr(markdown.text, "<script>"));
    assert_non_null(strstr(markdown.text, "=a\"b\\|c\\`d\\\\n&lt;script&gt;"));
    assert_non_null(strstr(markdown.text, "a_layer_with"));
    output html = report(&analysis, RF_REPORT_HTML);
    assert_null(strstr(html.text, "<script"));
    assert_null(strstr(html.text, "http"));
    assert_non_null(strstr(html.text, "=a&quot;b|c`d\\n&lt;script&gt;"));
    assert_non_null(strstr(html.text, "</html>\n"));
    free(markdown.text);
    free(html.text);
}

static void a_refusing_writer_is_an_io_error(void **state)
{
    (void)state;
    rf_analysis analysis = example();
    for (int format = RF_REPORT_TABLE; format <= RF_REPORT_HTML; format++) {
        output out = {.limit = 10};
        rf_report_options options = {.size = sizeof options, .format = (rf_report_format)format};
        rf_error error = {0};
        assert_int_equal(rf_report(&analysis, &options, collect, &out, &error), RF_ERROR_IO);
        assert_int_not_equal(error.message[0], 0);
        free(out.text);
    }
}

static void wrong_arguments_are_told(void **state)
{
    (void)state;
    rf_analysis analysis = example();
    output out = {.limit = SIZE_MAX};
    rf_report_options options = {.size = sizeof options, .format = (rf_report_format)77};
    assert_int_equal(rf_report(NULL, &options, collect, &out, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_report(&analysis, NULL, collect, &out, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_report(&analysis, &options, NULL, &out, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_report(&analysis, &options, collect, &out, NULL), RF_ERROR_ARGUMENT);
    options = (rf_report_options){.format = RF_REPORT_TABLE};
    assert_int_equal(rf_report(&analysis, &options, collect, &out, NULL), RF_ERROR_ARGUMENT);
}

static void an_empty_analysis_reports_too(void **state)
{
    (void)state;
    const rf_analysis nothing = {0};
    for (int format = RF_REPORT_TABLE; format <= RF_REPORT_HTML; format++) {
        output out = report(&nothing, (rf_report_format)format);
        assert_true(out.bytes > 0);
        free(out.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_keeps_the_contract),
        cmocka_unit_test(json_keeps_numbers_and_names),
        cmocka_unit_test(json_tells_the_kinds_of_axes),
        cmocka_unit_test(json_refuses_counts_that_it_cannot_hold),
        cmocka_unit_test(table_fits_100_columns_and_hides_controls),
        cmocka_unit_test(csv_has_the_same_cells_in_every_line),
        cmocka_unit_test(markdown_and_html_hold_names_in),
        cmocka_unit_test(a_refusing_writer_is_an_io_error),
        cmocka_unit_test(wrong_arguments_are_told),
        cmocka_unit_test(an_empty_analysis_reports_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
