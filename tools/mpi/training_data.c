/* SPDX-License-Identifier: MIT */
#include "training_data.h"

#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "element_text.h"
#include "report/report_parts.h"

static int load(const char *path, const rf_tensor **tensor)
{
    rf_error error;
    if (rf_tensor_load(path, NULL, tensor, &error) != RF_OK)
        return complain(path, "%s", error.message);
    return DONE;
}

static int check_examples(const training_data *data)
{
    const rf_tensor *examples = data->examples;
    if ((examples->dtype == RF_FLOAT32 || examples->dtype == RF_UINT8) && examples->shape.rank >= 2
        && element_count(examples) > 0)
        return DONE;
    return complain(data->path, "it holds %s %s; examples are float32 or uint8 of shape NxCxHxW or such",
                    rf_dtype_name(examples->dtype), rf_extents_of(&examples->shape).text);
}

static int check_labels(const training_data *data)
{
    const rf_tensor *labels = data->labels;
    if (!rf_dtype_is_integer(labels->dtype) || !has_element_text(labels->dtype) || labels->shape.rank != 1)
        return complain(data->label_path, "it holds %s %s; labels are integers of shape N", rf_dtype_name(labels->dtype),
                        rf_extents_of(&labels->shape).text);
    if (labels->shape.dims[0] != data->examples->shape.dims[0])
        return complain(data->label_path, "it holds %" PRId64 " labels for %" PRId64 " examples", labels->shape.dims[0],
                        data->examples->shape.dims[0]);
    return DONE;
}

int data_open(training_data *data, const char *path, const char *label_path)
{
    *data = (training_data){.path = path, .label_path = label_path};
    int code = load(path, &data->examples);
    if (code == DONE)
        code = check_examples(data);
    if (code == DONE)
        code = load(label_path, &data->labels);
    if (code == DONE)
        code = check_labels(data);
    if (code != DONE)
        return code;
    data->count = (size_t)data->examples->shape.dims[0];
    data->each = element_count(data->examples) / data->count;
    return DONE;
}

void data_close(training_data *data)
{
    rf_tensor_free(data->examples);
    rf_tensor_free(data->labels);
    *data = (training_data){.path = data->path};
}

void data_take(const training_data *data, const size_t *which, size_t count, float *examples, int64_t *labels)
{
    for (size_t i = 0; i < count; i++) {
        float *to = examples + i * data->each;
        labels[i] = (int64_t)element_as_double(data->labels, which[i]);
        if (data->examples->dtype == RF_FLOAT32) {
            memcpy(to, (const float *)data->examples->data + which[i] * data->each, data->each * sizeof *to);
            continue;
        }
        const uint8_t *from = (const uint8_t *)data->examples->data + which[i] * data->each;
        for (size_t k = 0; k < data->each; k++)
            to[k] = (float)from[k] / 255.0f;
    }
}
