/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of the page as they are; uPlot's are looked for along the include path. */
#ifdef __CET__
#include <cet.h>
#endif

#define ASSET(name, file)                                                                                                      \
	.global fan_web_##name;                                                                                                \
	.global fan_web_##name##_end;                                                                                          \
	.type fan_web_##name, %object;                                                                                         \
	.type fan_web_##name##_end, %object;                                                                                   \
	fan_web_##name : .incbin file;                                                                                         \
	.size fan_web_##name, .- fan_web_##name;                                                                               \
	fan_web_##name##_end : .byte 0

	.section .rodata
	ASSET(page_html, "host-api/north/web/page.html")
	ASSET(page_css, "host-api/north/web/page.css")
	ASSET(page_js, "host-api/north/web/page.js")
	ASSET(uplot_js, "uPlot.iife.min.js")
	ASSET(uplot_css, "uPlot.min.css")
	ASSET(uplot_licence, "LICENSE")

	.section .note.GNU-stack, "", %progbits
