/* SPDX-License-Identifier: MIT */
/* Stands in for picture_input.c in a build without gdk-pixbuf. */
#include "picture_input.h"

#include "command.h"

int picture_open(const char *path, picture_input **picture)
{
    *picture = NULL;
    return complain(path, "neither .npy nor .pb, and this rfield was built without pictures (the Meson option "
                          "`pictures`)");
}

rf_pixels picture_pixels(const picture_input *picture)
{
    (void)picture;
    return (rf_pixels){.data = NULL};
}

void picture_close(picture_input *picture)
{
    (void)picture;
}
