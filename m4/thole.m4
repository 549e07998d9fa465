dnl SPDX-License-Identifier: LGPL-2.1-or-later
dnl The checks of configure.ac that need more than one line.

dnl THOLE_C_FLAGS(VARIABLE, FLAGS)
dnl Sets and substitutes VARIABLE: those of FLAGS that $CC takes without a warning.
AC_DEFUN([THOLE_C_FLAGS],
  [$1=
   thole_save_cflags=$CFLAGS
   for thole_flag in $2; do
     AC_MSG_CHECKING([whether $CC takes $thole_flag])
     CFLAGS="$thole_save_cflags -Werror $thole_flag"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
       [$1="${$1:+$$1 }$thole_flag"
        AC_MSG_RESULT([yes])],
       [AC_MSG_RESULT([no])])
   done
   CFLAGS=$thole_save_cflags
   AC_SUBST([$1])])

dnl THOLE_LINK_FLAGS(VARIABLE, FLAGS)
dnl The same for flags of the linker.
AC_DEFUN([THOLE_LINK_FLAGS],
  [$1=
   thole_save_ldflags=$LDFLAGS
   thole_save_cflags=$CFLAGS
   CFLAGS="$CFLAGS -fPIE"
   for thole_flag in $2; do
     AC_MSG_CHECKING([whether the linker takes $thole_flag])
     LDFLAGS="$thole_save_ldflags $thole_flag"
     AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
       [$1="${$1:+$$1 }$thole_flag"
        AC_MSG_RESULT([yes])],
       [AC_MSG_RESULT([no])])
   done
   LDFLAGS=$thole_save_ldflags
   CFLAGS=$thole_save_cflags
   AC_SUBST([$1])])

dnl THOLE_FORTIFY
dnl _FORTIFY_SOURCE needs an optimising compiler, is in the way of the sanitizers,
dnl and must not be given twice where the distribution's compiler presets it.
AC_DEFUN([THOLE_FORTIFY],
  [AC_MSG_CHECKING([whether to define _FORTIFY_SOURCE])
   FORTIFY_CPPFLAGS=
   AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
       #if !defined __OPTIMIZE__ || defined _FORTIFY_SOURCE || defined __SANITIZE_ADDRESS__
       #error "leave it"
       #endif
     ]])],
     [AS_IF([test "$enable_sanitizers" != yes], [FORTIFY_CPPFLAGS=-D_FORTIFY_SOURCE=3])])
   AC_MSG_RESULT([${FORTIFY_CPPFLAGS:-no}])
   AC_SUBST([FORTIFY_CPPFLAGS])])

dnl THOLE_LIB_YAJL
dnl Prefers the archive (Debian's libyajl-dev has it): a shared library costs
dnl every start of thole some 50 us.
AC_DEFUN([THOLE_LIB_YAJL],
  [AC_MSG_CHECKING([for the yajl library])
   YAJL_LIBS=
   thole_save_libs=$LIBS
   thole_save_cflags=$CFLAGS
   for thole_lib in -l:libyajl_s.a -lyajl; do
     # Linked as a shared object: the archive is of no use for libthole.so unless it is PIC.
     CFLAGS="$thole_save_cflags -shared -fPIC"
     LIBS="$thole_lib $thole_save_libs"
     AC_LINK_IFELSE([AC_LANG_SOURCE([[
         void yajl_alloc (void);
         void use_yajl (void);
         void use_yajl (void) { yajl_alloc (); }
       ]])],
       [YAJL_LIBS=$thole_lib
        break])
   done
   LIBS=$thole_save_libs
   CFLAGS=$thole_save_cflags
   AC_MSG_RESULT([${YAJL_LIBS:-no}])
   AS_IF([test -z "$YAJL_LIBS"],
     [AC_MSG_ERROR([the yajl library is missing; install it (Debian: libyajl-dev)])])
   AC_SUBST([YAJL_LIBS])])

dnl THOLE_INIT_CC
dnl Finds the compiler of the static init.  musl makes it a tenth of the size
dnl that glibc makes it; musl-gcc does not look for the kernel's headers, hence
dnl -idirafter (after musl's own, which must win).
AC_DEFUN([THOLE_INIT_CC],
  [AS_CASE([$with_init_cc],
     [auto|yes|no],
       [AS_IF([test "$with_init_cc" = no || test "$cross_compiling" = yes],
          [INIT_CC=$CC],
          [AC_CHECK_PROGS([INIT_CC], [musl-gcc], [$CC])])],
     [INIT_CC=$with_init_cc])

   INIT_CPPFLAGS=
   AC_MSG_CHECKING([which C library $INIT_CC links init with])
   AS_CASE([$INIT_CC],
     [*musl*],
       [init_libc=musl
        thole_multiarch=`$CC -print-multiarch 2>/dev/null`
        INIT_CPPFLAGS="-idirafter /usr/include${thole_multiarch:+ -idirafter /usr/include/$thole_multiarch}"],
     [init_libc=glibc])
   AC_MSG_RESULT([$init_libc])

   AC_MSG_CHECKING([whether $INIT_CC makes static programs])
   thole_save_cc=$CC
   thole_save_cflags=$CFLAGS
   thole_save_cppflags=$CPPFLAGS
   thole_save_ldflags=$LDFLAGS
   CC=$INIT_CC
   CFLAGS=-static
   CPPFLAGS=$INIT_CPPFLAGS
   LDFLAGS=
   AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <unistd.h>
       #include <linux/mount.h>]], [[return getpid () == 0;]])],
     [AC_MSG_RESULT([yes])],
     [AC_MSG_RESULT([no])
      AC_MSG_ERROR([$INIT_CC cannot link a static program with the kernel's headers (Debian: musl-tools and linux-libc-dev, or libc6-dev); choose another with --with-init-cc=])])
   CC=$thole_save_cc
   CFLAGS=$thole_save_cflags
   CPPFLAGS=$thole_save_cppflags
   LDFLAGS=$thole_save_ldflags

   AC_SUBST([INIT_CC])
   AC_SUBST([INIT_LIBC], [$init_libc])
   AC_SUBST([INIT_CPPFLAGS])
   AM_CONDITIONAL([INIT_MUSL], [test "$init_libc" = musl])])
