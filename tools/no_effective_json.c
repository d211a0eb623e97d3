/* SPDX-License-Identifier: MIT */
/* Stands in for effective_json.c in a build without Jansson. */
#include "effective_answer.h"

int print_effective_json(const effective_answer *answer, output_file *output)
{
    (void)output;
    return complain(answer->theory.model->path, "this rfield was built without JSON (the Meson option `json`)");
}
