/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The static init program (src/init) inside the runtime.  make runs the assembler at the top of the build tree, which is
 * where the path below starts.  */
        .section .rodata.init_image, "a", %progbits
        .balign 4096
        .globl thole_init_image
        .hidden thole_init_image
        .type thole_init_image, %object
thole_init_image:
        .incbin "src/init/thole-init"
        .size thole_init_image, . - thole_init_image
        .globl thole_init_image_end
        .hidden thole_init_image_end
        .type thole_init_image_end, %object
thole_init_image_end:
        .byte 0
        .size thole_init_image_end, 1

        .section .note.GNU-stack, "", %progbits
