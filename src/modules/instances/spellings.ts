/** How things are spelt that several sources read. None of these has a time that grows faster than the text. */

export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
export const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
/** dev_valid_name() of the kernel, net/core/dev.c. */
export const INTERFACE_NAME = /^(?!\.{1,2}$)[^\s/:\p{Cc}]{1,15}$/u;
/** Text without control characters, at least one character of it. */
export const PRINTABLE = /^\P{Cc}+$/u;
