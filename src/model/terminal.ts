/** Controls but the line end, and marks that turn the direction of writing: a terminal would obey a stranger's name. */
export const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text that a terminal can be shown; line ends are the caller's. */
export const shown = (text: string): string => text.replace(OBEYED, '?');

/** One line of such a text. */
export const onTerminal = (line: string): string => shown(line).replaceAll('\n', '?');
