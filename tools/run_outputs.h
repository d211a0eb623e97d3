/* SPDX-License-Identifier: MIT */
/* What `rfield run` does with the tensors that come out. */
#ifndef RFIELD_TOOLS_RUN_OUTPUTS_H
#define RFIELD_TOOLS_RUN_OUTPUTS_H

#include <rfield/run.h>

#include "run_words.h"

/* Whether a file's name ends as one of those that outputs can be written to. */
bool is_output_file(const char *file);

/* Complains where a word names no output: asked before the run, which may be long. */
int outputs_check(const char *model_path, const run_words *words, const rf_model *model);

/* Writes the outputs that the words name. An exit code. */
int outputs_save(const char *model_path, const run_words *words, const rf_model *model,
                 const rf_session *session);

/* Prints every output on standard output. */
int outputs_print(const char *model_path, const rf_model *model, const rf_session *session);

/* Prints the `top` greatest elements of the first output, each with its line of the file `labels`,
 * which may be NULL. */
int outputs_print_top(const char *model_path, const rf_model *model, const rf_session *session, size_t top,
                      const char *labels);

#endif
