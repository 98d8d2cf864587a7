/**
 * The interface of a queue of a tun or tap device: the `iff:` line that /proc/<pid>/fdinfo/<fd> of such a descriptor has (drivers/net/tun.c).
 * A name may hold what JavaScript takes for blank or for the end of a line, such as U+2028: only what the kernel's isspace() is true for ends it.
 * @returns undefined for any other descriptor, and for one whose device is gone
 */
export const parseTapName = (text: string): string | undefined => /^iff:[ \t]*([^ \t\n]+)/m.exec(text)?.[1];
