/* SPDX-License-Identifier: MIT */
/* The best scores of a classifier, by name. */
#define _POSIX_C_SOURCE 200809L /* for getline() */

#include "run_outputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "element_text.h"
#include "output_file.h"

/* The lines of a file. */
typedef struct label_list {
    char **at;
    size_t count, room;
} label_list;

static void free_labels(label_list *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        free(labels->at[i]);
    free(labels->at);
}

/* Takes `line` over. */
static bool add_label(label_list *labels, char *line)
{
    line[strcspn(line, "\r\n")] = 0;
    if (labels->count == labels->room) {
        size_t room = labels->room ? 2 * labels->room : 1024;
        char **grown = realloc(labels->at, room * sizeof *grown);
        if (!grown)
            return false;
        labels->at = grown;
        labels->room = room;
    }
    labels->at[labels->count++] = line;
    return true;
}

static int read_labels(const char *path, label_list *labels)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return complain(path, "cannot be read: %s", strerror(errno));
    bool complete = true;
    while (complete) {
        char *line = NULL;
        size_t room = 0;
        if (getline(&line, &room, file) < 0) {
            free(line);
            break;
        }
        complete = add_label(labels, line);
        if (!complete)
            free(line);
    }
    int reason = ferror(file) ? errno : complete ? 0 : ENOMEM;
    fclose(file);
    return reason ? complain(path, "cannot be read: %s", strerror(reason)) : DONE;
}

typedef struct score {
    double value;
    size_t index;
} score;

/* Best first; equal ones in their order; NaN last of all. */
static int compare_scores(const void *left, const void *right)
{
    const score *a = left, *b = right;
    int nan = (a->value != a->value) - (b->value != b->value);
    if (nan)
        return nan;
    if (a->value > b->value || a->value < b->value)
        return a->value > b->value ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void write_best(rf_text *text, const score *scores, size_t count, const label_list *labels)
{
    for (size_t i = 0; i < count; i++) {
        rf_text_format(text, "%-12.6g %6zu", scores[i].value, scores[i].index);
        if (scores[i].index < labels->count) {
            rf_text_str(text, "  ");
            rf_text_name(text, labels->at[scores[i].index], NULL);
        }
        rf_text_str(text, "\n");
    }
}

/* A batch has a list for each of its images. */
static int print_scores(const char *model_path, const rf_tensor *tensor, size_t top, const label_list *labels)
{
    size_t count = element_count(tensor);
    size_t images = tensor->shape.rank > 1 && count ? (size_t)tensor->shape.dims[0] : 1;
    size_t each = count / images;
    score *scores = calloc(each + 1, sizeof *scores);
    output_file output;
    rf_text text;
    if (!scores)
        return complain(model_path, "no memory to sort the scores");
    output_open(&output, NULL);
    rf_text_init(&text, output_write, &output);
    for (size_t n = 0; n < images; n++) {
        for (size_t i = 0; i < each; i++)
            scores[i] = (score){element_as_double(tensor, n * each + i), i};
        qsort(scores, each, sizeof *scores, compare_scores);
        if (images > 1)
            rf_text_format(&text, "%simage %zu\n", n ? "\n" : "", n);
        write_best(&text, scores, top < each ? top : each, labels);
    }
    rf_text_finish(&text);
    free(scores);
    return output_finish(&output);
}

int outputs_print_top(const char *model_path, const rf_model *model, const rf_session *session, size_t top,
                      const char *labels)
{
    size_t count;
    const rf_tensor *outputs = rf_model_outputs(model, &count);
    label_list list = {0};
    rf_tensor tensor;
    rf_error error;
    if (count == 0 || rf_session_output(session, outputs[0].name, &tensor, &error) != RF_OK)
        return complain(model_path, "the network has no output to take scores from");
    if (!has_element_text(tensor.dtype))
        return complain(model_path, "output '%.80s' of type %s holds no scores", tensor.name,
                        rf_dtype_name(tensor.dtype));
    int code = labels ? read_labels(labels, &list) : DONE;
    if (code == DONE)
        code = print_scores(model_path, &tensor, top, &list);
    free_labels(&list);
    return code;
}
