/* SPDX-License-Identifier: MIT */
#include "run_outputs.h"

#include <inttypes.h>
#include <rfield/tensors.h>
#include <string.h>

#include "command.h"
#include "element_text.h"
#include "output_file.h"
#include "report/report_parts.h"

bool is_output_file(const char *file)
{
    return ends_in(file, ".npy") || ends_in(file, ".pb") || ends_in(file, ".txt");
}

static int get_output(const char *model_path, const rf_session *session, const char *name, rf_tensor *output)
{
    rf_error error;
    if (rf_session_output(session, name, output, &error) != RF_OK)
        return complain(model_path, "%s", error.message);
    return DONE;
}

/* "scores float32 1x1000" */
static void write_title(rf_text *text, const rf_tensor *tensor)
{
    rf_text_name(text, tensor->name, NULL);
    rf_text_format(text, " %s %s\n", rf_dtype_name(tensor->dtype), rf_extents_of(&tensor->shape).text);
}

/* ---- Files --------------------------------------------------------------------------------- */

static int save_text(const rf_tensor *tensor, const char *path)
{
    rf_text text;
    output_file output;
    if (!has_element_text(tensor->dtype))
        return complain(path, "elements of type %s have no text; a .pb file can hold them",
                        rf_dtype_name(tensor->dtype));
    int code = output_open(&output, path);
    if (code != DONE)
        return code;
    rf_text_init(&text, output_write, &output);
    rf_text_str(&text, "# ");
    write_title(&text, tensor);
    write_elements(&text, tensor, "");
    rf_text_finish(&text);
    return output_finish(&output);
}

static int save(const rf_tensor *tensor, const char *path)
{
    rf_error error;
    if (ends_in(path, ".txt"))
        return save_text(tensor, path);
    return rf_tensor_save(tensor, path, &error) == RF_OK ? DONE : complain(path, "%s", error.message);
}

int outputs_check(const char *model_path, const run_words *words, const rf_model *model)
{
    size_t count;
    const rf_tensor *outputs = rf_model_outputs(model, &count);
    for (size_t i = 0; i < words->count; i++) {
        run_word found;
        int code = read_word(model_path, "output", words->at[i], outputs, count, &found);
        if (code != DONE)
            return code;
    }
    return DONE;
}

int outputs_save(const char *model_path, const run_words *words, const rf_model *model, const rf_session *session)
{
    size_t count;
    const rf_tensor *outputs = rf_model_outputs(model, &count);
    for (size_t i = 0; i < words->count; i++) {
        run_word found;
        rf_tensor tensor;
        int code = read_word(model_path, "output", words->at[i], outputs, count, &found);
        if (code == DONE)
            code = get_output(model_path, session, outputs[found.tensor].name, &tensor);
        if (code == DONE)
            code = save(&tensor, found.value);
        if (code != DONE)
            return code;
    }
    return DONE;
}

/* ---- Text ---------------------------------------------------------------------------------- */

enum { SHOWN_WHOLE = 64, SHOWN_OF_MANY = 8 };

/* What many elements come to. */
typedef struct summary {
    double least, greatest, sum;
    size_t numbers, not_numbers;
} summary;

static summary sum_up(const rf_tensor *tensor)
{
    summary all = {0};
    size_t count = element_count(tensor);
    for (size_t i = 0; i < count; i++) {
        double element = element_as_double(tensor, i);
        if (element != element) {
            all.not_numbers++;
            continue;
        }
        all.least = all.numbers && all.least < element ? all.least : element;
        all.greatest = all.numbers && all.greatest > element ? all.greatest : element;
        all.sum += element;
        all.numbers++;
    }
    return all;
}

static void write_summary(rf_text *text, const rf_tensor *tensor)
{
    summary all = sum_up(tensor);
    rf_text_format(text, "  %zu elements", element_count(tensor));
    if (all.numbers)
        rf_text_format(text, ", from %.6g to %.6g, mean %.6g", all.least, all.greatest,
                       all.sum / (double)all.numbers);
    if (all.not_numbers)
        rf_text_format(text, ", %zu NaN", all.not_numbers);
    rf_text_str(text, "\n ");
    for (size_t i = 0; i < SHOWN_OF_MANY; i++) {
        rf_text_str(text, " ");
        write_element(text, tensor, i);
    }
    rf_text_str(text, " ...\n");
}

static void write_output(rf_text *text, const rf_tensor *tensor)
{
    write_title(text, tensor);
    if (!has_element_text(tensor->dtype))
        rf_text_str(text, "  (elements of this type are not shown)\n");
    else if (element_count(tensor) <= SHOWN_WHOLE)
        write_elements(text, tensor, "  ");
    else
        write_summary(text, tensor);
}

int outputs_print(const char *model_path, const rf_model *model, const rf_session *session)
{
    size_t count;
    const rf_tensor *outputs = rf_model_outputs(model, &count);
    output_file output;
    rf_text text;
    int code = output_open(&output, NULL);
    rf_text_init(&text, output_write, &output);
    for (size_t i = 0; i < count && code == DONE; i++) {
        rf_tensor tensor;
        code = get_output(model_path, session, outputs[i].name, &tensor);
        if (code == DONE)
            write_output(&text, &tensor);
    }
    rf_text_finish(&text);
    return code == DONE ? output_finish(&output) : code;
}
