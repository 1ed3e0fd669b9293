/* SPDX-License-Identifier: BSD-3-Clause */
/* The files of the page, which are part of the program (assets.S). Each begins at its name and ends before the same with _end. */
#ifndef FAN_WEB_ASSETS_H
#define FAN_WEB_ASSETS_H

#define FAN_WEB_ASSET(name) extern const char fan_web_##name[], fan_web_##name##_end[]

FAN_WEB_ASSET(page_html);
FAN_WEB_ASSET(page_css);
FAN_WEB_ASSET(page_js);
/* uPlot as it is published; empty where the build had none. */
FAN_WEB_ASSET(uplot_js);
FAN_WEB_ASSET(uplot_css);
FAN_WEB_ASSET(uplot_licence);

#endif
