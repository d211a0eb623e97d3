/* SPDX-License-Identifier: MIT */
/* Stands in for field_picture.c in a build without gdk-pixbuf. */
#include "field_answer.h"

int draw_field(const field_answer *answer, const char *picture, const char *png)
{
    (void)answer;
    (void)png;
    return complain(picture,
                    "this rfield was built without pictures (the Meson option `pictures`)");
}
