/* SPDX-License-Identifier: MIT */
#include "run_inputs.h"

#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "command.h"
#include "ops/op.h"
#include "report/report_parts.h"

/* ---- Words --------------------------------------------------------------------------------- */

static int take_word(run_inputs *inputs, const rf_network *network, const char *word)
{
    run_word found;
    rf_shape shape;
    int code = read_word(inputs->model, "input", word, network->inputs, network->input_count, &found);
    if (code != DONE)
        return code;
    run_input *input = &inputs->at[found.tensor];
    bool is_shape = parse_shape(found.value, &shape);
    if (is_shape ? input->bound : input->file != NULL)
        return complain(inputs->model, "input '%.80s' is given two %s", input->declared->name,
                        is_shape ? "shapes" : "files");
    if (is_shape) {
        input->shape = shape;
        input->bound = true;
    } else {
        input->file = found.value;
    }
    return DONE;
}

/* ---- Files --------------------------------------------------------------------------------- */

static bool is_tensor(const char *file)
{
    return ends_in(file, ".npy") || ends_in(file, ".pb");
}

static int load_tensor(run_input *input)
{
    rf_error error;
    if (rf_tensor_load(input->file, NULL, &input->tensor, &error) != RF_OK)
        return complain(input->file, "%s", error.message);
    if (!input->bound)
        input->shape = input->tensor->shape;
    input->bound = true;
    return DONE;
}

static bool is_colours(int64_t extent)
{
    return extent == 1 || extent == 3;
}

/* Networks from TensorFlow have their channels last. */
static bool channels_last(const rf_shape *shape)
{
    return !is_colours(shape->dims[1]) && is_colours(shape->dims[3]);
}

/* Extents that the description leaves open are the picture's own, unless it is to be resized. */
static void bind_to_picture(const run_inputs *inputs, run_input *input)
{
    if (input->bound || input->declared->shape.rank != 4 || inputs->options.shorter_side)
        return;
    rf_pixels pixels = picture_pixels(input->picture);
    rf_shape shape = input->declared->shape;
    int first = channels_last(&shape) ? 1 : 2;
    if (shape.dims[first] < 0)
        shape.dims[first] = pixels.height;
    if (shape.dims[first + 1] < 0)
        shape.dims[first + 1] = pixels.width;
    input->shape = shape;
    input->bound = true;
}

static int load_file(const run_inputs *inputs, run_input *input)
{
    if (is_tensor(input->file))
        return load_tensor(input);
    int code = picture_open(input->file, &input->picture);
    if (code == DONE)
        bind_to_picture(inputs, input);
    return code;
}

int inputs_open(run_inputs *inputs, const char *model, const rf_network *network, const run_words *words,
                const rf_picture_options *options)
{
    *inputs = (run_inputs){.model = model, .count = network->input_count, .options = *options};
    inputs->at = calloc(inputs->count + 1, sizeof *inputs->at);
    if (!inputs->at)
        return complain(model, "no memory for the inputs");
    for (size_t i = 0; i < inputs->count; i++)
        inputs->at[i].declared = &network->inputs[i];
    int code = DONE;
    for (size_t i = 0; i < words->count && code == DONE; i++)
        code = take_word(inputs, network, words->at[i]);
    for (size_t i = 0; i < inputs->count && code == DONE; i++)
        if (inputs->at[i].file)
            code = load_file(inputs, &inputs->at[i]);
    return code;
}

void inputs_close(run_inputs *inputs)
{
    for (size_t i = 0; inputs->at && i < inputs->count; i++) {
        rf_tensor_free(inputs->at[i].tensor);
        picture_close(inputs->at[i].picture);
        free(inputs->at[i].elements);
    }
    free(inputs->at);
    *inputs = (run_inputs){.model = inputs->model};
}

/* ---- Compiling ----------------------------------------------------------------------------- */

/* Shapes are computed from small tensors; a large one made constant would only be folded away. */
static bool may_shape(const run_input *input)
{
    return input->tensor && input->tensor->shape.rank <= 1;
}

static void list_bindings(const run_inputs *inputs, rf_binding *bindings, rf_compile_options *options)
{
    options->bindings = bindings;
    options->binding_count = 0;
    for (size_t i = 0; i < inputs->count; i++) {
        const run_input *input = &inputs->at[i];
        if (input->bound && !(options->value_count && may_shape(input)))
            bindings[options->binding_count++] = (rf_binding){input->declared->name, input->shape};
    }
}

static void list_values(const run_inputs *inputs, rf_tensor *values, rf_compile_options *options)
{
    options->values = values;
    for (size_t i = 0; i < inputs->count; i++) {
        if (!may_shape(&inputs->at[i]))
            continue;
        values[options->value_count] = *inputs->at[i].tensor;
        values[options->value_count++].name = inputs->at[i].declared->name;
    }
}

static rf_status compile(const run_inputs *inputs, const rf_network *network, const rf_compile_options *how,
                         rf_binding *bindings, rf_tensor *values, rf_model **model, rf_error *error)
{
    rf_compile_options options = *how;
    list_bindings(inputs, bindings, &options);
    rf_status status = rf_compile(network, &options, model, error);
    if (status != RF_ERROR_UNSUPPORTED)
        return status;
    list_values(inputs, values, &options);
    if (options.value_count == 0)
        return status;
    list_bindings(inputs, bindings, &options);
    return rf_compile(network, &options, model, error);
}

int inputs_compile(const run_inputs *inputs, const rf_network *network, const rf_compile_options *how,
                   rf_model **model)
{
    rf_error error;
    rf_binding *bindings = calloc(inputs->count + 1, sizeof *bindings);
    rf_tensor *values = calloc(inputs->count + 1, sizeof *values);
    int code = DONE;
    *model = NULL;
    if (!bindings || !values)
        code = complain(inputs->model, "no memory for the inputs");
    else if (compile(inputs, network, how, bindings, values, model, &error) != RF_OK)
        code = complain(inputs->model, "%s", error.message);
    free(bindings);
    free(values);
    return code;
}

/* ---- Binding ------------------------------------------------------------------------------- */

static bool same_shape(const rf_shape *a, const rf_shape *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

static int check_tensor(const run_input *input, const rf_tensor *wanted)
{
    const rf_tensor *given = input->tensor;
    if (given->dtype == wanted->dtype && same_shape(&given->shape, &wanted->shape))
        return DONE;
    return complain(input->file, "it holds %s %s; input '%.80s' takes %s %s", rf_dtype_name(given->dtype),
                    rf_extents_of(&given->shape).text, wanted->name, rf_dtype_name(wanted->dtype),
                    rf_extents_of(&wanted->shape).text);
}

/* One picture, 1 or 3 channels, float32. */
static bool takes_picture(const rf_tensor *wanted)
{
    const rf_shape *shape = &wanted->shape;
    return wanted->dtype == RF_FLOAT32 && shape->rank == 4 && shape->dims[0] == 1
           && (is_colours(shape->dims[1]) || channels_last(shape));
}

static int convert_picture(const run_inputs *inputs, run_input *input, const rf_tensor *wanted, size_t *bytes)
{
    rf_error error;
    rf_picture_options options = inputs->options;
    rf_pixels pixels = picture_pixels(input->picture);
    if (!takes_picture(wanted))
        return complain(input->file, "input '%.80s' takes %s %s; a picture can be float32 1xCxHxW or 1xHxWxC with 1 "
                        "or 3 channels", wanted->name, rf_dtype_name(wanted->dtype),
                        rf_extents_of(&wanted->shape).text);
    const int64_t *dims = wanted->shape.dims;
    bool last = channels_last(&wanted->shape);
    *bytes = (size_t)(dims[1] * dims[2] * dims[3]) * sizeof(float);
    input->elements = malloc(*bytes ? *bytes : 1);
    if (!input->elements)
        return complain(input->file, "no memory for the picture as a tensor");
    options.layout = last ? RF_NHWC : RF_NCHW;
    if (rf_picture_to_tensor(&pixels, &options, (int32_t)dims[last ? 3 : 1], dims[last ? 1 : 2],
                             dims[last ? 2 : 3], input->elements, &error) != RF_OK)
        return complain(input->file, "%s", error.message);
    return DONE;
}

static int bind_input(run_inputs *inputs, run_input *input, const rf_tensor *wanted, rf_session *session)
{
    rf_error error;
    size_t bytes = 0;
    if (!input->file)
        return complain(inputs->model, "input '%.80s' (%s %s) has no file: --input '%.80s'=FILE", wanted->name,
                        rf_dtype_name(wanted->dtype), rf_extents_of(&wanted->shape).text, wanted->name);
    int code = input->tensor ? check_tensor(input, wanted) : convert_picture(inputs, input, wanted, &bytes);
    if (code != DONE)
        return code;
    const void *data = input->tensor ? input->tensor->data : input->elements;
    bytes = input->tensor ? input->tensor->data_bytes : bytes;
    if (rf_session_bind_input(session, wanted->name, data, bytes, &error) != RF_OK)
        return complain(inputs->model, "%s", error.message);
    return DONE;
}

int inputs_bind(run_inputs *inputs, const rf_model *model, rf_session *session)
{
    size_t count;
    const rf_tensor *wanted = rf_model_inputs(model, &count);
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < inputs->count && strcmp(inputs->at[k].declared->name, wanted[i].name) != 0)
            k++;
        if (k == inputs->count)
            return complain(inputs->model, "the network does not declare the input '%.80s'", wanted[i].name);
        int code = bind_input(inputs, &inputs->at[k], &wanted[i], session);
        if (code != DONE)
            return code;
    }
    return DONE;
}
