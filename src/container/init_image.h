/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The static init program (src/init) as it stands in the runtime: an ELF file, from the first symbol up to the second,
 * to be copied to a sealed memfd and executed there.  */
#pragma once

extern const unsigned char thole_init_image[] __attribute__ ((visibility ("hidden")));
extern const unsigned char thole_init_image_end[] __attribute__ ((visibility ("hidden")));
