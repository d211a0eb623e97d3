/* SPDX-License-Identifier: MIT */
/* Stands in for field_json.c in a build without Jansson. */
#include "field_answer.h"

int print_field_json(const field_answer *answer, output_file *output)
{
    (void)output;
    return complain(answer->model->path,
                    "this rfield was built without JSON (the Meson option `json`)");
}
